// keel count DB: how many keys there are.

#include <memory>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  RangeArguments range;
  bool json = false;
};

absl::Status Count(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const KeyRange range, arguments.range.Range(arguments.keys));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kRead));
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace, session->FindKeyspace(arguments.keys.keyspace));
  KEEL_ASSIGN_OR_RETURN(const uint64_t count, session->database().Count(keyspace, range));
  Output output;
  output.Append(arguments.json ? absl::StrFormat("{\"count\":%d}\n", count)
                               : absl::StrFormat("%d\n", count));
  return output.Close();
}

}  // namespace

void AddCountCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add("count", "Print how many keys there are, exactly",
                                  [arguments] { return Count(*arguments); });
  arguments->database.AddTo(command);
  arguments->range.AddTo(command);
  arguments->keys.AddTo(command);
  command.add_flag("--json", arguments->json, "As a JSON object");
}

}  // namespace keel::cli
