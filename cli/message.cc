#include "cli/message.h"

#include <absl/strings/cord.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/status.h"
#include "cli/output.h"

namespace keel::cli {
namespace {

void WriteToStandardError(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;  // nobody is left to tell
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
}

constexpr char kAnswerIsNo[] = "keel.cli/no";

// Words for an error that came without any.
std::string_view Words(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return "not found";
    case absl::StatusCode::kResourceExhausted:
      return "out of memory or disk space";
    case absl::StatusCode::kDataLoss:
      return "the data is damaged";
    case absl::StatusCode::kUnavailable:
      return "an input or output error";
    default:
      return "something went wrong, and nothing says what";
  }
}

}  // namespace

void Say(std::string_view text) { WriteToStandardError(absl::StrFormat("keel: %s\n", text)); }

void SayPlain(std::string_view text) { WriteToStandardError(absl::StrFormat("%s\n", text)); }

absl::Status AnswerNo(std::string_view text) {
  absl::Status status = absl::NotFoundError(ToAbsl(text));
  status.SetPayload(kAnswerIsNo, absl::Cord());
  return status;
}

ExitStatus Finish(const absl::Status& status) {
  if (status.ok()) return ExitStatus::kWell;
  if (IsOutputClosed(status)) return ExitStatus::kFailure;
  const std::string_view message = MessageOf(status);
  Say(message.empty() ? Words(status.code()) : message);
  if (status.GetPayload(kAnswerIsNo)) return ExitStatus::kNo;
  const bool wrong_use = absl::IsInvalidArgument(status) || absl::IsNotFound(status);
  return wrong_use ? ExitStatus::kWrongUse : ExitStatus::kFailure;
}

ExitStatus WrongUse(std::string_view text, std::string_view command) {
  Say(text);
  Say(command.empty() ? "see keel --help" : absl::StrFormat("see keel %s --help", command));
  return ExitStatus::kWrongUse;
}

}  // namespace keel::cli
