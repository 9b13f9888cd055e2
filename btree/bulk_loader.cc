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

absl::Status BulkLoader::Add(std::string_view key, std::string_view value) {
  KEEL_RETURN_IF_ERROR(CheckEntry(page_bytes_, key, value));
  // What the first key found is found anew if the key was not added after all.
  KEEL_RETURN_IF_ERROR(added_ == 0 ? Begin(key) : CheckOrder(key));
  if (value.size() <= MaxInlineValueBytes(page_bytes_, key.size())) {
    KEEL_RETURN_IF_ERROR(Append(0, Entry{{key, {}}, value, false}));
  } else {
    KEEL_ASSIGN_OR_RETURN(const Extent extent, WriteExtent(pages_, value));
    const std::string encoded = EncodeExtent(extent);
    if (absl::Status status = Append(0, Entry{{key, {}}, encoded, true}); !status.ok()) {
      DropExtent(pages_, extent);
      return status;
    }
  }
  last_key_.Assign({key, {}}, key.size());
  ++added_;
  return absl::OkStatus();
}

// --- where it begins ---

absl::Status BulkLoader::Begin(std::string_view key) {
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
  KEEL_ASSIGN_OR_RETURN(AlignedBuffer leaf, MakeBuffer());
  StartNode(leaf.data(), 0);
  levels_.push_back(Level{std::move(leaf), {}});
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
    KEEL_ASSIGN_OR_RETURN(here.page, MakeBuffer());
    StartNode(here.page.data(), level);
    const size_t left = level == 0 ? position_ : path_[level].slot;
    BuildNode(here.page.data(), page_bytes_, EntrySequence(path_[level].node()), 0, left);
    if (level + 1 == path_.size()) continue;
    const PathStep& parent = path_[level + 1];
    const KeyParts separator =
        parent.node().key(parent.slot);  // empty, and never used, for a first child
    here.separator.Assign(separator, separator.size());
  }
  return absl::OkStatus();
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

absl::Status BulkLoader::CheckOrder(std::string_view key) const {
  if (key <= last_key_.view()) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "key \"%s\" does not come after \"%s\", which was added before it",
                      Printable(key), Printable(last_key_.view()));
  }
  if (limit_ && key >= *limit_) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "key \"%s\" does not come before \"%s\", which is there already; a bulk load "
                      "only adds keys, in an empty range",
                      Printable(key), Printable(*limit_));
  }
  return absl::OkStatus();
}

// --- filling nodes ---

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

MutablePage BulkLoader::MakePage(size_t level, const EntrySequence& entries, size_t end) {
  const PageKind kind = level == 0 ? PageKind::kLeaf : PageKind::kInternal;
  const MutablePage page = pages_.Create(kind, static_cast<uint8_t>(level), keyspace_);
  BuildNode(page.bytes, page_bytes_, entries, 0, end);
  return page;
}

// --- the end ---

absl::StatusOr<TreeRoot> BulkLoader::Finish() {
  if (added_ == 0) return root_;
  for (;; ++finishing_, rest_taken_ = 0) {
    KEEL_RETURN_IF_ERROR(AppendRest(finishing_));
    KEEL_RETURN_IF_ERROR(Reserve(finishing_));
    const EntrySequence entries(Node(finishing_).view());
    const MutablePage page = MakePage(finishing_, entries, entries.size());
    if (finishing_ + 1 == levels_.size()) {
      DropPath();
      return TreeRoot{ReferenceTo(page), static_cast<uint8_t>(finishing_)};
    }
    TakeIn(finishing_ + 1, Closed{ReferenceTo(page), levels_[finishing_].separator});
  }
}

// What the tree has on the right of the gap, on this level.
absl::Status BulkLoader::AppendRest(size_t level) {
  if (level >= path_.size()) return absl::OkStatus();
  const size_t first = level == 0 ? position_ : path_[level].slot + 1;
  const EntrySequence entries(path_[level].node());
  for (; first + rest_taken_ < entries.size(); ++rest_taken_) {
    Entry entry = entries[first + rest_taken_];
    KeyBuffer separator;
    if (level > 0 && PartSeam(entry.key, &separator)) entry.key = {separator.view(), {}};
    KEEL_RETURN_IF_ERROR(Append(level, entry));
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
