// keel get DB KEY: prints the value of a key.

#include <memory>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  std::string key;
  bool raw = false;
  bool json = false;
};

absl::Status Print(const Arguments& arguments, std::string_view key, std::string_view value) {
  Output output;
  if (arguments.raw) {
    output.Append(value);
  } else if (arguments.json) {
    AppendJsonRecord(key, value, output.buffer());
    output.Append("\n");
  } else {
    AppendText(value, arguments.keys.form(), output.buffer());
    output.Append("\n");
  }
  return output.Close();
}

absl::Status Get(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const std::string key, arguments.keys.Key(arguments.key));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kRead));
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace, session->FindKeyspace(arguments.keys.keyspace));
  const absl::StatusOr<PinnedValue> value = session->database().Get(keyspace, key);
  if (absl::IsNotFound(value.status())) {
    return AnswerNo(absl::StrFormat("there is no key '%s'", arguments.key));
  }
  KEEL_RETURN_IF_ERROR(value.status());
  return Print(arguments, key, *value);
}

}  // namespace

void AddGetCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add("get", "Print the value of a key (exit status 1: there is none)",
                                  [arguments] { return Get(*arguments); });
  arguments->database.AddTo(command);
  command.add_option("KEY", arguments->key, "The key, as text with \\xNN for other bytes")
      ->required();
  arguments->keys.AddTo(command);
  CLI::Option* const raw =
      command.add_flag("--raw", arguments->raw, "The bytes as they are, without a line end");
  command.add_flag("--json", arguments->json, "As a JSON object")->excludes(raw);
}

}  // namespace keel::cli
