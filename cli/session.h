// A database that a command has open.
//
//   KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Open(arguments,
//   Access::kRead)); KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace,
//   session->FindKeyspace("users"));
//   ... session->database().Get(keyspace, key) ...
//   return session->Close();

#ifndef KEEL_CLI_SESSION_H_
#define KEEL_CLI_SESSION_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/database.h>

#include <memory>
#include <string_view>

#include "cli/arguments.h"

namespace keel::cli {

enum class Access {
  kRead,    // read-only: not a byte is written
  kWrite,   // of a database that exists
  kCreate,  // makes it if missing
};

// Shows how recovery gets on where that takes longer.
class Session {
 public:
  // Errors as Database::Open gives them, in words for the command line.
  static absl::StatusOr<std::unique_ptr<Session>> Open(const DatabaseArguments& arguments,
                                                       Access access);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Database& database() { return *database_; }

  // AnswerNo if there is none of that name; it is not made.
  absl::StatusOr<Keyspace> FindKeyspace(std::string_view name) const;

  absl::Status Close();

 private:
  class RecoveryProgress;

  Session();

  std::unique_ptr<RecoveryProgress> progress_;  // outlives the database
  std::unique_ptr<Database> database_;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_SESSION_H_
