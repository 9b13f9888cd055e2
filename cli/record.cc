#include "cli/record.h"

#include "cli/csv.h"
#include "cli/jsonl.h"
#include "cli/tsv.h"

namespace keel::cli {

RecordFormat FormatOfFile(std::string_view path) {
  if (path.ends_with(".csv")) return RecordFormat::kCsv;
  if (path.ends_with(".jsonl") || path.ends_with(".ndjson")) return RecordFormat::kJsonl;
  return RecordFormat::kTsv;
}

absl::StatusOr<std::unique_ptr<RecordReader>> NewRecordReader(RecordFormat format,
                                                              const RecordReaderOptions& options,
                                                              ByteSource* source) {
  switch (format) {
    case RecordFormat::kCsv:
      return NewCsvReader(options, source);
    case RecordFormat::kJsonl:
      return NewJsonlReader(options, source);
    case RecordFormat::kTsv:
      break;
  }
  return NewTsvReader(options, source);
}

std::unique_ptr<RecordWriter> NewRecordWriter(RecordFormat format, TextForm form) {
  switch (format) {
    case RecordFormat::kCsv:
      return NewCsvWriter();
    case RecordFormat::kJsonl:
      return NewJsonlWriter();
    case RecordFormat::kTsv:
      break;
  }
  return NewTsvWriter(form);
}

}  // namespace keel::cli
