#include "cli/row_error.h"

#include <keel/database.h>

#include "base/status.h"
#include "cli/size.h"

namespace keel::cli {

absl::Status RowError(const ByteSource& source, uint64_t line, std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, "%s:%d: %s", source.name(), line, what);
}

absl::Status CheckKeyBytes(const ByteSource& source, uint64_t line, uint64_t bytes) {
  if (bytes <= kMaxKeyBytes) return absl::OkStatus();
  return RowError(source, line,
                  absl::StrFormat("the key is longer than %s", FormatSize(kMaxKeyBytes)));
}

absl::Status CheckValueBytes(const ByteSource& source, uint64_t line, uint64_t bytes) {
  if (bytes <= kMaxValueBytes) return absl::OkStatus();
  return RowError(source, line,
                  absl::StrFormat("the value is longer than %s", FormatSize(kMaxValueBytes)));
}

}  // namespace keel::cli
