#include "btree/bulk_loader.h"

#include <algorithm>
#include <compare>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "btree/cursor.h"
#include "btree/overflow.h"

namespace keel::btree {

using pager::MutablePage;
using pager::PageKind;

bool BulkLoader::AddToLeaf(std::string_view key, std::string_view value) {
  if (added_ == 0 || key.size() > MaxKeyBytes(page_bytes_) || !BelowLimit(key)) return false;
  if (value.size() > always_inline_bytes_ &&
      value.size() > MaxInlineValueBytes(page_bytes_, key.size())) {
    return false;
  }
  const LeafFiller::Place place = leaf_.Look(key);
  if (!place.after || !leaf_.Add(place, key, value, false)) return false;
  ++added_;
  return true;
}

absl::Status BulkLoader::Add(std::string_view key, std::string_view value) {
  if (AddToLeaf(key, value)) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(CheckEntry(page_bytes_, key, value));
  // What the first key found is found anew if the key was not added after all.
  if (added_ == 0) {
    KEEL_RETURN_IF_ERROR(Begin(key));
  } else if (!leaf_.Look(key).after || !BelowLimit(key)) {
    return Disorder(key);
  }
  if (value.size() <= MaxInlineValueBytes(page_bytes_, key.size())) {
    KEEL_RETURN_IF_ERROR(AddEntry(key, value, false));
  } else {
    KEEL_RETURN_IF_ERROR(AddLarge(key, value));
  }
  ++added_;
  return absl::OkStatus();
}

absl::Status BulkLoader::AddLarge(std::string_view key, std::string_view value) {
  KEEL_ASSIGN_OR_RETURN(const Extent extent, WriteExtent(pages_, value));
  absl::Status status = AddEntry(key, EncodeExtent(extent), true);
  if (!status.ok()) DropExtent(pages_, extent);
  return status;
}

// --- where it begins ---

absl::Status BulkLoader::Begin(std::string_view key) {
  KEEL_RETURN_IF_ERROR(leaf_.Allocate());
  leaf_.Clear();
  levels_.clear();
  path_.clear();
  limit_.reset();
  if (!root_.empty()) {
    KEEL_RETURN_IF_ERROR(FindLimit(key));
    KEEL_RETURN_IF_ERROR(Descend(pages_, keyspace_, root_, key, &path_));
    bool found = false;
    position_ = path_[0].node().LowerBound(key, &found);
    return OpenPath();
  }
  levels_.emplace_back();
  return absl::OkStatus();
}

absl::Status BulkLoader::FindLimit(std::string_view key) {
  Cursor cursor(&pages_, keyspace_, root_, Range{});
  cursor.Seek(key);
  KEEL_RETURN_IF_ERROR(cursor.status());
  if (!cursor.valid()) return absl::OkStatus();
  limit_ = cursor.key();
  if (*limit_ != key) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    "key \"%s\" is there already; a bulk load only adds keys, in an empty range",
                    Printable(key));
}

absl::Status BulkLoader::OpenPath() {
  levels_.resize(path_.size());
  for (size_t level = path_.size(); level-- > 0;) {
    Level& here = levels_[level];
    if (level > 0) {
      KEEL_ASSIGN_OR_RETURN(here.page, MakeBuffer());
      StartNode(here.page.data(), level);
      const EntrySequence entries(path_[level].node());
      BuildNode(here.page.data(), page_bytes_, entries, 0, path_[level].slot);
    }
    if (level + 1 == path_.size()) continue;
    const PathStep& parent = path_[level + 1];
    const KeyParts separator =
        parent.node().key(parent.slot);  // empty, and never used, for a first child
    here.separator.Assign(separator, separator.size());
  }
  OpenLeaf(path_[0].node());
  return absl::OkStatus();
}

// A part of what fitted in a leaf fits in a leaf.
void BulkLoader::OpenLeaf(const NodeView& node) {
  for (size_t i = 0; i < position_; ++i) {
    KeyBuffer key;
    key.Assign(node.key(i), node.key(i).size());
    const ValueSlot value = node.value(i);
    const LeafFiller::Place place = leaf_.Look(key.view());
    KEEL_CHECK(place.after && leaf_.Add(place, key.view(), value.bytes, value.large));
  }
}

absl::StatusOr<AlignedBuffer> BulkLoader::MakeBuffer() const {
  AlignedBuffer buffer = AlignedBuffer::Allocate(page_bytes_);
  if (!buffer.empty()) return buffer;
  return MakeStatus(absl::StatusCode::kResourceExhausted, "no memory for a node of %d bytes",
                    page_bytes_);
}

// Of the header nodes look only at the level.
void BulkLoader::StartNode(std::byte* page, size_t level) const {
  std::memset(page, 0, page_bytes_);
  pager::HeaderOf(page).level = static_cast<uint8_t>(level);
  NodeEditor(page, page_bytes_).Clear();
}

// Why a key may not be added.
absl::Status BulkLoader::Disorder(std::string_view key) const {
  if (!leaf_.Look(key).after) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "key \"%s\" does not come after \"%s\", which was added before it",
                      Printable(key), Printable(leaf_.last_key().ToString()));
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    "key \"%s\" does not come before \"%s\", which is there already; a bulk load "
                    "only adds keys, in an empty range",
                    Printable(key), Printable(*limit_));
}

// --- filling leaves ---

// REQUIRES: the key comes after all others.
absl::Status BulkLoader::AddEntry(std::string_view key, std::string_view payload, bool large) {
  if (leaf_.Add(leaf_.Look(key), key, payload, large)) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(CloseLeaf(key));
  KEEL_CHECK(leaf_.Add(leaf_.Look(key), key, payload, large));
  return absl::OkStatus();
}

// Makes a page of the full leaf, and begins the one that will begin with `next_key`.
absl::Status BulkLoader::CloseLeaf(std::string_view next_key) {
  KEEL_RETURN_IF_ERROR(Reserve(0));
  const KeyParts next{next_key, {}};
  const size_t separator_bytes = CommonPrefixBytes(leaf_.last_key(), next) + 1;
  const Closed closed{MakeLeaf(), levels_[0].separator};
  levels_[0].separator.Assign(next, separator_bytes);
  leaf_.Clear();
  TakeIn(1, closed);
  return absl::OkStatus();
}

// REQUIRES: Reserve.
pager::Reference BulkLoader::MakeLeaf() {
  const MutablePage page = pages_.Create(PageKind::kLeaf, 0, keyspace_);
  leaf_.Build(page.bytes);
  return {page.id, page.birth, leaf_.count(), leaf_.has_extents()};
}

// --- filling internal nodes ---

absl::Status BulkLoader::Append(size_t level, const Entry& entry) {
  NodeEditor node = Node(level);
  if (node.Insert(node.view().count(), entry)) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(Reserve(level));
  TakeIn(level + 1, SplitOff(level, entry));
  return absl::OkStatus();
}

// For a page of this level, and as many above as an overflow that goes up to the root takes.
absl::Status BulkLoader::Reserve(size_t level) {
  if (levels_.size() > kMaxLevel) {
    return absl::ResourceExhaustedError("the tree cannot grow any higher");
  }
  if (spare_.empty()) {
    KEEL_ASSIGN_OR_RETURN(spare_, MakeBuffer());
  }
  return pages_.Reserve(levels_.size() - level);
}

// Appends a node that has become a page to the level above it. REQUIRES: Reserve.
void BulkLoader::TakeIn(size_t level, Closed closed) {
  for (;; ++level) {
    if (level == levels_.size()) {
      StartNode(spare_.data(), level);
      levels_.push_back(Level{std::move(spare_), {}});
    }
    const ReferencePayload payload(closed.reference);
    const Entry child{{closed.separator.view(), {}}, payload.view(), false};
    NodeEditor node = Node(level);
    if (node.Insert(node.view().count(), child)) return;
    closed = SplitOff(level, child);
  }
}

// Makes a page of the full node; the entry is among the first ones of the next.
BulkLoader::Closed BulkLoader::SplitOff(size_t level, const Entry& entry) {
  Level& here = levels_[level];
  const PageCopy copy(here.page.data(), page_bytes_);
  const size_t count = copy.node().count();
  const EntrySequence all = EntrySequence::With(copy.node(), count, entry, 0);
  const size_t at = ChooseSplit(all, count, RunHint{.ascending = 1}, page_bytes_);
  Closed closed{ReferenceTo(MakePage(level, all, at)), here.separator};
  AssignSeparator(all, at, &here.separator);
  BuildNode(here.page.data(), page_bytes_, all, at, all.size());
  return closed;
}

pager::Reference BulkLoader::MakeNode(size_t level) {
  const EntrySequence entries(Node(level).view());
  return ReferenceTo(MakePage(level, entries, entries.size()));
}

MutablePage BulkLoader::MakePage(size_t level, const EntrySequence& entries, size_t end) {
  const MutablePage page =
      pages_.Create(PageKind::kInternal, static_cast<uint8_t>(level), keyspace_);
  BuildNode(page.bytes, page_bytes_, entries, 0, end);
  return page;
}

// --- the end ---

absl::StatusOr<TreeRoot> BulkLoader::Finish() {
  if (added_ == 0) return root_;
  if (finishing_ == 0 && rest_taken_ == 0) {
    last_key_.Assign(leaf_.last_key(), leaf_.last_key().size());
  }
  for (;; ++finishing_, rest_taken_ = 0) {
    KEEL_RETURN_IF_ERROR(AppendRest(finishing_));
    KEEL_RETURN_IF_ERROR(Reserve(finishing_));
    const pager::Reference node = finishing_ == 0 ? MakeLeaf() : MakeNode(finishing_);
    if (finishing_ + 1 == levels_.size()) {
      DropPath();
      return TreeRoot{node, static_cast<uint8_t>(finishing_)};
    }
    TakeIn(finishing_ + 1, Closed{node, levels_[finishing_].separator});
  }
}

// What the tree has on the right of the gap, on this level.
absl::Status BulkLoader::AppendRest(size_t level) {
  if (level >= path_.size()) return absl::OkStatus();
  if (level == 0) return AppendRestOfLeaf();
  const size_t first = path_[level].slot + 1;
  const EntrySequence entries(path_[level].node());
  for (; first + rest_taken_ < entries.size(); ++rest_taken_) {
    Entry entry = entries[first + rest_taken_];
    KeyBuffer separator;
    if (PartSeam(entry.key, &separator)) entry.key = {separator.view(), {}};
    KEEL_RETURN_IF_ERROR(Append(level, entry));
  }
  return absl::OkStatus();
}

absl::Status BulkLoader::AppendRestOfLeaf() {
  const NodeView node = path_[0].node();
  for (; position_ + rest_taken_ < node.count(); ++rest_taken_) {
    const size_t at = position_ + rest_taken_;
    KeyBuffer key;
    key.Assign(node.key(at), node.key(at).size());
    const ValueSlot value = node.value(at);
    KEEL_RETURN_IF_ERROR(AddEntry(key.view(), value.bytes, value.large));
  }
  return absl::OkStatus();
}

// The leaf of the first key need not be that of the limit: then the separator between the two was made for the keys
// that were there, and the loaded ones may have passed it. Makes another one if so.
bool BulkLoader::PartSeam(const KeyParts& old_separator, KeyBuffer* separator) const {
  const KeyParts last{last_key_.view(), {}};
  if (!limit_.has_value() || std::is_gt(CompareKeys(old_separator, last))) return false;
  const KeyParts limit{*limit_, {}};
  separator->Assign(limit, CommonPrefixBytes(last, limit) + 1);
  return true;
}

void BulkLoader::DropPath() {
  for (PathStep& step : path_) {
    step.page.Release();
    pages_.Drop(step.reference.id, step.reference.birth);
  }
}

}  // namespace keel::btree
