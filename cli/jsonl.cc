#include "cli/jsonl.h"

#include <keel/database.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cli/json_text.h"
#include "cli/row_error.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

// No line that dump writes is longer: JSON text takes at most two bytes for each.
constexpr uint64_t kMaxLineBytes = 2 * (kMaxValueBytes + kMaxKeyBytes) + 4096;

using Members = std::vector<JsonMember>;

const JsonMember* Find(const Members& members, std::string_view name) {
  for (const JsonMember& member : members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

class JsonlReader : public RecordReader {
 public:
  JsonlReader(const RecordReaderOptions& options, ByteSource* source)
      : options_(options), source_(source) {
    source_->SkipByteOrderMark();
  }

  absl::StatusOr<bool> Next(Record* record) override {
    const absl::StatusOr<bool> found = ReadLine();
    KEEL_RETURN_IF_ERROR(source_->status());  // a line that it cut off is not malformed
    if (!found.ok() || !*found) return found;
    record->line = line_;
    record->key.clear();
    record->value.clear();
    KEEL_RETURN_IF_ERROR(TakeObject(record));
    KEEL_RETURN_IF_ERROR(CheckKeyBytes(*source_, line_, record->key.size()));
    KEEL_RETURN_IF_ERROR(CheckValueBytes(*source_, line_, record->value.size()));
    return true;
  }

 private:
  // Reads the next line that is not blank.
  absl::StatusOr<bool> ReadLine() {
    do {
      line_ = source_->line();
      text_.clear();
      int byte = source_->Get();
      if (byte == ByteSource::kEnd) return false;
      for (; byte != '\n' && byte != ByteSource::kEnd; byte = source_->Get()) {
        text_ += static_cast<char>(byte);
        if (text_.size() > kMaxLineBytes) {
          return Error(absl::StrFormat("the line is longer than %s", FormatSize(kMaxLineBytes)));
        }
      }
    } while (text_.find_first_not_of(" \t\r") == std::string::npos);
    return true;
  }

  absl::Status Error(std::string_view what) const { return RowError(*source_, line_, what); }

  absl::Status TakeObject(Record* record) {
    const absl::StatusOr<Members> members = ParseJsonObject(text_);
    if (!members.ok()) return Error(MessageOf(members.status()));
    if (options_.key_column.empty()) {
      KEEL_ASSIGN_OR_RETURN(const bool is_pair, TakePair(*members, record));
      if (is_pair) return absl::OkStatus();
    }
    KEEL_RETURN_IF_ERROR(TakeKeyMember(*members, &record->key));
    if (!options_.keys_only) record->value = CompactJson(text_);
    return absl::OkStatus();
  }

  // Takes an object of just a key and a value, as dump writes them (or, with keys_only, of a key).
  absl::StatusOr<bool> TakePair(const Members& members, Record* record) {
    const JsonMember* const key = FindBytes(members, "key");
    const JsonMember* const value = FindBytes(members, "value");
    if (key == nullptr || !key->IsString()) return false;
    if (options_.keys_only) {
      KEEL_ASSIGN_OR_RETURN(record->key, Bytes(*key));
      return true;
    }
    if (value == nullptr || members.size() != 2) return false;
    KEEL_ASSIGN_OR_RETURN(record->key, Bytes(*key));
    KEEL_ASSIGN_OR_RETURN(record->value, Bytes(*value));
    return true;
  }

  static const JsonMember* FindBytes(const Members& members, std::string_view name) {
    const JsonMember* const member = Find(members, name);
    return member != nullptr ? member : Find(members, absl::StrFormat("%s_hex", name));
  }

  // The bytes that a member of a pair stands for.
  absl::StatusOr<std::string> Bytes(const JsonMember& member) const {
    if (!member.IsString()) return CompactJson(member.value);
    if (!std::string_view(member.name).ends_with("_hex")) return member.String();
    absl::StatusOr<std::string> bytes = FromText(member.String(), TextForm::kHex);
    if (!bytes.ok()) return Error(MessageOf(bytes.status()));
    return bytes;
  }

  absl::Status TakeKeyMember(const Members& members, std::string* key) const {
    const std::string& name = options_.key_column.empty() ? "key" : options_.key_column;
    const JsonMember* found = nullptr;
    for (const JsonMember& member : members) {
      if (member.name != name) continue;
      if (found != nullptr) return Error(absl::StrFormat("'%s' stands there twice", name));
      found = &member;
    }
    if (found == nullptr) return Error(absl::StrFormat("there is no '%s' for the key", name));
    if (found->IsString()) {
      *key = found->String();
    } else if (found->IsNumber()) {
      *key = found->value;
    } else {
      return Error(absl::StrFormat("'%s' is neither a string nor a number", name));
    }
    return absl::OkStatus();
  }

  const RecordReaderOptions options_;
  ByteSource* const source_;
  std::string text_;
  uint64_t line_ = 0;
};

class JsonlWriter : public RecordWriter {
 public:
  void Append(std::string_view key, std::string_view value, std::string* out) override {
    AppendJsonRecord(key, value, out);
    *out += '\n';
  }
};

}  // namespace

std::unique_ptr<RecordReader> NewJsonlReader(const RecordReaderOptions& options,
                                             ByteSource* source) {
  return std::make_unique<JsonlReader>(options, source);
}

std::unique_ptr<RecordWriter> NewJsonlWriter() { return std::make_unique<JsonlWriter>(); }

}  // namespace keel::cli
