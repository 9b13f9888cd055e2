// keel del DB KEY: removes one pair, durably.

#include <memory>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  std::string key;
};

absl::Status Delete(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const std::string key, arguments.keys.Key(arguments.key));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kWrite));
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace, session->FindKeyspace(arguments.keys.keyspace));
  const absl::Status found = session->database().Get(keyspace, key).status();
  if (absl::IsNotFound(found)) {
    KEEL_RETURN_IF_ERROR(session->Close());
    return AnswerNo(absl::StrFormat("there is no key '%s'", arguments.key));
  }
  KEEL_RETURN_IF_ERROR(found);
  KEEL_RETURN_IF_ERROR(session->database().Delete(keyspace, key));
  return session->Close();
}

}  // namespace

void AddDelCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      program.Add("del", "Remove a key; durable when it returns (exit status 1: there was none)",
                  [arguments] { return Delete(*arguments); });
  arguments->database.AddTo(command);
  command.add_option("KEY", arguments->key, "The key, as text with \\xNN for other bytes")
      ->required();
  arguments->keys.AddTo(command);
}

}  // namespace keel::cli
