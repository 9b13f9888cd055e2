// What an optimistic transaction has changed and nobody else sees yet.
//
// The last word on each key, in order, beside the ranges that were deleted: what is put into a deleted range
// later is there, what was put before is not.

#ifndef KEEL_ENGINE_WRITE_SET_H_
#define KEEL_ENGINE_WRITE_SET_H_

#include <absl/container/btree_map.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"
#include "btree/tree.h"
#include "engine/range_set.h"
#include "recovery/operations.h"

namespace keel::engine {

// Used by one thread at a time. Views into it are good until the next change.
class WriteSet {
 public:
  // None: the key was deleted.
  using Value = std::optional<std::string>;
  using Values = absl::btree_map<std::string, Value, std::less<>>;

  struct KeyspaceWrites {
    Values values;
    RangeSet deleted;
  };

  void Put(KeyspaceId keyspace, std::string_view key, std::string_view value);
  void Delete(KeyspaceId keyspace, std::string_view key);
  // An empty range changes nothing.
  void DeleteRange(KeyspaceId keyspace, const btree::Range& range);

  // What that takes, where there are marks, for the way back of each key that the set holds there, beside what it took for
  // the key.
  size_t BytesOfWayBack(KeyspaceId keyspace, const btree::Range& range) const;

  // Whether the key's fate was decided here; `*value` is then what it holds, none if it is gone.
  bool Find(KeyspaceId keyspace, std::string_view key,
            std::optional<std::string_view>* value) const;
  // Null: nothing was changed there.
  const KeyspaceWrites* Of(KeyspaceId keyspace) const;
  // In ascending order of keyspaces; a status that is not OK ends it and is returned.
  absl::Status ForEachKeyspace(
      absl::FunctionRef<absl::Status(KeyspaceId keyspace, const KeyspaceWrites& writes)> visit)
      const;
  // Operations with the same outcome: the ranges of a keyspace before its keys.
  absl::Status ForEachOperation(
      absl::FunctionRef<absl::Status(const recovery::Operation& operation)> visit) const;

  // Raised by every change, rollbacks among them.
  uint64_t changes() const { return changes_; }
  bool empty() const { return keyspaces_.empty(); }
  // What the set takes, about, the way back to its marks included.
  size_t memory_bytes() const { return bytes_; }

  // A place to return to; stays good until a rollback to an earlier one.
  size_t SetMark();
  void RollbackTo(size_t mark);

 private:
  // How to take one change back: the value before, or what became of the deleted ranges.
  struct Undo {
    KeyspaceId keyspace;
    std::string key;
    std::optional<Value> value;  // none: the set had no word on the key
    std::optional<RangeSet::Addition> deleted;

    size_t bytes() const;
  };

  void SetValue(KeyspaceId keyspace, std::string_view key, Value value);
  void Remember(Undo undo);
  void TakeBack(Undo undo);
  static size_t Bytes(std::string_view key, const Value& value);

  absl::btree_map<uint32_t, KeyspaceWrites> keyspaces_;
  std::vector<Undo> undo_;
  bool has_marks_ = false;
  uint64_t changes_ = 0;
  size_t bytes_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_WRITE_SET_H_
