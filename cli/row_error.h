// How the readers of rows say that a row is wrong, and the limits that they all keep.

#ifndef KEEL_CLI_ROW_ERROR_H_
#define KEEL_CLI_ROW_ERROR_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string_view>

#include "cli/byte_source.h"

namespace keel::cli {

// InvalidArgument "file:line: what".
absl::Status RowError(const ByteSource& source, uint64_t line, std::string_view what);

// Errors for a key or value of so many bytes that is over its limit.
absl::Status CheckKeyBytes(const ByteSource& source, uint64_t line, uint64_t bytes);
absl::Status CheckValueBytes(const ByteSource& source, uint64_t line, uint64_t bytes);

}  // namespace keel::cli

#endif  // KEEL_CLI_ROW_ERROR_H_
