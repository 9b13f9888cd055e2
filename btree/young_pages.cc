#include "btree/young_pages.h"

#include "base/status.h"
#include "btree/node_view.h"
#include "btree/overflow.h"

namespace keel::btree {

namespace {

class YoungWalk {
 public:
  YoungWalk(PageSource& pages, KeyspaceId keyspace, Epoch since, pager::PageSet* young)
      : pages_(pages), keyspace_(keyspace), since_(since), young_(young) {}

  absl::Status Visit(const pager::Reference& reference, uint8_t level) {
    if (reference.birth <= since_) return absl::OkStatus();
    // B6; and a walk over hostile pages ends.
    if (!young_->Insert(reference.id)) {
      return MakeStatus(absl::StatusCode::kDataLoss, "page %d is reached twice",
                        reference.id.value);
    }
    if (level == 0 && !reference.extents_below) return absl::OkStatus();
    KEEL_ASSIGN_OR_RETURN(const PageHandle page,
                          pages_.Pin(pager::PageWant{reference, keyspace_, level}));
    const NodeView node(page.bytes());
    return level == 0 ? VisitExtents(node) : VisitChildren(node, level);
  }

 private:
  absl::Status VisitChildren(const NodeView& node, uint8_t level) {
    for (size_t i = 0; i < node.count(); ++i) {
      KEEL_RETURN_IF_ERROR(Visit(node.reference(i), static_cast<uint8_t>(level - 1)));
    }
    return absl::OkStatus();
  }

  absl::Status VisitExtents(const NodeView& leaf) {
    for (size_t i = 0; i < leaf.count(); ++i) {
      const ValueSlot value = leaf.value(i);
      if (!value.large) continue;
      KEEL_ASSIGN_OR_RETURN(const Extent extent, DecodeExtent(value.bytes, pages_.page_bytes()));
      if (extent.birth <= since_) continue;
      for (const pager::PageRun& run : extent.runs) young_->InsertRun(run.first, run.count);
    }
    return absl::OkStatus();
  }

  PageSource& pages_;
  KeyspaceId keyspace_;
  Epoch since_;
  pager::PageSet* young_;
};

}  // namespace

absl::Status CollectYoungPages(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                               Epoch since, pager::PageSet* young) {
  if (root.empty()) return absl::OkStatus();
  return YoungWalk(pages, keyspace, since, young).Visit(root.reference, root.level);
}

}  // namespace keel::btree
