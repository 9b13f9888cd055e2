#include "base/status.h"

namespace keel {

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrFormat("%s: %s", context, MessageOf(status)));
}

std::string Printable(std::string_view bytes, size_t max_bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size() && i < max_bytes; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte == '\\') {
      text += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7f) {
      text += static_cast<char>(byte);
    } else {
      text += absl::StrFormat("\\x%02x", byte);
    }
  }
  if (bytes.size() > max_bytes) text += absl::StrFormat("... (%d bytes)", bytes.size());
  return text;
}

}  // namespace keel
