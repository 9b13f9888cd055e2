// Rows as comma-separated values; see cli/record.h.

#ifndef KEEL_CLI_CSV_H_
#define KEEL_CLI_CSV_H_

#include <absl/status/statusor.h>

#include <memory>

#include "cli/record.h"

namespace keel::cli {

absl::StatusOr<std::unique_ptr<RecordReader>> NewCsvReader(const RecordReaderOptions& options,
                                                           ByteSource* source);
std::unique_ptr<RecordWriter> NewCsvWriter();

}  // namespace keel::cli

#endif  // KEEL_CLI_CSV_H_
