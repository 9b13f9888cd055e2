#include "torture/commit_number.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <string_view>

#include "base/status.h"

namespace keel::torture {
namespace {

constexpr size_t kDigits = 8;  // of the number behind kLoadedKey

// From what is under kNumberKey and the name of the last row of a bulk load; each is empty if it is not there.
std::optional<uint64_t> Parse(std::string_view number, std::string_view last_loaded) {
  uint64_t written = 0;
  uint64_t loaded = 0;
  if (!number.empty() && !absl::SimpleAtoi(ToAbsl(number), &written)) return std::nullopt;
  if (!last_loaded.empty()) {
    const std::string_view digits = last_loaded.substr(sizeof(kLoadedKey) - 1, kDigits);
    if (!absl::SimpleAtoi(ToAbsl(digits), &loaded)) return std::nullopt;
  }
  return std::max(written, loaded);
}

}  // namespace

std::string LoadedRow(uint64_t number, uint64_t row) {
  return absl::StrFormat("%s%0*d/%03d", kLoadedKey, kDigits, number, row);
}

std::string LastLoaded(const State& state) {
  auto at = state.entries().lower_bound(State::Place(kDefaultSpace, std::string(kLoadedKey) + "~"));
  if (at == state.entries().begin()) return {};
  --at;
  return at->first.second.starts_with(kLoadedKey) ? at->first.second : std::string();
}

std::optional<uint64_t> CommitsIn(const State& state) {
  const std::string* number = state.Find(kDefaultSpace, kNumberKey);
  return Parse(number == nullptr ? std::string() : *number, LastLoaded(state));
}

uint64_t CommitsIn(const Database& database) {
  std::string number;
  std::string last_loaded;
  if (const auto found = database.Get(kNumberKey); found.ok()) number = found->ToString();
  Cursor cursor = database.NewCursor(KeyRange::Prefix(kLoadedKey));
  cursor.SeekToLast();
  if (cursor.Valid()) last_loaded = cursor.key();
  return cursor.status().ok() ? Parse(number, last_loaded).value_or(0) : 0;
}

}  // namespace keel::torture
