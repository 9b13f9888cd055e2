#include "torture/state.h"

#include <span>

#include "base/checksum.h"
#include "fault_injection/mix.h"

namespace keel::torture {
namespace {

uint64_t HashOfText(std::string_view text, uint64_t seed) {
  return Checksum(std::as_bytes(std::span(text.data(), text.size())), seed);
}

// The sum of these over all entries is the hash.
uint64_t Share(int space, std::string_view key, std::string_view value) {
  const uint64_t place = HashOfText(key, static_cast<uint64_t>(space));
  return fault_injection::Mix(HashOfText(value, place));
}

}  // namespace

void State::Put(int space, std::string_view key, std::string_view value) {
  Delete(space, key);
  entries_.emplace(Place(space, key), value);
  hash_ += Share(space, key, value);
}

void State::Delete(int space, std::string_view key) {
  const auto found = entries_.find(Place(space, key));
  if (found == entries_.end()) return;
  hash_ -= Share(space, key, found->second);
  entries_.erase(found);
}

void State::DeleteRange(int space, std::string_view begin, std::string_view end) {
  auto at = entries_.lower_bound(Place(space, begin));
  while (at != entries_.end() && at->first.first == space && at->first.second < end) {
    hash_ -= Share(space, at->first.second, at->second);
    at = entries_.erase(at);
  }
}

const std::string* State::Find(int space, std::string_view key) const {
  const auto found = entries_.find(Place(space, key));
  return found == entries_.end() ? nullptr : &found->second;
}

uint64_t State::Count(int space) const {
  const auto begin = entries_.lower_bound(Place(space, ""));
  const auto end = entries_.lower_bound(Place(space + 1, ""));
  return static_cast<uint64_t>(std::distance(begin, end));
}

}  // namespace keel::torture
