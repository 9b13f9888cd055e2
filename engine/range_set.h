// A set of keys, kept as the ranges that it is made of.
//
// What a serializable transaction has looked at, and what an optimistic one has deleted by ranges.

#ifndef KEEL_ENGINE_RANGE_SET_H_
#define KEEL_ENGINE_RANGE_SET_H_

#include <absl/container/btree_map.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "btree/tree.h"

namespace keel::engine {

// Invariants:
//   S1  Ranges are not empty, do not overlap, and do not touch.
class RangeSet {
 public:
  // Joins what overlaps or touches it. An empty range adds nothing.
  void Add(const btree::Range& range);
  void AddKey(std::string_view key);
  void Clear();

  bool Contains(std::string_view key) const;
  // The range that holds `key`, if one does; views are good until the set changes.
  std::optional<btree::Range> Find(std::string_view key) const;
  bool empty() const { return ranges_.empty(); }
  size_t size() const { return ranges_.size(); }
  // What the set takes, about.
  size_t memory_bytes() const { return bytes_; }

  // In ascending order; a status that is not OK ends it and is returned.
  absl::Status ForEach(absl::FunctionRef<absl::Status(const btree::Range&)> visit) const;

 private:
  using End = std::optional<std::string>;  // none: unbounded
  using Ranges = absl::btree_map<std::string, End, std::less<>>;

  // The range that begins at or before `key`, or end().
  Ranges::const_iterator AtOrBefore(std::string_view key) const;
  static size_t Bytes(const std::string& begin, const End& end);

  Ranges ranges_;  // by begin
  size_t bytes_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_RANGE_SET_H_
