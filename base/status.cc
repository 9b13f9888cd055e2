#include "base/status.h"

#include <absl/strings/cord.h>

namespace keel {

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status result(status.code(), absl::StrFormat("%s: %s", context, MessageOf(status)));
  status.ForEachPayload([&result](absl::string_view type, const absl::Cord& payload) {
    result.SetPayload(type, payload);
  });
  return result;
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
