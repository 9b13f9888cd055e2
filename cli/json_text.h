// JSON as text: strings written, and objects taken apart without changing a digit of theirs.

#ifndef KEEL_CLI_JSON_TEXT_H_
#define KEEL_CLI_JSON_TEXT_H_

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

namespace keel::cli {

// A quoted JSON string. REQUIRES: IsUtf8(text).
void AppendJsonString(std::string_view text, std::string* out);

// Bytes as a member of a JSON object: "name":"text", or "name_hex":"6b6579" where they are no UTF-8
// or the text would be longer.
void AppendJsonMember(std::string_view name, std::string_view bytes, std::string* out);

// {"key":...,"value":...}
void AppendJsonRecord(std::string_view key, std::string_view value, std::string* out);

struct JsonMember {
  std::string name;
  std::string_view value;  // as it stands there

  bool IsString() const { return value.starts_with('"'); }
  bool IsNumber() const { return value.find_first_of("-0123456789") == 0; }
  // REQUIRES: IsString().
  std::string String() const;
};

// The members of an object, in order. InvalidArgument for what is no JSON object. Views into
// `text`.
absl::StatusOr<std::vector<JsonMember>> ParseJsonObject(std::string_view text);

// Without the blanks between tokens. REQUIRES: valid JSON.
std::string CompactJson(std::string_view json);

}  // namespace keel::cli

#endif  // KEEL_CLI_JSON_TEXT_H_
