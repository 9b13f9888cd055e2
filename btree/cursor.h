// A position in a tree, moving both ways within bounds.
//
//   btree::Cursor cursor(&pages, keyspace, root, Range{"a", "b"});
//   for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) Use(cursor.key(), cursor.value());
//   KEEL_RETURN_IF_ERROR(cursor.status());  // it may have ended early

#ifndef KEEL_BTREE_CURSOR_H_
#define KEEL_BTREE_CURSOR_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/codec.h"
#include "btree/cursor_path.h"
#include "btree/lookup.h"
#include "btree/node_view.h"
#include "btree/tree.h"

namespace keel::btree {

// Pins its leaf. key() and value() stay good until the cursor moves. After an error valid()
// is false and status() tells; Seek* starts afresh. Used by one thread at a time. The root's version must
// be kept by its owner.
//
// K1  The place is nowhere (all zeros), or an entry of the pinned leaf, first <= position < end, where
//     [first, end) are the leaf's entries within the bounds.
// K2  A step between entries of the leaf reads the leaf, and writes the place: no page is asked for.
class Cursor {
 public:
  // Bounds are copied.
  Cursor(PageSource* pages, KeyspaceId keyspace, const TreeRoot& root, const Range& range);
  Cursor(Cursor&& other) noexcept { *this = std::move(other); }
  Cursor& operator=(Cursor&& other) noexcept;
  ~Cursor() = default;

  void SeekToFirst();
  void SeekToLast();
  // First key at or after `key`, within bounds.
  void Seek(std::string_view key);
  // Last key at or before `key`, within bounds.
  void SeekForPrev(std::string_view key);
  // REQUIRES: valid(). On an invalid cursor they do nothing (an error is never stepped over).
  void Next() {
    if (!StepForward() && valid()) SettleFrom(place_.position + 1);
  }
  void Prev() {
    if (!StepBackward() && valid()) SettleBefore(place_.position);
  }
  // The same, if the pinned leaf has the entry. False: nothing has changed; Next or Prev finds out.
  bool StepForward() {
    if (place_.position + 1 >= place_.end) return false;
    ++place_.position;
    FetchNeighbour();
    return true;
  }
  bool StepBackward() {
    if (place_.position <= place_.first) return false;
    --place_.position;
    FetchNeighbour();
    return true;
  }

  bool valid() const { return place_.position < place_.end; }
  const absl::Status& status() const { return status_; }
  // REQUIRES: valid().
  std::string_view key() const;
  ValueSlot value() const {
    KEEL_DCHECK(valid());
    return NodeView(place_.page).value(place_.position);
  }
  // The current leaf, pinned once more (for values that outlive the cursor's position).
  PageHandle PinLeaf() const;

  // Gives up the position and its pins and continues on another root.
  void Reset(KeyspaceId keyspace, const TreeRoot& root);

 private:
  struct Place {
    const std::byte* page = nullptr;
    size_t position = 0;
    size_t first = 0;
    size_t end = 0;
    // The leaf that a walk comes to next, as far as it has not been fetched into the processor's cache; and how
    // much of it each step fetches.
    const std::byte* neighbour = nullptr;
    const std::byte* neighbour_end = nullptr;
    size_t stride = 0;
  };

  void FetchNeighbour();
  void NoteNeighbour(bool forward);

  void Clear();
  bool Fail(absl::Status error);
  void EnterLeaf(bool forward);
  bool Take(size_t at);
  bool LiesInLeaf(std::string_view key) const;
  bool DescendTo(std::string_view wanted, bool forward);
  bool DescendToLast();
  bool MoveLeaf(bool forward);
  void FetchCells(size_t from) const;
  void SettleFrom(size_t at);
  void SettleBefore(size_t at);

  PageSource* pages_ = nullptr;
  TreeRoot root_;
  std::string lower_;
  std::optional<std::string> upper_;

  Place place_;
  CursorPath path_;  // to the leaf, while the place is somewhere
  absl::Status status_;
  // The current key, put together where it is asked for (also for Seek(key()), while the leaf is given up);
  // its first bytes are the leaf's prefix.
  mutable bool prefix_in_key_ = false;
  mutable std::string key_;  // as long as the longest so far
};

// Copies what is often a few bytes, without a call then.
inline void CopyShort(std::string_view from, char* to) {
  const size_t size = from.size();
  if (size > 16) {
    std::memcpy(to, from.data(), size);
  } else if (size >= 8) {
    const auto last = Load<uint64_t>(from.data() + size - 8);
    Store<uint64_t>(to, Load<uint64_t>(from.data()));
    Store<uint64_t>(to + size - 8, last);
  } else if (size >= 4) {
    const auto last = Load<uint32_t>(from.data() + size - 4);
    Store<uint32_t>(to, Load<uint32_t>(from.data()));
    Store<uint32_t>(to + size - 4, last);
  } else {
    for (size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

// A few lines at each step, so that the walk finds the next leaf near when it comes there, and the
// fetching is never waited for.
inline void Cursor::FetchNeighbour() {
  if (place_.neighbour == place_.neighbour_end) return;
  const std::byte* const stop = place_.neighbour + place_.stride;
  while (place_.neighbour != stop) {
    __builtin_prefetch(place_.neighbour);
    place_.neighbour += kCacheLine;
    if (place_.neighbour == place_.neighbour_end) return;
  }
}

inline std::string_view Cursor::key() const {
  KEEL_DCHECK(valid());
  const NodeView leaf(place_.page);
  const std::string_view rest = leaf.suffix(place_.position);
  const size_t prefix_bytes = leaf.header().prefix_bytes;
  const size_t bytes = prefix_bytes + rest.size();
  if (key_.size() < bytes) [[unlikely]]
    key_.resize(bytes);
  if (!prefix_in_key_) {
    leaf.prefix().copy(key_.data(), prefix_bytes);
    prefix_in_key_ = true;
  }
  CopyShort(rest, key_.data() + prefix_bytes);
  return {key_.data(), bytes};
}

}  // namespace keel::btree

#endif  // KEEL_BTREE_CURSOR_H_
