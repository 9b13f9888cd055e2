#include "cli/session.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "cli/message.h"
#include "cli/progress.h"

namespace keel::cli {
namespace {

constexpr std::string_view kDefaultKeyspace = "default";

// Adds what only the command line knows: what to do.
absl::Status WithAdvice(const absl::Status& status) {
  const bool no_database = MessageOf(status).find("no Keel database") != std::string_view::npos;
  if (!absl::IsNotFound(status) || !no_database) return status;
  return MakeStatus(absl::StatusCode::kNotFound, "%s; `keel put` and `keel load` make one",
                    MessageOf(status));
}

}  // namespace

class Session::RecoveryProgress : public EventListener {
 public:
  void OnRecoveryProgress(const EventListener::RecoveryProgress& progress) override {
    bar_.SetTotal(progress.bytes_total);
    bar_.Set(0, progress.bytes_done);
  }
  void Finish() { bar_.Finish(); }

 private:
  Progress bar_{"opening"};
};

Session::Session() : progress_(std::make_unique<RecoveryProgress>()) {}
Session::~Session() = default;

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const DatabaseArguments& arguments,
                                                       Access access) {
  std::unique_ptr<Session> session(new Session);
  Options options = arguments.options;
  options.create_if_missing = access == Access::kCreate;
  options.read_only = access == Access::kRead;
  options.listener = session->progress_.get();
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(arguments.directory, options);
  session->progress_->Finish();
  if (!database.ok()) return WithAdvice(database.status());
  session->database_ = *std::move(database);
  return session;
}

absl::StatusOr<Keyspace> Session::FindKeyspace(std::string_view name) const {
  if (name == kDefaultKeyspace) return Keyspace();
  std::string names;
  for (const KeyspaceInfo& info : database_->ListKeyspaces()) {
    if (info.name == name) return info.keyspace;
    names += (names.empty() ? "" : ", ") + Printable(info.name);
  }
  return AnswerNo(
      absl::StrFormat("there is no keyspace '%s'; there are: %s", Printable(name), names));
}

absl::Status Session::Close() { return database_->Close(); }

}  // namespace keel::cli
