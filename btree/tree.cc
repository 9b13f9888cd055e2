#include "btree/tree.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "btree/node_view.h"
#include "btree/path.h"

namespace keel::btree {
namespace {

// Number of keys below `key`.
absl::StatusOr<uint64_t> Rank(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                              std::string_view key) {
  uint64_t rank = 0;
  pager::Reference reference = root.reference;
  for (uint8_t level = root.level;; --level) {
    KEEL_ASSIGN_OR_RETURN(const PageHandle page, PinNode(pages, keyspace, reference, level));
    const NodeView node(page.bytes());
    bool equal = false;
    if (level == 0) return rank + node.LowerBound(key, &equal);
    const size_t child = node.ChildFor(key, &equal);
    for (size_t i = 0; i < child; ++i) rank += node.reference(i).entries;
    if (equal) return rank;
    reference = node.reference(child);
  }
}

}  // namespace

absl::StatusOr<Found> Find(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                           std::string_view key) {
  if (root.empty()) return Found{};
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  pager::Reference reference = root.reference;
  for (uint8_t level = root.level;; --level) {
    KEEL_ASSIGN_OR_RETURN(PageHandle page, PinNode(pages, keyspace, reference, level));
    const NodeView node(page.bytes());
    if (level == 0) {
      bool found = false;
      const size_t position = node.LowerBound(key, &found);
      if (!found) return Found{};
      const ValueSlot value = node.value(position);
      return Found{std::move(page), value};
    }
    reference = node.reference(node.ChildFor(key));
  }
}

absl::StatusOr<uint64_t> Count(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                               const Range& range) {
  if (root.empty() || (range.end && *range.end <= range.begin)) return uint64_t{0};
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  uint64_t end = root.reference.entries;
  if (range.end) {
    KEEL_ASSIGN_OR_RETURN(end, Rank(pages, keyspace, root, *range.end));
  }
  uint64_t begin = 0;
  if (!range.begin.empty()) {
    KEEL_ASSIGN_OR_RETURN(begin, Rank(pages, keyspace, root, range.begin));
  }
  return end - std::min(begin, end);
}

}  // namespace keel::btree
