// keel load DB [FILE]: rows of a file into a keyspace.

#include <absl/time/clock.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/status.h"
#include "cli/byte_source.h"
#include "cli/commands.h"
#include "cli/format_argument.h"
#include "cli/loader.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  std::string file = "-";
  std::optional<RecordFormat> format;
  std::string key_column;
  LoaderOptions loader;
  std::string progress = "bar";
  bool json = false;
};

constexpr char kFooter[] =
    "\nRows are committed in their order, each batch as a whole. A malformed row ends the load:\n"
    "the batches before stay, of its own batch nothing is applied. So does Ctrl-C.\n"
    "Batches whose keys ascend, into a keyspace without keys, are written once, without the log,\n"
    "and committed together: at the end, or before the first batch that is out of order. With\n"
    "--sync or --progress=acks each batch is committed by itself.";

RecordReaderOptions ReaderOptions(const Arguments& arguments) {
  RecordReaderOptions options;
  options.key_column = arguments.key_column;
  options.keys_only = arguments.loader.delete_keys;
  options.form = arguments.keys.form();
  return options;
}

LoaderOptions OptionsOf(const Arguments& arguments) {
  LoaderOptions options = arguments.loader;
  const bool acks = arguments.progress == "acks";
  options.bulk = !acks && !options.sync && !options.delete_keys;
  if (acks) {
    options.on_durable = [](uint64_t rows) { SayPlain(absl::StrFormat("acked %d", rows)); };
  }
  return options;
}

// What is in when not everything is.
std::string HowFar(const LoaderResult& result, const absl::Status& status) {
  const bool certain = result.rows == result.durable_rows && !absl::IsUnknown(status);
  if (!certain) {
    return absl::StrFormat(
        "rows surely in: %s; whether more are shows when the database is opened again",
        FormatCount(result.durable_rows));
  }
  if (result.rows == 0) return "no row is in";
  return absl::StrFormat("rows in: %s, up to line %d, and none behind", FormatCount(result.rows),
                         result.durable_line);
}

// An error of loading with what it means. Never about wrong use: the program did its part.
absl::Status Explain(const absl::Status& status, const LoaderResult& result) {
  const bool of_input = absl::IsInvalidArgument(status) || absl::IsCancelled(status);
  return absl::Status(of_input ? absl::StatusCode::kAborted : status.code(),
                      ToAbsl(absl::StrFormat("%s; %s", MessageOf(status), HowFar(result, status))));
}

absl::Status ReportDone(const Arguments& arguments, const LoaderResult& result, uint64_t bytes,
                        absl::Duration time) {
  const double seconds = std::max(absl::ToDoubleSeconds(time), 1e-6);
  if (arguments.json) {
    Output output;
    output.Append(absl::StrFormat(
        "{\"rows\":%d,\"batches\":%d,\"bulk_rows\":%d,\"bytes\":%d,\"seconds\":%.3f}\n",
        result.rows, result.batches, result.bulk_rows, bytes, seconds));
    return output.Close();
  }
  const double rate = static_cast<double>(result.rows) / seconds;
  Say(absl::StrFormat("%s %s in %.1f s (%s a second)", FormatAmount(result.rows, "row"),
                      arguments.loader.delete_keys ? "deleted" : "loaded", seconds,
                      FormatCount(static_cast<uint64_t>(rate))));
  return absl::OkStatus();
}

// Loads what `reader` yields; whatever happens, what is in is durable and the database is closed.
absl::Status LoadRows(const Arguments& arguments, RecordReader& reader, const ByteSource& source,
                      Interrupt& interrupt, Session& session) {
  Database& database = session.database();
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace,
                        arguments.loader.delete_keys
                            ? session.FindKeyspace(arguments.keys.keyspace)
                            : database.OpenKeyspace(arguments.keys.keyspace));
  const absl::Time begin = absl::Now();
  Progress progress("loading", source.size(), arguments.progress == "bar");
  Loader loader(&database, keyspace, OptionsOf(arguments));
  const absl::Status loaded = loader.Run(reader, source, interrupt, progress);
  const absl::Status closed = session.Close();
  progress.Finish();
  if (!loaded.ok()) return Explain(loaded, loader.result());
  KEEL_RETURN_IF_ERROR(closed);
  return ReportDone(arguments, loader.result(), source.bytes_taken(), absl::Now() - begin);
}

absl::Status Load(const Arguments& arguments) {
  const RecordFormat format = arguments.format.value_or(FormatOfFile(arguments.file));
  KEEL_RETURN_IF_ERROR(CheckHexGoesWith(format, arguments.keys));
  Interrupt interrupt;
  // The input first: without it the database is not even made.
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source,
                        ByteSource::Open(arguments.file, &interrupt));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                        NewRecordReader(format, ReaderOptions(arguments), source.get()));
  const Access access = arguments.loader.delete_keys ? Access::kWrite : Access::kCreate;
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, access));
  return LoadRows(arguments, *reader, *source, interrupt, *session);
}

void AddLoadOptions(CLI::App& command, Arguments& arguments) {
  command.add_option("--key", arguments.key_column, "Column of the key (csv, jsonl)")
      ->type_name("COLUMN");
  command
      .add_option("--batch", arguments.loader.batch_rows,
                  "Rows committed together, fewer where they take over 4 MiB (1000)")
      ->type_name("N")
      ->check([](const std::string& rows) {
        return std::string(rows == "0" ? "a batch has at least one row" : "");
      });
  command.add_flag("--sync", arguments.loader.sync,
                   "Make each batch durable before the next, not all at the end");
  command.add_flag("--delete", arguments.loader.delete_keys,
                   "The rows name keys to be deleted; values are not needed");
  command
      .add_option("--progress", arguments.progress,
                  "bar; none; or acks: a line `acked N` on standard error once the first N\n"
                  "rows are durable")
      ->type_name("HOW")
      ->check(CLI::IsMember({"bar", "acks", "none"}).description(""));
  command.add_flag("--json", arguments.json, "Report as a JSON object");
}

}  // namespace

void AddLoadCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add("load", "Store the rows of a file, batch by batch",
                                  [arguments] { return Load(*arguments); });
  arguments->database.AddTo(command);
  command.add_option("FILE", arguments->file, "Where from (-, the default: standard input)");
  AddFormatOption(command, &arguments->format);
  AddLoadOptions(command, *arguments);
  arguments->keys.AddTo(command);
  command.footer(std::string(kFormatFooter) + kFooter);
}

}  // namespace keel::cli
