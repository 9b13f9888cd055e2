#include "btree/path.h"

#include <utility>

#include "base/status.h"

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

absl::Status Descend(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                     std::string_view key, Path* path) {
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  path->resize(root.level + size_t{1});
  pager::Reference reference = root.reference;
  for (size_t level = path->size(); level-- > 0;) {
    PathStep& step = (*path)[level];
    KEEL_ASSIGN_OR_RETURN(step.page,
                          PinNode(pages, keyspace, reference, static_cast<uint8_t>(level)));
    step.reference = reference;
    if (level == 0) break;
    step.slot = step.node().ChildFor(key);
    reference = step.node().reference(step.slot);
  }
  return absl::OkStatus();
}

}  // namespace keel::btree
