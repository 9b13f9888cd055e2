#include "btree/cursor.h"

#include <algorithm>
#include <utility>

#include "pager/page_cache.h"

namespace keel::btree {

Cursor::Cursor(PageSource* pages, KeyspaceId keyspace, const TreeRoot& root, const Range& range)
    : pages_(pages), root_(root), lower_(range.begin), path_(pages, keyspace) {
  if (range.end) upper_.emplace(*range.end);
}

Cursor& Cursor::operator=(Cursor&& other) noexcept {
  pages_ = other.pages_;
  root_ = other.root_;
  lower_ = std::move(other.lower_);
  upper_ = std::move(other.upper_);
  place_ = std::exchange(other.place_, {});
  path_ = std::move(other.path_);
  status_ = std::move(other.status_);
  prefix_in_key_ = false;
  return *this;
}

// Gives up position and error.
void Cursor::Clear() {
  place_ = {};
  status_ = absl::OkStatus();
  path_.Release();
}

// False, as what has failed is not there.
bool Cursor::Fail(absl::Status error) {
  Clear();
  status_ = std::move(error);
  return false;
}

// Looks at the leaf just reached: which entries are within the bounds.
void Cursor::EnterLeaf(bool forward) {
  const NodeView leaf = path_.leaf();
  bool equal = false;
  place_.page = leaf.page();
  place_.first = lower_.empty() ? 0 : leaf.LowerBound(lower_, &equal);
  place_.end = upper_ ? leaf.LowerBound(*upper_, &equal) : leaf.count();
  prefix_in_key_ = false;
  NoteNeighbour(forward);
}

void Cursor::NoteNeighbour(bool forward) {
  place_.neighbour = place_.neighbour_end = nullptr;
  const size_t count = path_.leaf().count();
  const bool ends_here = forward ? place_.end < count : place_.first > 0;
  // Another parent's child is not looked for.
  const std::optional<PageId> neighbour = path_.neighbour();
  pager::PageCache* const cache = pages_->cache();
  if (ends_here || !neighbour || cache == nullptr) return;
  place_.neighbour = cache->Whereabouts(*neighbour);
  if (place_.neighbour == nullptr) return;
  cache->FetchPin(place_.neighbour);
  // All of it in as many steps as the walk through a leaf has.
  constexpr size_t kMostLines = 8;
  const size_t lines = pages_->page_bytes() / kCacheLine;
  place_.neighbour_end = place_.neighbour + lines * kCacheLine;
  place_.stride = std::min(lines / std::max<size_t>(count, 1) + 1, kMostLines) * kCacheLine;
}

// Takes the entry if it is within the bounds of the leaf; false otherwise.
bool Cursor::Take(size_t at) {
  if (at < place_.first || at >= place_.end) return false;
  place_.position = at;
  return true;
}

// Pins the leaf for `wanted`. False if there is none, or on an error.
bool Cursor::DescendTo(std::string_view wanted, bool forward) {
  Clear();
  if (root_.empty()) return false;
  absl::Status status = path_.DescendTo(root_, wanted, forward);
  if (!status.ok()) return Fail(std::move(status));
  EnterLeaf(forward);
  return true;
}

// Pins the tree's last leaf. False if there is none, or on an error.
bool Cursor::DescendToLast() {
  Clear();
  if (root_.empty()) return false;
  absl::Status status = path_.DescendToLast(root_);
  if (!status.ok()) return Fail(std::move(status));
  EnterLeaf(false);
  return true;
}

// Moves to the next leaf, or the one before. False at the tree's end, or on an error.
bool Cursor::MoveLeaf(bool forward) {
  // What the steps have left of it (a seek may have come in just before its end), all at once now.
  for (; place_.neighbour != place_.neighbour_end; place_.neighbour += kCacheLine) {
    __builtin_prefetch(place_.neighbour);
  }
  place_ = {};
  if (!(forward ? path_.HasNext() : path_.HasPrevious())) {
    Clear();
    return false;
  }
  absl::Status status = forward ? path_.MoveToNext() : path_.MoveToPrevious();
  if (!status.ok()) return Fail(std::move(status));
  EnterLeaf(forward);
  return true;
}

// Positions at entry `at` of the leaf or, if it is behind the last one, at the next leaf's first.
void Cursor::SettleFrom(size_t at) {
  if (at < path_.leaf().count()) {
    if (!Take(at)) Clear();
  } else if (MoveLeaf(true) && !Take(place_.first)) {
    Clear();
  }
}

// Positions at the entry before entry `at` of the leaf, or at the last one of the leaf before.
void Cursor::SettleBefore(size_t at) {
  if (at > 0) {
    if (!Take(at - 1)) Clear();
  } else if (MoveLeaf(false) && !(place_.end > 0 && Take(place_.end - 1))) {
    Clear();
  }
}

// What a walk from there on comes to first; of what follows, the processor finds out by itself, or NoteNeighbour.
void Cursor::FetchCells(size_t from) const {
  constexpr size_t kCells = 8;
  const NodeView leaf = path_.leaf();
  const size_t end = std::min(from + kCells, leaf.count());
  for (size_t i = from; i < end; ++i) PrefetchCell(leaf.cell(i));
}

void Cursor::SeekToFirst() { Seek(lower_); }

void Cursor::SeekToLast() {
  if (upper_) {
    if (DescendTo(*upper_, false)) SettleBefore(place_.end);
    return;
  }
  if (DescendToLast()) SettleBefore(path_.leaf().count());
}

// Whether a key lies in the leaf that a seek lets go before it has used the key: a value that says where to go on.
bool Cursor::LiesInLeaf(std::string_view key) const {
  if (!valid()) return false;
  const auto begin = reinterpret_cast<uintptr_t>(path_.leaf().page());
  const auto at = reinterpret_cast<uintptr_t>(key.data());
  return at - begin < pages_->page_bytes();
}

void Cursor::Seek(std::string_view key) {
  if (LiesInLeaf(key)) return Seek(std::string(key));
  if (key < lower_) key = lower_;
  if (!DescendTo(key, true)) return;
  bool equal = false;
  const size_t at = path_.leaf().LowerBound(key, &equal);
  FetchCells(at);
  SettleFrom(at);
}

void Cursor::SeekForPrev(std::string_view key) {
  if (LiesInLeaf(key)) return SeekForPrev(std::string(key));
  if (upper_ && key >= *upper_) return SeekToLast();
  if (!DescendTo(key, false)) return;
  bool equal = false;
  const size_t at = path_.leaf().LowerBound(key, &equal);
  SettleBefore(at + (equal ? 1 : 0));
}

PageHandle Cursor::PinLeaf() const {
  KEEL_DCHECK(valid());
  const PageHandle& leaf = path_.leaf_page();
  leaf.pins()->fetch_add(1, std::memory_order_relaxed);
  return PageHandle(leaf.bytes(), leaf.pins());
}

void Cursor::Reset(KeyspaceId keyspace, const TreeRoot& root) {
  Clear();
  path_ = CursorPath(pages_, keyspace);
  root_ = root;
}

}  // namespace keel::btree
