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
#include <utility>
#include <vector>

#include "btree/tree.h"

namespace keel::engine {

// Invariants:
//   S1  Ranges are not empty, do not overlap, and do not touch.
class RangeSet {
 public:
  using End = std::optional<std::string>;  // none: unbounded

  // What an addition did, for the way back.
  struct Addition {
    std::string begin;                                // of the range that came to be
    std::vector<std::pair<std::string, End>> joined;  // those that became part of it
    size_t memory_bytes() const;
  };

  // Joins what overlaps or touches it. None: it held all of that before.
  std::optional<Addition> Add(const btree::Range& range);
  void AddKey(std::string_view key);
  // The set before the addition. REQUIRES: nothing was added since that has not been taken back.
  void TakeBack(const Addition& addition);
  // Half as many ranges: each takes in the next one, and all between them.
  void Coarsen();

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
  using Ranges = absl::btree_map<std::string, End, std::less<>>;

  // The range that begins at or before `key`, or end().
  Ranges::const_iterator AtOrBefore(std::string_view key) const;
  static size_t Bytes(const std::string& begin, const End& end);

  Ranges ranges_;  // by begin
  size_t bytes_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_RANGE_SET_H_
