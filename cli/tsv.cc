#include "cli/tsv.h"

#include <keel/database.h>

#include "base/status.h"
#include "cli/row_error.h"

namespace keel::cli {
namespace {

class TsvReader : public RecordReader {
 public:
  TsvReader(const RecordReaderOptions& options, ByteSource* source)
      : options_(options), source_(source) {}

  absl::StatusOr<bool> Next(Record* record) override {
    record->key.clear();
    record->value.clear();
    record->line = source_->line();
    if (source_->Peek() == ByteSource::kEnd) {
      KEEL_RETURN_IF_ERROR(source_->status());
      return false;
    }
    const absl::Status row = ReadRow(record);
    KEEL_RETURN_IF_ERROR(source_->status());  // a row that it cut off is not malformed
    KEEL_RETURN_IF_ERROR(row);
    return true;
  }

 private:
  // What ended a field.
  enum class Stop { kTab, kLine };

  absl::Status ReadRow(Record* record) {
    line_ = record->line;
    KEEL_ASSIGN_OR_RETURN(const Stop stop, ReadField(&record->key, kMaxKeyBytes, true));
    KEEL_RETURN_IF_ERROR(CheckKeyBytes(*source_, line_, record->key.size()));
    if (stop == Stop::kLine) {
      if (options_.keys_only) return absl::OkStatus();
      return RowError(*source_, line_, "there is no tab between a key and a value");
    }
    KEEL_RETURN_IF_ERROR(ReadField(&record->value, kMaxValueBytes, false).status());
    KEEL_RETURN_IF_ERROR(CheckValueBytes(*source_, line_, record->value.size()));
    if (options_.keys_only) record->value.clear();
    return absl::OkStatus();
  }

  // Reads to the end of the line or, with `to_tab`, to a tab; stops early beyond `max_bytes`.
  absl::StatusOr<Stop> ReadField(std::string* field, uint64_t max_bytes, bool to_tab) {
    while (field->size() <= max_bytes) {
      const int byte = source_->Get();
      if (byte == ByteSource::kEnd || byte == '\n') return Stop::kLine;
      if (byte == '\t' && to_tab) return Stop::kTab;
      if (byte == '\r' && AtLineEnd()) continue;
      KEEL_RETURN_IF_ERROR(Append(byte, field));
    }
    return Stop::kTab;  // too long, as the caller sees
  }

  bool AtLineEnd() { return source_->Peek() == '\n' || source_->Peek() == ByteSource::kEnd; }

  absl::Status Append(int byte, std::string* field) {
    if (options_.form == TextForm::kHex) return AppendHex(byte, field);
    if (byte == '\\') return AppendEscape(field);
    *field += static_cast<char>(byte);
    return absl::OkStatus();
  }

  absl::Status AppendHex(int first, std::string* field) {
    const int high = HexDigit(first);
    const int low = high < 0 ? -1 : HexDigit(source_->Peek());
    if (low < 0) {
      return RowError(*source_, line_, "not hexadecimal: two digits a byte, like 6b6579");
    }
    source_->Get();
    *field += static_cast<char>(high << 4 | low);
    return absl::OkStatus();
  }

  // Hands the characters of one escape to FromText, which knows what they mean.
  absl::Status AppendEscape(std::string* field) {
    std::string escape = "\\";
    const size_t length = source_->Peek() == 'x' ? 4 : 2;
    while (escape.size() < length && source_->Peek() != '\n' &&
           source_->Peek() != ByteSource::kEnd) {
      escape += static_cast<char>(source_->Get());
    }
    const absl::StatusOr<std::string> bytes = FromText(escape);
    if (!bytes.ok()) return RowError(*source_, line_, MessageOf(bytes.status()));
    *field += *bytes;
    return absl::OkStatus();
  }

  const RecordReaderOptions options_;
  ByteSource* const source_;
  uint64_t line_ = 0;
};

class TsvWriter : public RecordWriter {
 public:
  explicit TsvWriter(TextForm form) : form_(form) {}

  void Append(std::string_view key, std::string_view value, std::string* out) override {
    AppendText(key, form_, out);
    *out += '\t';
    AppendText(value, form_, out);
    *out += '\n';
  }

 private:
  const TextForm form_;
};

}  // namespace

std::unique_ptr<RecordReader> NewTsvReader(const RecordReaderOptions& options, ByteSource* source) {
  return std::make_unique<TsvReader>(options, source);
}

std::unique_ptr<RecordWriter> NewTsvWriter(TextForm form) {
  return std::make_unique<TsvWriter>(form);
}

}  // namespace keel::cli
