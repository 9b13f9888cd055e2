// Keys and values as text, so that any bytes can be typed, shown and put on a line.
//
// Printable characters (UTF-8) stand for themselves; a tab is \t, a line feed \n, a carriage return
// \r, a backslash \\, and any other byte \xNN. In hexadecimal form every byte is two digits.
//
//   FromText("a\\x00b", TextForm::kEscaped)  is the three bytes a, zero, b
//   ToText(bytes, form) gives back what FromText(..., form) takes, for all bytes

#ifndef KEEL_CLI_TEXT_H_
#define KEEL_CLI_TEXT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace keel::cli {

enum class TextForm { kEscaped, kHex };

void AppendText(std::string_view bytes, TextForm form, std::string* out);
std::string ToText(std::string_view bytes, TextForm form = TextForm::kEscaped);

// InvalidArgument, with what is wrong and how to write it, for an unknown or cut-off escape and for
// what is no hexadecimal. Characters that need no escape may also stand for themselves.
absl::StatusOr<std::string> FromText(std::string_view text, TextForm form = TextForm::kEscaped);

// The value of a hexadecimal digit, -1 for any other character.
int HexDigit(int character);

// Length of the printable UTF-8 character (no control character, nothing overlong, no surrogate)
// that `text` begins with; 0 if it begins with none.
size_t PrintableCharacter(std::string_view text);

bool IsUtf8(std::string_view bytes);

}  // namespace keel::cli

#endif  // KEEL_CLI_TEXT_H_
