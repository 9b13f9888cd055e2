// keel scan DB: prints pairs in the order of their keys.

#include <cstdint>
#include <limits>
#include <memory>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  RangeArguments range;
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  bool reverse = false;
  bool json = false;
};

absl::Status PrintPairs(Cursor cursor, const Arguments& arguments) {
  const RecordFormat format = arguments.json ? RecordFormat::kJsonl : RecordFormat::kTsv;
  const std::unique_ptr<RecordWriter> writer = NewRecordWriter(format, arguments.keys.form());
  Output output;
  arguments.reverse ? cursor.SeekToLast() : cursor.SeekToFirst();
  for (uint64_t count = 0; count < arguments.limit && cursor.Valid(); ++count) {
    const std::string_view value = cursor.value();
    if (!cursor.Valid()) break;  // the value could not be read
    writer->Append(cursor.key(), value, output.buffer());
    if (!output.Append("")) break;
    arguments.reverse ? cursor.Prev() : cursor.Next();
  }
  const absl::Status written = output.Close();
  KEEL_RETURN_IF_ERROR(cursor.status());
  return written;
}

absl::Status Scan(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const KeyRange range, arguments.range.Range(arguments.keys));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kRead));
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace, session->FindKeyspace(arguments.keys.keyspace));
  return PrintPairs(session->database().NewCursor(keyspace, range), arguments);
}

}  // namespace

void AddScanCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add("scan", "Print pairs as KEY<TAB>VALUE lines, ordered by key",
                                  [arguments] { return Scan(*arguments); });
  arguments->database.AddTo(command);
  arguments->range.AddTo(command);
  command.add_flag("--reverse", arguments->reverse, "From the last key to the first");
  command.add_option("--limit", arguments->limit, "At most so many pairs")->type_name("N");
  arguments->keys.AddTo(command);
  command.add_flag("--json", arguments->json, "One JSON object a line");
}

}  // namespace keel::cli
