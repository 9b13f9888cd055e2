#include "cli/format_argument.h"

#include <map>
#include <string>

namespace keel::cli {

const char kFormatFooter[] =
    "Formats:\n"
    "  tsv    KEY<TAB>VALUE, one a line; \\t \\n \\r \\\\ and \\xNN stand for other bytes\n"
    "  csv    a header row; the columns but the key's become a JSON object, but a single\n"
    "         one is the value as it is\n"
    "  jsonl  one JSON object a line, which is the value; of an object with just \"key\" and\n"
    "         \"value\" (\"key_hex\", \"value_hex\"), as dump writes them, the latter is";

void AddFormatOption(CLI::App& command, std::optional<RecordFormat>* format) {
  static const std::map<std::string, RecordFormat> kFormats = {
      {"tsv", RecordFormat::kTsv}, {"csv", RecordFormat::kCsv}, {"jsonl", RecordFormat::kJsonl}};
  command
      .add_option_function<std::string>(
          "--format", [format](const std::string& name) { *format = kFormats.at(name); },
          "Format of the rows (by the name of FILE, else tsv)")
      ->type_name("tsv|csv|jsonl")
      ->check(CLI::IsMember(kFormats).description(""));
}

absl::Status CheckHexGoesWith(RecordFormat format, const KeyArguments& keys) {
  if (!keys.hex || format == RecordFormat::kTsv) return absl::OkStatus();
  return absl::InvalidArgumentError("--hex goes with tsv only; the other formats take any bytes");
}

}  // namespace keel::cli
