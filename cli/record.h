// Rows of the files that `keel load` reads and `keel dump` writes.
//
//   tsv    KEY<TAB>VALUE, one a line, as text (cli/text.h). More tabs belong to the value. A line
//          ends in \n or \r\n.
//   csv    RFC 4180, with a header row. One column is the key; if there is one other it is the
//   value,
//          else the value is a JSON object of the others, in their order. Blank lines are skipped.
//   jsonl  one JSON object a line. One member is the key, and the value is the whole object without
//          blanks between tokens; but in an object of just "key" and "value" (or "key_hex",
//          "value_hex", where the bytes are no text) the value is that member. Blank lines are
//          skipped.
//
// What dump writes load reads back byte for byte, in each format.

#ifndef KEEL_CLI_RECORD_H_
#define KEEL_CLI_RECORD_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cli/byte_source.h"
#include "cli/text.h"

namespace keel::cli {

enum class RecordFormat { kTsv, kCsv, kJsonl };

// By the name's end: .tsv, .csv, .jsonl or .ndjson; kTsv for all else.
RecordFormat FormatOfFile(std::string_view path);

struct Record {
  std::string key;
  std::string value;
  uint64_t line = 0;  // where it begins
};

struct RecordReaderOptions {
  std::string key_column;  // csv, jsonl. Empty: "key", else (csv) the first column
  bool keys_only = false;  // rows only name keys; values may be missing and are left empty
  TextForm form = TextForm::kEscaped;  // tsv
};

// Used by one thread. Holds at most a row or so.
class RecordReader {
 public:
  virtual ~RecordReader() = default;

  // False behind the last. InvalidArgument, "file:line: what is wrong", for a malformed row or one
  // beyond the limits of keys and values; reading cannot go on after it. The source's errors as
  // they are.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;
};

// InvalidArgument: a csv header without the key's column. `source` outlives the reader.
absl::StatusOr<std::unique_ptr<RecordReader>> NewRecordReader(RecordFormat format,
                                                              const RecordReaderOptions& options,
                                                              ByteSource* source);

// Appends rows as text to `out`.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;

  // What stands before the first row.
  virtual void Begin(std::string* /*out*/) {}
  virtual void Append(std::string_view key, std::string_view value, std::string* out) = 0;
};

// `form` is for tsv.
std::unique_ptr<RecordWriter> NewRecordWriter(RecordFormat format, TextForm form);

}  // namespace keel::cli

#endif  // KEEL_CLI_RECORD_H_
