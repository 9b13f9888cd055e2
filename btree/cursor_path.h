// A cursor's way from the root to a leaf: where it leads through the inner nodes, and the leaf, pinned.
//
// Inner nodes are not pinned. A pin is counted in a place of its page that all processors write, the root's above all,
// and that no lookup reads otherwise; and most cursors end before they come to an inner node again. When one does, the
// node is looked up once more: in memory within a guard, as point reads do it, or else by pins for as long as that takes.
//
//   Q1  The root's version is kept; of a writer's own tree the path is made anew after each change. So a node looked up
//       again is the same, or has been read from disk again, and checked.
//   Q2  Every node that the way leads down to is compared with its reference and its fences.

#ifndef KEEL_BTREE_CURSOR_PATH_H_
#define KEEL_BTREE_CURSOR_PATH_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/types.h"
#include "btree/node_view.h"
#include "btree/path.h"
#include "btree/tree.h"

namespace keel::btree {

// Used by one thread at a time.
class CursorPath {
 public:
  CursorPath(PageSource* pages, KeyspaceId keyspace) : pages_(pages), keyspace_(keyspace) {}
  CursorPath() = default;

  // To the leaf whose range holds `key`, from which the cursor will go on in that direction. After an error there is no
  // leaf. REQUIRES: a root that is not empty.
  absl::Status DescendTo(const TreeRoot& root, std::string_view key, bool forward);
  // To the last leaf. Likewise.
  absl::Status DescendToLast(const TreeRoot& root);

  // Whether there is a leaf behind this one, or before it.
  bool HasNext() const { return LevelToMove(true) != 0; }
  bool HasPrevious() const { return LevelToMove(false) != 0; }
  // To that leaf. After an error there is none. REQUIRES: there is one.
  absl::Status MoveToNext() { return Move(true); }
  absl::Status MoveToPrevious() { return Move(false); }

  NodeView leaf() const { return NodeView(leaf_.bytes()); }
  const PageHandle& leaf_page() const { return leaf_; }
  // The leaf that comes next in the direction of the last movement, if it has the same parent.
  std::optional<PageId> neighbour() const { return neighbour_; }

  // Gives up the leaf.
  void Release() { leaf_.Release(); }

 private:
  struct Step {
    pager::Reference reference;
    size_t slot = 0;   // of the child that the way follows
    size_t count = 0;  // of children
  };
  // Which child of each inner node.
  struct Target {
    bool forward = true;
    std::optional<std::string_view> key;  // none: the first child, or going backward the last

    size_t SlotIn(const NodeView& node) const;
  };

  absl::Status Descend(const TreeRoot& root, const Target& target);
  absl::Status Move(bool forward);
  size_t LevelToMove(bool forward) const;

  // These take nodes from memory, or by pins (cursor_path.cc).
  template <typename Nodes>
  absl::Status GoDown(Nodes& nodes, size_t level, pager::Reference reference, FencesAbove fences,
                      const Target& target);
  template <typename Nodes>
  absl::Status TakeAgain(Nodes& nodes, size_t level, const std::byte** page);
  template <typename Nodes>
  absl::Status GoAside(Nodes& nodes, size_t level, const Target& target);
  template <typename Nodes>
  absl::Status Widen(Nodes& nodes, size_t level, FencesAbove* fences);
  pager::Reference Follow(const NodeView& node, size_t level, bool forward, FencesAbove* fences);

  PageSource* pages_ = nullptr;
  KeyspaceId keyspace_;
  absl::InlinedVector<Step, 4> steps_;  // by level: [0] is the leaf's
  PageHandle leaf_;
  std::optional<PageId> neighbour_;
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_CURSOR_PATH_H_
