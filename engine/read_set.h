// What a serializable optimistic transaction has looked at: at commit it must still be as it was.

#ifndef KEEL_ENGINE_READ_SET_H_
#define KEEL_ENGINE_READ_SET_H_

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/types.h"
#include "btree/tree.h"
#include "engine/range_set.h"

namespace keel::engine {

// Used by one thread at a time. A range that was scanned stands for the keys found in it and for those that
// were not (phantoms). Of one that was counted only the number matters; these are kept apart, for a key that
// moves from one to the other changes both and not their sum.
class ReadSet {
 public:
  using CountedRange = std::pair<std::string, std::optional<std::string>>;  // begin, end

  struct KeyspaceReads {
    RangeSet seen;
    absl::btree_set<CountedRange> counted;
  };

  // That the keyspace is there, or is not.
  void AddKeyspace(KeyspaceId keyspace);
  void AddKey(KeyspaceId keyspace, std::string_view key);
  void AddRange(KeyspaceId keyspace, const btree::Range& range);
  void AddCount(KeyspaceId keyspace, const btree::Range& range);

  // Takes less memory and holds for more than was read; false if it is as coarse as can be.
  bool Coarsen();

  const absl::btree_map<uint32_t, KeyspaceReads>& keyspaces() const { return keyspaces_; }
  // What the set takes, about.
  size_t memory_bytes() const { return bytes_; }

 private:
  // Of the keyspace, which is now among those that were used.
  KeyspaceReads& Of(KeyspaceId keyspace);

  absl::btree_map<uint32_t, KeyspaceReads> keyspaces_;
  size_t bytes_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_READ_SET_H_
