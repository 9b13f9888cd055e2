// A position in a tree, moving both ways within bounds.
//
//   btree::Cursor cursor(&pages, keyspace, root, Range{"a", "b"});
//   for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) Use(cursor.key(), cursor.value());
//   KEEL_RETURN_IF_ERROR(cursor.status());  // it may have ended early

#ifndef KEEL_BTREE_CURSOR_H_
#define KEEL_BTREE_CURSOR_H_

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "btree/tree.h"

namespace keel::btree {

// Pins the path to its leaf. key() and value() stay good until the cursor moves. After an error valid()
// is false and status() tells; Seek* starts afresh. Used by one thread at a time. The root's version must
// be kept by its owner.
class Cursor {
 public:
  // Bounds are copied.
  Cursor(PageSource* pages, KeyspaceId keyspace, const TreeRoot& root, const Range& range);
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

  void SeekToFirst();
  void SeekToLast();
  // First key at or after `key`, within bounds.
  void Seek(std::string_view key);
  // Last key at or before `key`, within bounds.
  void SeekForPrev(std::string_view key);
  // REQUIRES: valid(). On an invalid cursor they do nothing (an error is never stepped over).
  void Next();
  void Prev();

  bool valid() const;
  const absl::Status& status() const;
  // REQUIRES: valid().
  std::string_view key() const;
  ValueSlot value() const;
  // The current leaf, pinned once more (for values that outlive the cursor's position).
  PageHandle PinLeaf() const;

  // Gives up the position and its pins and continues on another root of the same keyspace.
  void Reset(const TreeRoot& root);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_CURSOR_H_
