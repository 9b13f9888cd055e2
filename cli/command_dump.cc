// keel dump DB [FILE]: every pair of one consistent snapshot, as `keel load` reads it.

#include <absl/time/clock.h>
#include <keel/snapshot.h>

#include <memory>
#include <optional>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/format_argument.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/session.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  std::string file = "-";
  std::optional<RecordFormat> format;
};

// Returns how many pairs it wrote.
absl::StatusOr<uint64_t> WritePairs(Cursor cursor, RecordWriter& writer, Output& output,
                                    Progress& progress) {
  uint64_t rows = 0;
  writer.Begin(output.buffer());
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    const std::string_view value = cursor.value();
    if (!cursor.Valid()) break;  // the value could not be read
    writer.Append(cursor.key(), value, output.buffer());
    if (!output.Append("")) break;
    progress.Set(++rows, output.bytes());
  }
  const absl::Status written = output.Close();
  KEEL_RETURN_IF_ERROR(cursor.status());
  KEEL_RETURN_IF_ERROR(written);
  return rows;
}

// Says how it went, where standard output is not what was written.
absl::Status Report(const Arguments& arguments, const absl::StatusOr<uint64_t>& rows,
                    uint64_t bytes) {
  if (arguments.file == "-") return rows.status();
  if (!rows.ok()) {
    Say(absl::StrFormat("%s is incomplete", arguments.file));
    return rows.status();
  }
  Say(absl::StrFormat("%s, %s, in %s", FormatAmount(*rows, "row"), FormatSize(bytes),
                      arguments.file));
  return absl::OkStatus();
}

absl::Status Dump(const Arguments& arguments) {
  const RecordFormat format = arguments.format.value_or(FormatOfFile(arguments.file));
  KEEL_RETURN_IF_ERROR(CheckHexGoesWith(format, arguments.keys));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kRead));
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace, session->FindKeyspace(arguments.keys.keyspace));
  KEEL_ASSIGN_OR_RETURN(Output output, Output::Open(arguments.file));
  const std::unique_ptr<RecordWriter> writer = NewRecordWriter(format, arguments.keys.form());
  const Snapshot snapshot = session->database().GetSnapshot();
  Progress progress("dumping");
  const absl::StatusOr<uint64_t> rows =
      WritePairs(snapshot.NewCursor(keyspace), *writer, output, progress);
  progress.Finish();
  return Report(arguments, rows, output.bytes());
}

}  // namespace

void AddDumpCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add("dump", "Write every pair of one moment, for `keel load`",
                                  [arguments] { return Dump(*arguments); });
  arguments->database.AddTo(command);
  command.add_option("FILE", arguments->file, "Where to (-, the default: standard output)");
  AddFormatOption(command, &arguments->format);
  arguments->keys.AddTo(command);
  command.footer(kFormatFooter);
}

}  // namespace keel::cli
