#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/status.h"

namespace keel::cli {

Output::Output() : descriptor_(STDOUT_FILENO), name_("standard output") {}

absl::StatusOr<Output> Output::Open(const std::string& path) {
  Output output;
  if (path == "-") return output;
  output.file_.reset(std::fopen(path.c_str(), "we"));
  if (output.file_ == nullptr) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "cannot write %s: %s", path,
                      std::strerror(errno));
  }
  output.descriptor_ = ::fileno(output.file_.get());
  output.name_ = path;
  return output;
}

bool Output::Flush() {
  std::string_view rest = buffer_;
  while (status_.ok() && !rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      Fail(errno);
    }
  }
  bytes_ += buffer_.size();
  buffer_.clear();
  return status_.ok();
}

absl::Status Output::Close() {
  Flush();
  // Some file systems tell of a full disk only now.
  if (file_ != nullptr && std::fclose(file_.release()) != 0) Fail(errno);
  return status_;
}

void Output::Fail(int error) {
  if (!status_.ok()) return;
  if (error == EPIPE) {
    status_ = absl::CancelledError("the reader of the output went away");
  } else {
    status_ = MakeStatus(absl::StatusCode::kUnavailable, "cannot write to %s: %s", name_,
                         std::strerror(error));
  }
}

bool IsOutputClosed(const absl::Status& status) { return absl::IsCancelled(status); }

}  // namespace keel::cli
