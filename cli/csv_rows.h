// RFC 4180 without any meaning: rows of fields.
//
// A field may be quoted; then commas, quotes (doubled) and line ends are part of it, byte for byte.
// A row ends in \n or \r\n. Blank lines are skipped.

#ifndef KEEL_CLI_CSV_ROWS_H_
#define KEEL_CLI_CSV_ROWS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/byte_source.h"

namespace keel::cli {

class CsvRows {
 public:
  // `source` outlives it.
  explicit CsvRows(ByteSource* source) : source_(source) {}

  // False behind the last row. InvalidArgument, with file and line, for a row that is malformed or
  // longer than any key and value could be.
  absl::StatusOr<bool> Next(std::vector<std::string>* fields);
  // Where the last row began.
  uint64_t line() const { return line_; }

 private:
  enum class Stop { kField, kRow };

  void SkipBlankLines();
  absl::StatusOr<Stop> ReadField(std::string* field);
  absl::Status ReadQuoted(std::string* field);
  // Takes a comma, line end or the end of the bytes, which must be next.
  absl::StatusOr<Stop> TakeStop();
  absl::Status Count(uint64_t bytes);

  ByteSource* const source_;
  uint64_t line_ = 0;
  uint64_t row_bytes_ = 0;
};

// A field as it stands in a row, quoted where that is needed.
void AppendCsvField(std::string_view field, std::string* out);

}  // namespace keel::cli

#endif  // KEEL_CLI_CSV_ROWS_H_
