// Delete: pin the path, and a neighbour on each level that may become too empty; reserve; then change from
// the leaf upwards with nothing that can fail (P2).

#include <algorithm>
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

// A neighbour under the same parent; without a page where there is none, or none is needed.
struct Sibling {
  PageHandle page;
  Reference reference;
  size_t slot = 0;
};

// What a level hands to the one above: its page as it is now, or nothing if it has become empty.
struct Remains {
  Reference reference;
  std::byte* bytes = nullptr;
};

class DeleteOperation {
 public:
  DeleteOperation(PageSink& pages, KeyspaceId keyspace, TreeRoot* root, BeforeChange before_change)
      : pages_(pages),
        page_bytes_(pages.page_bytes()),
        keyspace_(keyspace),
        root_(root),
        before_change_(before_change) {}

  absl::StatusOr<bool> Run(std::string_view key) {
    if (root_->empty()) return false;
    KEEL_RETURN_IF_ERROR(Descend(pages_, keyspace_, *root_, key, &path_, pages_.current_epoch()));
    const NodeView leaf = path_[0].node();
    bool found = false;
    position_ = leaf.LowerBound(key, &found);
    if (!found) return false;
    if (leaf.value(position_).large) {
      KEEL_ASSIGN_OR_RETURN(old_extent_, DecodeExtent(leaf.value(position_).bytes, page_bytes_));
    }
    PinSiblings();
    KEEL_RETURN_IF_ERROR(Reserve());
    KEEL_RETURN_IF_ERROR(before_change_());
    Apply();
    return true;
  }

 private:
  // From the leaf upwards, as long as nodes may become too empty. A neighbour that cannot be had is done
  // without.
  void PinSiblings() {
    size_t lost = position_;
    for (size_t level = 0; level + 1 < path_.size(); ++level) {
      const NodeView node = path_[level].node();
      Sibling sibling;
      if (node.count() == 1) {
        lost = path_[level + 1].slot;
      } else {
        const size_t leaving = node.CellBytes(lost) + sizeof(Slot);
        if (!IsUnderfull(node.UsedBytes(page_bytes_) - leaving, page_bytes_)) return;
        if (!PinSibling(level, &sibling)) return;
        lost = std::max(path_[level + 1].slot, sibling.slot);
      }
      siblings_.push_back(std::move(sibling));
    }
  }

  // The neighbour with fewer entries.
  bool PinSibling(size_t level, Sibling* sibling) {
    const PathStep& parent = path_[level + 1];
    const NodeView node = parent.node();
    const bool has_left = parent.slot > 0;
    const bool has_right = parent.slot + 1 < node.count();
    if (!has_left && !has_right) return false;
    const bool left = !has_right || (has_left && node.reference(parent.slot - 1).entries <
                                                     node.reference(parent.slot + 1).entries);
    sibling->slot = left ? parent.slot - 1 : parent.slot + 1;
    sibling->reference = node.reference(sibling->slot);
    absl::StatusOr<PageHandle> page =
        PinNode(pages_, keyspace_, sibling->reference, static_cast<uint8_t>(level));
    if (!page.ok()) return false;
    std::optional<KeyParts> upper;
    if (sibling->slot + 1 < node.count()) upper = node.key(sibling->slot + 1);
    const NodeView found(page->bytes());
    if (!CheckWithin(found, node.key(sibling->slot), upper).ok()) return false;
    sibling->page = *std::move(page);
    return true;
  }

  // When space is short, deletes go without neighbours: they need a page a level.
  absl::Status Reserve() {
    absl::Status status = pages_.Reserve(path_.size() + siblings_.size());
    if (status.ok() || siblings_.empty()) return status;
    siblings_.clear();
    return pages_.Reserve(path_.size());
  }

  void Apply() {
    Remains remains;
    ApplyToLeaf(&remains);
    for (size_t level = 1; level < path_.size(); ++level) ApplyToParent(level, &remains);
    if (remains.bytes == nullptr) {
      *root_ = TreeRoot{};
      return;
    }
    root_->reference = remains.reference;
    const NodeView root(remains.bytes);
    if (root_->level > 0 && root.count() == 1) {
      *root_ = TreeRoot{root.reference(0), static_cast<uint8_t>(root_->level - 1)};
      pages_.Drop(remains.reference.id, remains.reference.birth);
    }
  }

  void ApplyToLeaf(Remains* remains) {
    PathStep& step = path_[0];
    if (step.node().count() == 1) {
      DropStep(&step);
    } else {
      const MutablePage page = pages_.Change(std::move(step.page));
      NodeEditor leaf(page.bytes, page_bytes_);
      leaf.Remove(position_);
      *remains = {Reference{page.id, page.birth, leaf.view().count(), ExtentsLeft(step, leaf)},
                  page.bytes};
    }
    if (old_extent_) DropExtent(pages_, *old_extent_);
  }

  void ApplyToParent(size_t level, Remains* remains) {
    PathStep& step = path_[level];
    if (remains->bytes == nullptr && step.node().count() == 1) {
      DropStep(&step);
      return;
    }
    const MutablePage page = pages_.Change(std::move(step.page));
    NodeEditor node(page.bytes, page_bytes_);
    if (remains->bytes == nullptr) {
      node.Remove(step.slot);
    } else {
      node.SetReference(step.slot, remains->reference);
      if (level <= siblings_.size()) JoinSibling(&node, step.slot, *remains, &siblings_[level - 1]);
    }
    const uint64_t entries = (step.reference.entries - 1) & pager::kMaxEntries;
    *remains = {Reference{page.id, page.birth, entries, ExtentsLeft(step, node)}, page.bytes};
  }

  void DropStep(PathStep* step) {
    step->page.Release();
    pages_.Drop(step->reference.id, step->reference.birth);
  }

  bool ExtentsLeft(const PathStep& step, const NodeEditor& node) const {
    return old_extent_ ? node.view().HasExtents() : step.reference.extents_below;
  }

  // Merges the child with its neighbour, or evens them out, if it is too empty.
  void JoinSibling(NodeEditor* parent, size_t slot, const Remains& child, Sibling* sibling) {
    const NodeView node(child.bytes);
    if (!sibling->page || !IsUnderfull(node.UsedBytes(page_bytes_), page_bytes_)) return;
    const NodeView other(sibling->page.bytes());
    const bool child_first = slot < sibling->slot;
    const NodeView& left = child_first ? node : other;
    const NodeView& right = child_first ? other : node;
    const size_t right_slot = std::max(slot, sibling->slot);
    const KeyParts between = parent->view().key(right_slot);
    KeyBuffer separator;
    separator.Assign(between, between.size());
    if (!ShouldMerge(left, right, separator.view(), page_bytes_)) {
      EvenOut(parent, slot, child, sibling, separator.view());
      return;
    }
    MergeNodes(child.bytes, page_bytes_, left, right, separator.view());
    Reference merged = child.reference;
    merged.entries = (merged.entries + sibling->reference.entries) & pager::kMaxEntries;
    merged.extents_below |= sibling->reference.extents_below;
    parent->Remove(right_slot);
    parent->SetReference(right_slot - 1, merged);
    sibling->page.Release();
    pages_.Drop(sibling->reference.id, sibling->reference.birth);
  }

  void EvenOut(NodeEditor* parent, size_t slot, const Remains& child, Sibling* sibling,
               std::string_view separator) {
    const bool child_first = slot < sibling->slot;
    const NodeView node(child.bytes);
    const NodeView other(sibling->page.bytes());
    Balance balance;
    FindBalance(child_first ? node : other, child_first ? other : node, separator, page_bytes_,
                &balance);
    // A longer separator may not fit in the parent: then all stays as it is.
    if (!parent->ReplaceSeparator(std::max(slot, sibling->slot), balance.separator.view())) return;
    const MutablePage page = pages_.Change(std::move(sibling->page));
    ApplyBalance(child_first ? child.bytes : page.bytes, child_first ? page.bytes : child.bytes,
                 page_bytes_, separator, balance);
    parent->SetReference(slot,
                         ReferenceTo({child.bytes, child.reference.id, child.reference.birth}));
    parent->SetReference(sibling->slot, ReferenceTo(page));
  }

  PageSink& pages_;
  const uint32_t page_bytes_;
  const KeyspaceId keyspace_;
  TreeRoot* const root_;
  const BeforeChange before_change_;
  Path path_;
  size_t position_ = 0;  // in the leaf
  std::optional<Extent> old_extent_;
  absl::InlinedVector<Sibling, 4> siblings_;  // by level
};

}  // namespace

absl::StatusOr<bool> Delete(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                            std::string_view key, BeforeChange before_change) {
  return DeleteOperation(pages, keyspace, root, before_change).Run(key);
}

}  // namespace keel::btree
