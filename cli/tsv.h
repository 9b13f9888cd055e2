// Rows as KEY<TAB>VALUE lines; see cli/record.h.

#ifndef KEEL_CLI_TSV_H_
#define KEEL_CLI_TSV_H_

#include <memory>

#include "cli/record.h"

namespace keel::cli {

std::unique_ptr<RecordReader> NewTsvReader(const RecordReaderOptions& options, ByteSource* source);
std::unique_ptr<RecordWriter> NewTsvWriter(TextForm form);

}  // namespace keel::cli

#endif  // KEEL_CLI_TSV_H_
