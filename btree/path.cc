#include "btree/path.h"

#include <utility>

#include "base/status.h"
#include "btree/lookup.h"

namespace keel::btree {

absl::Status CheckRoot(const TreeRoot& root) {
  if (root.level <= kMaxLevel) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, "root page %d: level %d", root.reference.id.value,
                    root.level);
}

absl::StatusOr<PageHandle> PinNode(PageSource& pages, KeyspaceId keyspace,
                                   const pager::Reference& reference, uint8_t level) {
  return pages.Pin(pager::PageWant{reference, keyspace, level});
}

pager::Reference ReferenceTo(const pager::MutablePage& page) {
  const NodeView node(page.bytes);
  return pager::Reference{page.id, page.birth, node.Entries(), node.HasExtents()};
}

absl::Status CheckWithin(const NodeView& node, const KeyParts& lower,
                         const std::optional<KeyParts>& upper) {
  const size_t first = node.leaf() ? 0 : 1;
  if (first >= node.count()) return absl::OkStatus();
  // Keys ascend (N1), so the outer ones speak for all.
  const KeyParts lowest = node.key(first);
  const auto order = CompareKeys(lowest, lower);
  // A separator that equals the lower fence would leave nothing to the child before it.
  if (order < 0 || (order == 0 && !node.leaf())) {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: key '%s' below its fence '%s'",
                      node.header().page_id, Printable(lowest.ToString()),
                      Printable(lower.ToString()));
  }
  const KeyParts highest = node.key(node.count() - 1);
  if (upper && CompareKeys(highest, *upper) >= 0) {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: key '%s' not below its fence '%s'",
                      node.header().page_id, Printable(highest.ToString()),
                      Printable(upper->ToString()));
  }
  return absl::OkStatus();
}

absl::Status CheckFences(const Path& path, size_t level) {
  KeyParts lower;
  std::optional<KeyParts> upper;
  for (size_t above = level + 1; above < path.size(); ++above) {
    const PathStep& step = path[above];
    const NodeView node = step.node();
    if (lower.size() == 0 && step.slot > 0) lower = node.key(step.slot);
    if (!upper && step.slot + 1 < node.count()) upper = node.key(step.slot + 1);
  }
  return CheckWithin(path[level].node(), lower, upper);
}

namespace {

// The pin, the check of the page and the search each wait for memory otherwise. Everybody reads the root: it is near.
void FetchNode(const PageSource& pages, const pager::Reference& reference, uint8_t level) {
  const std::byte* const page = pages.Whereabouts(reference.id);
  if (page != nullptr) PrefetchNode(page, level, reference.entries);
}

}  // namespace

absl::Status Descend(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                     std::string_view key, Path* path, Epoch made) {
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  path->resize(root.level + size_t{1});
  pager::Reference reference = root.reference;
  for (size_t level = path->size(); level-- > 0;) {
    PathStep& step = (*path)[level];
    if (level < root.level) FetchNode(pages, reference, static_cast<uint8_t>(level));
    KEEL_ASSIGN_OR_RETURN(step.page,
                          PinNode(pages, keyspace, reference, static_cast<uint8_t>(level)));
    step.reference = reference;
    if (reference.birth != made) KEEL_RETURN_IF_ERROR(CheckFences(*path, level));
    if (level == 0) break;
    step.slot = step.node().ChildFor(key);
    reference = step.node().reference(step.slot);
  }
  return absl::OkStatus();
}

}  // namespace keel::btree
