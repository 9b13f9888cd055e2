#include "engine/range_set.h"

#include <functional>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel::engine {

namespace {

// A map's entry beside its bytes, about.
constexpr size_t kOverheadBytes = 80;

btree::Range ToRange(const std::string& begin, const std::optional<std::string>& end) {
  btree::Range range{.begin = begin, .end = {}};
  if (end) range.end = *end;
  return range;
}

}  // namespace

size_t RangeSet::Bytes(const std::string& begin, const End& end) {
  return begin.size() + (end ? end->size() : 0) + kOverheadBytes;
}

RangeSet::Ranges::const_iterator RangeSet::AtOrBefore(std::string_view key) const {
  auto after = ranges_.upper_bound(key);
  return after == ranges_.begin() ? ranges_.end() : std::prev(after);
}

size_t RangeSet::Addition::memory_bytes() const {
  size_t bytes = begin.size() + kOverheadBytes;
  for (const auto& [first, end] : joined) bytes += Bytes(first, end);
  return bytes;
}

std::optional<RangeSet::Addition> RangeSet::Add(const btree::Range& range) {
  if (range.end && *range.end <= range.begin) return std::nullopt;
  std::string begin(range.begin);
  End end;
  if (range.end) end.emplace(*range.end);

  // The one before may reach into it, or hold all of it.
  auto at = AtOrBefore(range.begin);
  if (at != ranges_.end() && (!at->second || *at->second >= range.begin)) {
    if (!at->second || (end && *at->second >= *end)) return std::nullopt;
    begin = at->first;
  } else {
    at = ranges_.lower_bound(range.begin);
  }
  // Those that begin within it, or where it ends, become part of it.
  Addition addition;
  while (at != ranges_.end() && (!end || at->first <= *end)) {
    if (!at->second || (end && *at->second > *end)) end = at->second;
    bytes_ -= Bytes(at->first, at->second);
    addition.joined.emplace_back(at->first, at->second);
    at = ranges_.erase(at);
  }
  bytes_ += Bytes(begin, end);
  addition.begin = begin;
  ranges_.emplace(std::move(begin), std::move(end));
  return addition;
}

void RangeSet::TakeBack(const Addition& addition) {
  const auto at = ranges_.find(addition.begin);
  KEEL_DCHECK(at != ranges_.end());
  bytes_ -= Bytes(at->first, at->second);
  ranges_.erase(at);
  for (const auto& [begin, end] : addition.joined) {
    bytes_ += Bytes(begin, end);
    ranges_.emplace(begin, end);
  }
}

void RangeSet::Coarsen() {
  for (auto at = ranges_.begin(); at != ranges_.end(); ++at) {
    const auto next = std::next(at);
    if (next == ranges_.end()) return;
    bytes_ -= Bytes(at->first, at->second) + Bytes(next->first, next->second);
    at->second = next->second;
    bytes_ += Bytes(at->first, at->second);
    // Erasing moves what follows, in a tree of arrays: found again by its key.
    const std::string begin = at->first;
    ranges_.erase(next);
    at = ranges_.find(begin);
  }
}

void RangeSet::AddKey(std::string_view key) {
  // The least key behind it.
  const std::string end = std::string(key) + '\0';
  Add({.begin = key, .end = end});
}

bool RangeSet::Contains(std::string_view key) const { return Find(key).has_value(); }

std::optional<btree::Range> RangeSet::Find(std::string_view key) const {
  const auto at = AtOrBefore(key);
  if (at == ranges_.end() || (at->second && key >= *at->second)) return std::nullopt;
  return ToRange(at->first, at->second);
}

absl::Status RangeSet::ForEach(absl::FunctionRef<absl::Status(const btree::Range&)> visit) const {
  for (const auto& [begin, end] : ranges_) KEEL_RETURN_IF_ERROR(visit(ToRange(begin, end)));
  return absl::OkStatus();
}

}  // namespace keel::engine
