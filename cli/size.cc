#include "cli/size.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/status.h"

namespace keel::cli {
namespace {

constexpr std::string_view kUnits = "KMGTPE";

// Factor of "", "B", "K", "KiB" or "KB"; 0 for anything else.
double FactorOf(std::string_view unit) {
  if (unit.empty() || unit == "B") return 1;
  const char letter = absl::ascii_toupper(static_cast<unsigned char>(unit[0]));
  const size_t power = kUnits.find(letter);
  if (power == std::string_view::npos) return 0;
  const std::string_view rest = unit.substr(1);
  if (rest.empty() || rest == "iB") return std::pow(1024.0, static_cast<double>(power + 1));
  if (rest == "B") return std::pow(1000.0, static_cast<double>(power + 1));
  return 0;
}

}  // namespace

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  const std::string_view number = text.substr(0, text.find_first_not_of("0123456789."));
  std::string_view unit = text.substr(number.size());
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const double factor = FactorOf(unit);
  uint64_t whole = 0;
  const char* const end = number.data() + number.size();
  const std::from_chars_result exact = std::from_chars(number.data(), end, whole);
  if (factor == 1 && exact.ec == std::errc() && exact.ptr == end) return whole;

  double value = 0;
  const std::from_chars_result result = std::from_chars(number.data(), end, value);
  const double bytes = value * factor;
  if (factor <= 1 || result.ec != std::errc() || result.ptr != end || bytes >= 0x1p64) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "'%s' is not a size: write bytes, or a number with K, M, G, KiB, MiB or GiB",
                      Printable(text));
  }
  return static_cast<uint64_t>(bytes);
}

std::string FormatSize(uint64_t bytes) {
  if (bytes < 1024) return absl::StrFormat("%d B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (value /= 1024; value >= 1023.95 && unit + 1 < kUnits.size(); value /= 1024) ++unit;
  return absl::StrFormat("%.1f %ciB", value, kUnits[unit]);
}

std::string FormatCount(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string FormatAmount(uint64_t count, std::string_view thing) {
  return absl::StrFormat("%s %s%s", FormatCount(count), thing, count == 1 ? "" : "s");
}

std::string FormatClock(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  const int64_t minutes = seconds / 60;
  if (minutes < 60) return absl::StrFormat("%d:%02d", minutes, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", minutes / 60, minutes % 60, seconds % 60);
}

}  // namespace keel::cli
