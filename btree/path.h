// The way from the root to a leaf, pinned: what a change needs to see before it begins.

#ifndef KEEL_BTREE_PATH_H_
#define KEEL_BTREE_PATH_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "btree/node_view.h"
#include "btree/tree.h"

namespace keel::btree {

// Refuses a root that no tree of ours has (its level comes from the catalogue).
absl::Status CheckRoot(const TreeRoot& root);

// Pins a page of a tree. DataLoss if it is not what `reference` says.
absl::StatusOr<PageHandle> PinNode(PageSource& pages, KeyspaceId keyspace,
                                   const pager::Reference& reference, uint8_t level);

// The reference to a page just changed, entries and extents counted.
pager::Reference ReferenceTo(const pager::MutablePage& page);

// B2: DataLoss if a key of the node is below `lower` or not below `upper` (if there is one). Whatever moves
// keys between nodes relies on it, so it is asked of nodes from disk before.
absl::Status CheckWithin(const NodeView& node, const KeyParts& lower,
                         const std::optional<KeyParts>& upper);

struct PathStep {
  PageHandle page;
  pager::Reference reference;  // as the parent has it
  size_t slot = 0;             // internal: the child that the path follows

  NodeView node() const { return NodeView(page.bytes()); }
};

// Indexed by level: [0] is the leaf, the last one the root.
using Path = absl::InlinedVector<PathStep, 8>;

// The separators nearest above a node, where it has any. As good as the nodes that they lie in.
struct FencesAbove {
  struct Separator {
    NodeView node;
    size_t slot;
  };
  std::optional<Separator> lower;
  std::optional<Separator> upper;

  // Those of the child at `slot` of `node`, given the node's own.
  void Narrow(const NodeView& node, size_t slot) {
    if (slot > 0) lower = {node, slot};
    if (slot + 1 < node.count()) upper = {node, slot + 1};
  }
  // Whether a key belongs into the node.
  bool Hold(std::string_view key) const;
  // Those that have not been found yet, from the next node above.
  void Widen(const NodeView& node, size_t slot) {
    if (!lower && slot > 0) lower = {node, slot};
    if (!upper && slot + 1 < node.count()) upper = {node, slot + 1};
  }
};

// What is above the node at `level`.
FencesAbove FencesOf(const Path& path, size_t level);
// CheckWithin, against what is above.
absl::Status CheckFences(const NodeView& node, const FencesAbove& fences);
// The same for the node at `level`.
absl::Status CheckFences(const Path& path, size_t level);

// Pins the path to the leaf whose range holds `key`, fences checked. Pages born at `made` need no check: the writer's
// own epoch, whose pages were made of checked ones and have not been on disk. REQUIRES: a tree that is not empty.
absl::Status Descend(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                     std::string_view key, Path* path, Epoch made = {});

}  // namespace keel::btree

#endif  // KEEL_BTREE_PATH_H_
