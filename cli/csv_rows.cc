#include "cli/csv_rows.h"

#include <keel/database.h>

#include "base/status.h"
#include "cli/row_error.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

constexpr uint64_t kMaxRowBytes = kMaxValueBytes + kMaxKeyBytes;

bool EndsField(int byte) {
  return byte == ',' || byte == '\n' || byte == '\r' || byte == ByteSource::kEnd;
}

}  // namespace

absl::StatusOr<bool> CsvRows::Next(std::vector<std::string>* fields) {
  fields->clear();
  SkipBlankLines();
  line_ = source_->line();
  row_bytes_ = 0;
  if (source_->Peek() == ByteSource::kEnd) {
    KEEL_RETURN_IF_ERROR(source_->status());
    return false;
  }
  Stop stop = Stop::kField;
  while (stop == Stop::kField) {
    absl::StatusOr<Stop> read = ReadField(&fields->emplace_back());
    KEEL_RETURN_IF_ERROR(source_->status());  // a row that it cut off is not malformed
    KEEL_ASSIGN_OR_RETURN(stop, std::move(read));
  }
  return true;
}

void CsvRows::SkipBlankLines() {
  while (source_->Peek() == '\n' || source_->Peek() == '\r') source_->Get();
}

absl::StatusOr<CsvRows::Stop> CsvRows::ReadField(std::string* field) {
  if (source_->Peek() == '"') {
    source_->Get();
    KEEL_RETURN_IF_ERROR(ReadQuoted(field));
    return TakeStop();
  }
  while (!EndsField(source_->Peek())) {
    const int byte = source_->Get();
    if (byte == '"') {
      return RowError(*source_, line_, "a quote inside a field that does not begin with a quote");
    }
    *field += static_cast<char>(byte);
    KEEL_RETURN_IF_ERROR(Count(1));
  }
  return TakeStop();
}

absl::Status CsvRows::ReadQuoted(std::string* field) {
  while (true) {
    const int byte = source_->Get();
    if (byte == ByteSource::kEnd) {
      return RowError(*source_, line_, "a quoted field of this row is never closed");
    }
    if (byte == '"') {
      if (source_->Peek() != '"') return absl::OkStatus();
      source_->Get();
    }
    *field += static_cast<char>(byte);
    KEEL_RETURN_IF_ERROR(Count(1));
  }
}

absl::StatusOr<CsvRows::Stop> CsvRows::TakeStop() {
  int byte = source_->Get();
  if (byte == ',') return Stop::kField;
  if (byte == '\r') {
    byte = source_->Get();
    if (byte != '\n' && byte != ByteSource::kEnd) {
      return RowError(*source_, line_, "a carriage return outside of quotes");
    }
  }
  if (byte == '\n' || byte == ByteSource::kEnd) return Stop::kRow;
  return RowError(*source_, line_, "something stands between a closing quote and the comma");
}

absl::Status CsvRows::Count(uint64_t bytes) {
  row_bytes_ += bytes;
  if (row_bytes_ <= kMaxRowBytes) return absl::OkStatus();
  return RowError(*source_, line_,
                  absl::StrFormat("the row is longer than %s; is a quote never closed?",
                                  FormatSize(kMaxRowBytes)));
}

void AppendCsvField(std::string_view field, std::string* out) {
  const bool blank_ends = field.starts_with(' ') || field.ends_with(' ');
  if (!blank_ends && field.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(field);
    return;
  }
  *out += '"';
  for (const char byte : field) {
    if (byte == '"') *out += '"';
    *out += byte;
  }
  *out += '"';
}

}  // namespace keel::cli
