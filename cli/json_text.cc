#include "cli/json_text.h"

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/text.h"

namespace keel::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Returns where the string that begins at `begin` ends, behind its closing quote.
size_t EndOfString(std::string_view json, size_t begin) {
  size_t at = begin + 1;
  while (json[at] != '"') at += json[at] == '\\' ? 2U : 1U;
  return at + 1;
}

// Returns where the value that begins at `begin` ends.
size_t EndOfValue(std::string_view json, size_t begin) {
  size_t depth = 0;
  size_t at = begin;
  while (true) {
    const char character = json[at];
    if (character == '"') {
      at = EndOfString(json, at);
      if (depth == 0) return at;
      continue;
    }
    const bool closes = character == '}' || character == ']';
    if (depth == 0 && (closes || character == ',' || kBlanks.find(character) != kBlanks.npos)) {
      return at;  // behind a number or word
    }
    depth += character == '{' || character == '[' ? 1 : 0;
    depth -= closes ? 1 : 0;
    ++at;
    if (closes && depth == 0) return at;
  }
}

std::string DecodeString(std::string_view token) {
  return nlohmann::json::parse(token).get<std::string>();
}

// What nlohmann says is wrong, without its prefixes.
std::string WhatIsWrong(std::string_view json) {
  try {
    const nlohmann::json valid = nlohmann::json::parse(json);
    return valid.type_name();
  } catch (const nlohmann::json::exception& error) {
    const std::string_view what = error.what();
    const size_t prefix = what.find("column ");
    return std::string(prefix == what.npos ? what : what.substr(prefix));
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  *out += '"';
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      *out += '\\';
      *out += byte;
    } else if (byte == '\n') {
      *out += "\\n";
    } else if (byte == '\t') {
      *out += "\\t";
    } else if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) {
      *out += absl::StrFormat("\\u%04x", static_cast<unsigned char>(byte));
    } else {
      *out += byte;
    }
  }
  *out += '"';
}

void AppendJsonMember(std::string_view name, std::string_view bytes, std::string* out) {
  const size_t begin = out->size();
  if (IsUtf8(bytes)) {
    *out += absl::StrFormat("\"%s\":", name);
    AppendJsonString(bytes, out);
    if (out->size() - begin <= 2 * bytes.size() + name.size() + 16) return;
    out->resize(begin);
  }
  *out += absl::StrFormat("\"%s_hex\":\"", name);
  AppendText(bytes, TextForm::kHex, out);
  *out += '"';
}

void AppendJsonRecord(std::string_view key, std::string_view value, std::string* out) {
  *out += '{';
  AppendJsonMember("key", key, out);
  *out += ',';
  AppendJsonMember("value", value, out);
  *out += '}';
}

std::string JsonMember::String() const { return DecodeString(value); }

absl::StatusOr<std::vector<JsonMember>> ParseJsonObject(std::string_view text) {
  if (!nlohmann::json::accept(text)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "malformed JSON: %s", WhatIsWrong(text));
  }
  size_t at = text.find_first_not_of(kBlanks);
  if (text[at] != '{') return absl::InvalidArgumentError("not a JSON object");
  std::vector<JsonMember> members;
  at = text.find_first_not_of(kBlanks, at + 1);
  while (text[at] != '}') {
    if (text[at] == ',') at = text.find_first_not_of(kBlanks, at + 1);
    const size_t name_end = EndOfString(text, at);
    JsonMember& member = members.emplace_back();
    member.name = DecodeString(text.substr(at, name_end - at));
    at = text.find_first_not_of(kBlanks, text.find(':', name_end) + 1);
    const size_t end = EndOfValue(text, at);
    member.value = text.substr(at, end - at);
    at = text.find_first_not_of(kBlanks, end);
  }
  return members;
}

std::string CompactJson(std::string_view json) {
  std::string compact;
  compact.reserve(json.size());
  for (size_t at = 0; at < json.size();) {
    if (json[at] == '"') {
      const size_t end = EndOfString(json, at);
      compact.append(json.substr(at, end - at));
      at = end;
    } else {
      if (kBlanks.find(json[at]) == kBlanks.npos) compact += json[at];
      ++at;
    }
  }
  return compact;
}

}  // namespace keel::cli
