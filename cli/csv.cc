#include "cli/csv.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cli/csv_rows.h"
#include "cli/json_text.h"
#include "cli/row_error.h"

namespace keel::cli {
namespace {

class CsvReader : public RecordReader {
 public:
  CsvReader(const RecordReaderOptions& options, ByteSource* source)
      : options_(options), source_(source), rows_(source) {}

  // Takes the header, and finds the key in it.
  absl::Status Begin() {
    source_->SkipByteOrderMark();
    KEEL_ASSIGN_OR_RETURN(const bool found, rows_.Next(&header_));
    if (!found) return RowError(*source_, rows_.line(), "there is no header row");
    KEEL_RETURN_IF_ERROR(CheckNamesDiffer());
    KEEL_RETURN_IF_ERROR(FindKeyColumn());
    if (header_.size() > 1 || options_.keys_only) return absl::OkStatus();
    return RowError(*source_, rows_.line(), "there is only one column, so nothing for the values");
  }

  absl::StatusOr<bool> Next(Record* record) override {
    KEEL_ASSIGN_OR_RETURN(const bool found, rows_.Next(&fields_));
    if (!found) return false;
    record->line = rows_.line();
    if (fields_.size() != header_.size()) {
      return RowError(
          *source_, record->line,
          absl::StrFormat("%d fields, but the header has %d", fields_.size(), header_.size()));
    }
    std::swap(record->key, fields_[key_column_]);
    KEEL_RETURN_IF_ERROR(CheckKeyBytes(*source_, record->line, record->key.size()));
    record->value.clear();
    if (!options_.keys_only) KEEL_RETURN_IF_ERROR(MakeValue(record));
    KEEL_RETURN_IF_ERROR(CheckValueBytes(*source_, record->line, record->value.size()));
    return true;
  }

 private:
  absl::Status CheckNamesDiffer() {
    std::vector<std::string> names = header_;
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return absl::OkStatus();
    return RowError(*source_, rows_.line(),
                    absl::StrFormat("the header names column '%s' twice", Printable(*twice)));
  }

  absl::Status FindKeyColumn() {
    const bool chosen = !options_.key_column.empty();
    const std::string& name = chosen ? options_.key_column : "key";
    const auto found = std::find(header_.begin(), header_.end(), name);
    if (found != header_.end()) {
      key_column_ = static_cast<size_t>(found - header_.begin());
    } else if (chosen) {
      return RowError(
          *source_, rows_.line(),
          absl::StrFormat("the header has no column '%s' for the key", Printable(name)));
    }
    return absl::OkStatus();
  }

  absl::Status MakeValue(Record* record) {
    if (header_.size() == 2) {
      std::swap(record->value, fields_[1 - key_column_]);
      return absl::OkStatus();
    }
    char separator = '{';
    for (size_t i = 0; i < header_.size(); ++i) {
      if (i == key_column_) continue;
      record->value += separator;
      separator = ',';
      if (!IsUtf8(header_[i]) || !IsUtf8(fields_[i])) {
        return RowError(*source_, record->line,
                        absl::StrFormat("column '%s' is not UTF-8", Printable(header_[i])));
      }
      AppendJsonString(header_[i], &record->value);
      record->value += ':';
      AppendJsonString(fields_[i], &record->value);
    }
    record->value += '}';
    return absl::OkStatus();
  }

  const RecordReaderOptions options_;
  ByteSource* const source_;
  CsvRows rows_;
  std::vector<std::string> header_;
  std::vector<std::string> fields_;
  size_t key_column_ = 0;
};

class CsvWriter : public RecordWriter {
 public:
  void Begin(std::string* out) override { *out += "key,value\n"; }

  void Append(std::string_view key, std::string_view value, std::string* out) override {
    AppendCsvField(key, out);
    *out += ',';
    AppendCsvField(value, out);
    *out += '\n';
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<RecordReader>> NewCsvReader(const RecordReaderOptions& options,
                                                           ByteSource* source) {
  auto reader = std::make_unique<CsvReader>(options, source);
  KEEL_RETURN_IF_ERROR(reader->Begin());
  return reader;
}

std::unique_ptr<RecordWriter> NewCsvWriter() { return std::make_unique<CsvWriter>(); }

}  // namespace keel::cli
