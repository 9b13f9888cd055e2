// DeleteRange: cut the two edge paths, drop the subtrees between them unread where they hold no large
// values, and join what is left of the edges along the seam.

#include <optional>
#include <utility>

#include "base/status.h"
#include "btree/node_builder.h"
#include "btree/overflow.h"
#include "btree/path.h"
#include "btree/rebalance.h"
#include "btree/tree.h"

namespace keel::btree {
namespace {

using pager::MutablePage;
using pager::Reference;

// What of a subtree is cut away: keys at or after `begin` and before `end`; without one, up to that side's
// end of the subtree.
struct Cut {
  std::optional<std::string_view> begin;
  std::optional<std::string_view> end;

  bool everything() const { return !begin && !end; }
};

class RangeDeleter {
 public:
  RangeDeleter(PageSink& pages, KeyspaceId keyspace)
      : pages_(pages), page_bytes_(pages.page_bytes()), keyspace_(keyspace) {}

  absl::Status Run(TreeRoot* root, const Range& range) {
    KEEL_RETURN_IF_ERROR(CheckRoot(*root));
    KEEL_RETURN_IF_ERROR(Reserve(root->level + size_t{1}));
    Cut cut{std::nullopt, range.end};
    if (!range.begin.empty()) cut.begin = range.begin;
    KEEL_ASSIGN_OR_RETURN(const Reference left, CutSubtree(root->reference, root->level, cut));
    if (deleted_ == 0) return absl::OkStatus();
    *root = left.null() ? TreeRoot{} : TreeRoot{left, root->level};
    Collapse(root);
    return absl::OkStatus();
  }

  // Drops all pages of a subtree.
  absl::Status DropSubtree(const Reference& reference, uint8_t level) {
    if (level > 0 || reference.extents_below) {
      KEEL_ASSIGN_OR_RETURN(const PageHandle page, PinNode(pages_, keyspace_, reference, level));
      KEEL_RETURN_IF_ERROR(DropBelow(NodeView(page.bytes()), 0, NodeView(page.bytes()).count()));
    }
    pages_.Drop(reference.id, reference.birth);
    return absl::OkStatus();
  }

  uint64_t deleted() const { return deleted_; }

 private:
  // Changing the edges takes two pages a level, joining the seam one more; it is left out when space is
  // short.
  absl::Status Reserve(size_t height) {
    absl::Status status = pages_.Reserve(3 * height);
    if (status.ok()) return status;
    join_seam_ = false;
    return pages_.Reserve(2 * height);
  }

  // Drops what entries [begin, end) refer to: subtrees, or large values.
  absl::Status DropBelow(NodeView node, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (!node.leaf()) {
        KEEL_RETURN_IF_ERROR(
            DropSubtree(node.reference(i), static_cast<uint8_t>(node.header().level - 1)));
      } else if (node.value(i).large) {
        KEEL_ASSIGN_OR_RETURN(const Extent extent, DecodeExtent(node.value(i).bytes, page_bytes_));
        DropExtent(pages_, extent);
      }
    }
    return absl::OkStatus();
  }

  // Returns what is left of the subtree; null if nothing is.
  absl::StatusOr<Reference> CutSubtree(const Reference& reference, uint8_t level, const Cut& cut) {
    if (cut.everything()) {
      deleted_ += reference.entries;
      KEEL_RETURN_IF_ERROR(DropSubtree(reference, level));
      return Reference{};
    }
    KEEL_ASSIGN_OR_RETURN(PageHandle page, PinNode(pages_, keyspace_, reference, level));
    return level == 0 ? CutLeaf(std::move(page), reference, cut)
                      : CutInternal(std::move(page), reference, cut);
  }

  absl::StatusOr<Reference> CutLeaf(PageHandle page, const Reference& reference, const Cut& cut) {
    const NodeView node(page.bytes());
    bool equal = false;
    const size_t begin = cut.begin ? node.LowerBound(*cut.begin, &equal) : 0;
    const size_t end = cut.end ? node.LowerBound(*cut.end, &equal) : node.count();
    if (begin == end) return reference;
    deleted_ += end - begin;
    KEEL_RETURN_IF_ERROR(DropBelow(node, begin, end));
    return RemoveEntries(std::move(page), reference, begin, end);
  }

  absl::StatusOr<Reference> CutInternal(PageHandle page, const Reference& reference,
                                        const Cut& cut) {
    const NodeView node(page.bytes());
    const auto level = static_cast<uint8_t>(node.header().level - 1);
    // The children that are cut, `first` perhaps from its middle on and `last` perhaps up to its middle.
    bool first_whole = true;
    bool last_whole = true;
    size_t first = 0;
    size_t last = node.count() - 1;
    if (cut.begin) first = node.ChildFor(*cut.begin, &first_whole);
    if (cut.end) {
      last = node.ChildFor(*cut.end, &last_whole);
      if (last_whole) --last;
    }
    const uint64_t deleted_before = deleted_;
    Reference first_left;
    Reference last_left;
    for (size_t i = first; i <= last; ++i) {
      Cut child_cut;
      if (i == first && !first_whole) child_cut.begin = cut.begin;
      if (i == last && !last_whole) child_cut.end = cut.end;
      KEEL_ASSIGN_OR_RETURN(const Reference left, CutSubtree(node.reference(i), level, child_cut));
      if (i == first) first_left = left;
      if (i == last) last_left = left;
    }
    if (deleted_ == deleted_before) return reference;
    return KeepEdges(std::move(page), reference, {first, last, first_left, last_left});
  }

  // The children [first, last] of a node and what is left of the two at the ends.
  struct Edges {
    size_t first;
    size_t last;
    Reference first_left;
    Reference last_left;
  };

  Reference KeepEdges(PageHandle page, const Reference& reference, const Edges& edges) {
    const size_t begin = edges.first + (edges.first_left.null() ? 0 : 1);
    const bool last_stays = edges.last > edges.first && !edges.last_left.null();
    const size_t end = edges.last + (last_stays ? 0 : 1);
    if (begin == 0 && end == NodeView(page.bytes()).count()) {
      page.Release();
      pages_.Drop(reference.id, reference.birth);
      return Reference{};
    }
    const MutablePage changed = pages_.Change(std::move(page));
    NodeEditor node(changed.bytes, page_bytes_);
    if (!edges.first_left.null()) node.SetReference(edges.first, edges.first_left);
    if (last_stays) node.SetReference(edges.last, edges.last_left);
    if (begin < end) node.Remove(begin, end);
    if (!edges.first_left.null() && last_stays) JoinSeam(&node, edges.first);
    return ReferenceTo(changed);
  }

  Reference RemoveEntries(PageHandle page, const Reference& reference, size_t begin, size_t end) {
    if (begin == 0 && end == NodeView(page.bytes()).count()) {
      page.Release();
      pages_.Drop(reference.id, reference.birth);
      return Reference{};
    }
    const MutablePage changed = pages_.Change(std::move(page));
    NodeEditor(changed.bytes, page_bytes_).Remove(begin, end);
    return ReferenceTo(changed);
  }

  // Merges the children at `slot` and behind it if one is too empty and both fit in a page; then the two
  // that meet in their middle, and so on. Whatever stands in the way, the tree is valid as it is.
  void JoinSeam(NodeEditor* parent, size_t slot) {
    if (!join_seam_) return;
    const NodeView node = parent->view();
    const auto level = static_cast<uint8_t>(node.header().level - 1);
    const Reference left = node.reference(slot);
    const Reference right = node.reference(slot + 1);
    absl::StatusOr<PageHandle> left_page = PinNode(pages_, keyspace_, left, level);
    absl::StatusOr<PageHandle> right_page = PinNode(pages_, keyspace_, right, level);
    if (!left_page.ok() || !right_page.ok()) return;
    const NodeView left_node(left_page->bytes());
    const NodeView right_node(right_page->bytes());
    const KeyParts between = node.key(slot + 1);
    if (!CheckWithin(left_node, node.key(slot), between).ok() ||
        !CheckWithin(right_node, between, std::nullopt).ok()) {
      return;
    }
    KeyBuffer separator;
    separator.Assign(between, between.size());
    if (!IsUnderfull(left_node.UsedBytes(page_bytes_), page_bytes_) &&
        !IsUnderfull(right_node.UsedBytes(page_bytes_), page_bytes_)) {
      return;
    }
    if (!ShouldMerge(left_node, right_node, separator.view(), page_bytes_)) return;
    const size_t seam = left_node.count() - 1;
    const MutablePage page = pages_.Change(*std::move(left_page));
    MergeNodes(page.bytes, page_bytes_, NodeView(page.bytes), right_node, separator.view());
    right_page->Release();
    pages_.Drop(right.id, right.birth);
    NodeEditor merged(page.bytes, page_bytes_);
    if (level > 0) JoinSeam(&merged, seam);
    parent->Remove(slot + 1);
    parent->SetReference(slot, ReferenceTo(page));
  }

  // A root with one child gives way to it.
  void Collapse(TreeRoot* root) {
    while (root->level > 0) {
      absl::StatusOr<PageHandle> page = PinNode(pages_, keyspace_, root->reference, root->level);
      if (!page.ok()) return;
      const NodeView node(page->bytes());
      if (node.count() != 1) return;
      const Reference old = root->reference;
      *root = TreeRoot{node.reference(0), static_cast<uint8_t>(root->level - 1)};
      page->Release();
      pages_.Drop(old.id, old.birth);
    }
  }

  PageSink& pages_;
  const uint32_t page_bytes_;
  const KeyspaceId keyspace_;
  bool join_seam_ = true;
  uint64_t deleted_ = 0;
};

}  // namespace

absl::StatusOr<uint64_t> DeleteRange(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                                     const Range& range) {
  if (root->empty() || (range.end && *range.end <= range.begin)) return uint64_t{0};
  RangeDeleter deleter(pages, keyspace);
  TreeRoot changed = *root;
  KEEL_RETURN_IF_ERROR(deleter.Run(&changed, range));
  *root = changed;
  return deleter.deleted();
}

absl::Status DropTree(PageSink& pages, KeyspaceId keyspace, const TreeRoot& root) {
  if (root.empty()) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  return RangeDeleter(pages, keyspace).DropSubtree(root.reference, root.level);
}

}  // namespace keel::btree
