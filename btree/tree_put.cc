// Put: pin the path, store a large value, reserve, then change from the leaf upwards with nothing that can
// fail (P2).

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "btree/lookup.h"
#include "btree/node_builder.h"
#include "btree/overflow.h"
#include "btree/path.h"
#include "btree/tree.h"

namespace keel::btree {
namespace {

using pager::MutablePage;
using pager::PageKind;
using pager::Reference;

// What a level hands to the one above: its page's new reference, and its new neighbour if it was split.
struct Rise {
  Reference left;
  Reference right;  // null: no split
  KeyBuffer separator;
};

class PutOperation {
 public:
  PutOperation(PageSink& pages, KeyspaceId keyspace, TreeRoot* root, BeforeChange before_change)
      : pages_(pages),
        page_bytes_(pages.page_bytes()),
        keyspace_(keyspace),
        root_(root),
        before_change_(before_change) {}

  // Run is for the first of `rows`, and takes along those behind it that it can.
  void TakeAlong(const RowAt* rows) { rows_ = rows; }
  size_t taken() const { return taken_; }

  absl::StatusOr<bool> Run(std::string_view key, std::string_view value) {
    KEEL_RETURN_IF_ERROR(CheckEntry(page_bytes_, key, value));
    if (!root_->empty()) {
      KEEL_RETURN_IF_ERROR(Descend(pages_, keyspace_, *root_, key, &path_, pages_.current_epoch()));
      KEEL_RETURN_IF_ERROR(LookAt(key));
    }
    if (KeptInline(page_bytes_, key, value)) {
      return ReserveAndApply(Entry{{key, {}}, value, false});
    }
    KEEL_ASSIGN_OR_RETURN(const Extent extent, WriteExtent(pages_, value));
    const std::string encoded = EncodeExtent(extent);
    absl::StatusOr<bool> result = ReserveAndApply(Entry{{key, {}}, encoded, true});
    if (!result.ok()) DropExtent(pages_, extent);
    return result;
  }

 private:
  // Finds the entry's place, and the extent that it takes the place of.
  absl::Status LookAt(std::string_view key) {
    const NodeView leaf = path_[0].node();
    const NodeView::HeadPosition head = leaf.FindHead(0, key);
    if (!head.exact)
      PrefetchCell(leaf.cell(head.position));  // all of it is about to be read, and written
    position_ = leaf.Settle(head, &exists_);
    if (!exists_ || !leaf.value(position_).large) return absl::OkStatus();
    KEEL_ASSIGN_OR_RETURN(old_extent_, DecodeExtent(leaf.value(position_).bytes, page_bytes_));
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ReserveAndApply(const Entry& entry) {
    if (root_->level == kMaxLevel) {
      return absl::ResourceExhaustedError("the tree cannot grow any higher");
    }
    KEEL_RETURN_IF_ERROR(pages_.Reserve(2 * path_.size() + 2));
    KEEL_RETURN_IF_ERROR(before_change_());
    if (path_.empty()) {
      PlantTree(entry);
      return true;
    }
    Rise rise;
    ApplyToLeaf(entry, &rise);
    for (size_t level = 1; level < path_.size(); ++level) {
      const Reference before = path_[level - 1].reference;
      if (rise.right.null() && rise.left == before) return !exists_;
      ApplyToParent(level, before, &rise);
    }
    SetRoot(rise);
    return !exists_;
  }

  void PlantTree(const Entry& entry) {
    const MutablePage page = pages_.Create(PageKind::kLeaf, 0, keyspace_);
    NodeEditor leaf(page.bytes, page_bytes_);
    leaf.Clear();
    KEEL_CHECK(leaf.Insert(0, entry));
    *root_ = TreeRoot{Reference{page.id, page.birth, 1, entry.large}, 0};
  }

  void ApplyToLeaf(const Entry& entry, Rise* rise) {
    PathStep& step = path_[0];
    const MutablePage page = pages_.Change(std::move(step.page));
    NodeEditor leaf(page.bytes, page_bytes_);
    const bool done = exists_ ? leaf.Replace(position_, entry) : leaf.Insert(position_, entry);
    if (done) {
      const bool extents =
          entry.large || (old_extent_ ? leaf.view().HasExtents() : step.reference.extents_below);
      if (rows_ != nullptr) TakeNeighbours(&leaf);
      rise->left = Reference{page.id, page.birth, leaf.view().count(), extents};
    } else {
      Split(page, position_, entry, exists_ ? 1 : 0, rise);
    }
    if (old_extent_) DropExtent(pages_, *old_extent_);
  }

  // Further rows of this leaf, while each has room in it as it is. None brings an extent, or takes the place of one.
  void TakeNeighbours(NodeEditor* leaf) {
    const FencesAbove fences = FencesOf(path_, 0);
    while (const std::optional<Row> row = (*rows_)(taken_)) {
      if (!fences.Hold(row->key) || !PutNeighbour(leaf, *row)) return;
      ++taken_;
    }
  }

  bool PutNeighbour(NodeEditor* leaf, const Row& row) const {
    if (!CheckEntry(page_bytes_, row.key, row.value).ok() ||
        !KeptInline(page_bytes_, row.key, row.value)) {
      return false;
    }
    const Entry entry{{row.key, {}}, row.value, false};
    bool exists = false;
    const size_t at = leaf->view().LowerBound(row.key, &exists);
    if (!exists) return leaf->Insert(at, entry);
    return !leaf->view().value(at).large && leaf->Replace(at, entry);
  }

  void ApplyToParent(size_t level, const Reference& before, Rise* rise) {
    PathStep& step = path_[level];
    const MutablePage page = pages_.Change(std::move(step.page));
    NodeEditor node(page.bytes, page_bytes_);
    node.SetReference(step.slot, rise->left);
    Reference now{page.id, page.birth, 0, step.reference.extents_below};
    now.entries =
        (step.reference.entries - before.entries + rise->left.entries + rise->right.entries) &
        pager::kMaxEntries;
    const bool extents = rise->left.extents_below || rise->right.extents_below;
    if (!rise->right.null()) {
      const ReferencePayload payload(rise->right);
      const KeyBuffer separator = rise->separator;
      const Entry entry{{separator.view(), {}}, payload.view(), false};
      if (!node.Insert(step.slot + 1, entry)) {
        Split(page, step.slot + 1, entry, 0, rise);
        return;
      }
    }
    if (extents != before.extents_below) now.extents_below = node.view().HasExtents();
    rise->left = now;
    rise->right = Reference{};
  }

  // `page` has no room for the entry at `at`: its upper part, wherever that begins, moves to a new page.
  void Split(const MutablePage& page, size_t at, const Entry& entry, size_t replaced, Rise* rise) {
    const PageCopy copy(page.bytes, page_bytes_);
    const pager::PageHeader& header = copy.node().header();
    const EntrySequence all = EntrySequence::With(copy.node(), at, entry, replaced);
    const size_t half = replaced == 0
                            ? ChooseSplit(all, at, RunHint::Of(header).After(at), page_bytes_)
                            : ChooseMiddle(all, page_bytes_);
    const auto kind = static_cast<PageKind>(header.kind);
    const MutablePage right = pages_.Create(kind, header.level, keyspace_);
    AssignSeparator(all, half, &rise->separator);
    BuildNode(right.bytes, page_bytes_, all, half, all.size());
    BuildNode(page.bytes, page_bytes_, all, 0, half);
    pager::HeaderOf(page.bytes).next = 0;
    rise->left = ReferenceTo(page);
    rise->right = ReferenceTo(right);
  }

  void SetRoot(const Rise& rise) {
    if (rise.right.null()) {
      root_->reference = rise.left;
      return;
    }
    const auto level = static_cast<uint8_t>(root_->level + 1);
    const MutablePage page = pages_.Create(PageKind::kInternal, level, keyspace_);
    NodeEditor node(page.bytes, page_bytes_);
    node.Clear();
    const ReferencePayload left(rise.left);
    const ReferencePayload right(rise.right);
    KEEL_CHECK(node.Insert(0, Entry{{}, left.view(), false}));
    KEEL_CHECK(node.Insert(1, Entry{{rise.separator.view(), {}}, right.view(), false}));
    *root_ = TreeRoot{ReferenceTo(page), level};
  }

  PageSink& pages_;
  const uint32_t page_bytes_;
  const KeyspaceId keyspace_;
  TreeRoot* const root_;
  const BeforeChange before_change_;
  Path path_;
  size_t position_ = 0;  // in the leaf
  bool exists_ = false;
  std::optional<Extent> old_extent_;
  const RowAt* rows_ = nullptr;
  size_t taken_ = 1;  // of the rows
};

}  // namespace

absl::Status CheckEntry(uint32_t page_bytes, std::string_view key, std::string_view value) {
  if (key.size() > MaxKeyBytes(page_bytes)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "a key of %d bytes; at most %d",
                      key.size(), MaxKeyBytes(page_bytes));
  }
  if (value.size() > kMaxValueBytes) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "a value of %d bytes; at most %d",
                      value.size(), kMaxValueBytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Put(PageSink& pages, KeyspaceId keyspace, TreeRoot* root, std::string_view key,
                         std::string_view value, BeforeChange before_change) {
  return PutOperation(pages, keyspace, root, before_change).Run(key, value);
}

absl::StatusOr<size_t> PutNeighbours(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                                     RowAt rows) {
  const std::optional<Row> first = rows(0);
  KEEL_CHECK(first.has_value());
  PutOperation operation(pages, keyspace, root, NothingBefore);
  operation.TakeAlong(&rows);
  KEEL_RETURN_IF_ERROR(operation.Run(first->key, first->value).status());
  return operation.taken();
}

}  // namespace keel::btree
