// Rows as JSON objects, one a line; see cli/record.h.

#ifndef KEEL_CLI_JSONL_H_
#define KEEL_CLI_JSONL_H_

#include <memory>

#include "cli/record.h"

namespace keel::cli {

std::unique_ptr<RecordReader> NewJsonlReader(const RecordReaderOptions& options,
                                             ByteSource* source);
std::unique_ptr<RecordWriter> NewJsonlWriter();

}  // namespace keel::cli

#endif  // KEEL_CLI_JSONL_H_
