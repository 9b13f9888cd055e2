// Joining neighbours that have become too empty.
//
// A node under a quarter full is merged with a neighbour under the same parent if both fit in one page and
// leave an eighth of it free (so that the next insertion does not split it again); otherwise the two are
// evened out.

#ifndef KEEL_BTREE_REBALANCE_H_
#define KEEL_BTREE_REBALANCE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "btree/node_builder.h"
#include "btree/node_view.h"

namespace keel::btree {

inline bool IsUnderfull(size_t used_bytes, uint32_t page_bytes) {
  return used_bytes < kNodeHeaderBytes + UsableBytes(page_bytes) / 4;
}

// `separator`, here and below: what the parent has between the two.
bool ShouldMerge(NodeView left, NodeView right, std::string_view separator, uint32_t page_bytes);

// Lays both out in `target`, which may be the page of one of them. REQUIRES: ShouldMerge.
void MergeNodes(std::byte* target, uint32_t page_bytes, NodeView left, NodeView right,
                std::string_view separator);

// Where two neighbours that do not merge should part: entry `at` of both together begins the right one.
struct Balance {
  size_t at;
  KeyBuffer separator;
};
void FindBalance(NodeView left, NodeView right, std::string_view separator, uint32_t page_bytes,
                 Balance* balance);
// Moves entries between the two so that they part there.
void ApplyBalance(std::byte* left, std::byte* right, uint32_t page_bytes,
                  std::string_view old_separator, const Balance& balance);

}  // namespace keel::btree

#endif  // KEEL_BTREE_REBALANCE_H_
