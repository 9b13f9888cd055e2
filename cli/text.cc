#include "cli/text.h"

#include <cstdint>

#include "base/status.h"

namespace keel::cli {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

void AppendHexByte(char byte, std::string* out) {
  const auto value = static_cast<unsigned char>(byte);
  *out += kHexDigits[value >> 4];
  *out += kHexDigits[value & 15];
}

bool IsPlain(char character) { return character >= 0x20 && character < 0x7f && character != '\\'; }

// Length of the well-formed UTF-8 character at the front and its code point; 0 if there is none.
size_t DecodeUtf8(std::string_view text, uint32_t* code_point) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  *code_point = first;
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  uint32_t value = first & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80U) return 0;
    value = value << 6 | (next & 0x3fU);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || surrogate) return 0;
  *code_point = value;
  return length;
}

void AppendEscape(char byte, std::string* out) {
  switch (byte) {
    case '\t':
      *out += "\\t";
      break;
    case '\n':
      *out += "\\n";
      break;
    case '\r':
      *out += "\\r";
      break;
    case '\\':
      *out += "\\\\";
      break;
    default:
      *out += "\\x";
      AppendHexByte(byte, out);
  }
}

void AppendEscaped(std::string_view bytes, std::string* out) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t begin = at;
    while (at < bytes.size() && IsPlain(bytes[at])) ++at;
    out->append(bytes.substr(begin, at - begin));
    if (at == bytes.size()) return;
    const size_t length = bytes[at] == '\\' ? 0 : PrintableCharacter(bytes.substr(at));
    if (length > 0) {
      out->append(bytes.substr(at, length));
      at += length;
    } else {
      AppendEscape(bytes[at++], out);
    }
  }
}

absl::StatusOr<std::string> FromHex(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t at = 0; at < text.size(); at += 2) {
    const int high = HexDigit(text[at]);
    const int low = at + 1 < text.size() ? HexDigit(text[at + 1]) : -1;
    if (high < 0 || low < 0) {
      return MakeStatus(absl::StatusCode::kInvalidArgument,
                        "'%s' is not hexadecimal: two digits a byte, like 6b6579", Printable(text));
    }
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

// Takes the escape whose backslash was just passed.
absl::Status TakeEscape(std::string_view text, size_t* at, std::string* bytes) {
  const char kind = *at < text.size() ? text[*at] : '\0';
  constexpr std::string_view kNames = "tnr\\";
  constexpr std::string_view kMeanings = "\t\n\r\\";
  if (const size_t name = kNames.find(kind); kind != '\0' && name != std::string_view::npos) {
    *bytes += kMeanings[name];
    ++*at;
    return absl::OkStatus();
  }
  const int high = kind == 'x' && *at + 1 < text.size() ? HexDigit(text[*at + 1]) : -1;
  const int low = high >= 0 && *at + 2 < text.size() ? HexDigit(text[*at + 2]) : -1;
  if (low < 0) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "unknown escape '%s': write \\\\ for a backslash, \\xNN for a byte",
                      text.substr(*at - 1, kind == 'x' ? 4 : 2));
  }
  *bytes += static_cast<char>(high << 4 | low);
  *at += 3;
  return absl::OkStatus();
}

absl::StatusOr<std::string> FromEscaped(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] != '\\') {
      bytes += text[at++];
      continue;
    }
    ++at;
    KEEL_RETURN_IF_ERROR(TakeEscape(text, &at, &bytes));
  }
  return bytes;
}

}  // namespace

int HexDigit(int character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

size_t PrintableCharacter(std::string_view text) {
  uint32_t code_point = 0;
  const size_t length = DecodeUtf8(text, &code_point);
  const bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
  return control ? 0 : length;
}

bool IsUtf8(std::string_view bytes) {
  uint32_t code_point = 0;
  while (!bytes.empty()) {
    const size_t length = DecodeUtf8(bytes, &code_point);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

void AppendText(std::string_view bytes, TextForm form, std::string* out) {
  if (form == TextForm::kEscaped) return AppendEscaped(bytes, out);
  for (const char byte : bytes) AppendHexByte(byte, out);
}

std::string ToText(std::string_view bytes, TextForm form) {
  std::string text;
  AppendText(bytes, form, &text);
  return text;
}

absl::StatusOr<std::string> FromText(std::string_view text, TextForm form) {
  return form == TextForm::kHex ? FromHex(text) : FromEscaped(text);
}

}  // namespace keel::cli
