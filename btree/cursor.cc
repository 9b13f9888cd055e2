#include "btree/cursor.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace keel::btree {

Cursor::Cursor(PageSource* pages, KeyspaceId keyspace, const TreeRoot& root, const Range& range)
    : pages_(pages), keyspace_(keyspace), root_(root), lower_(range.begin) {
  if (range.end) upper_.emplace(*range.end);
}

Cursor& Cursor::operator=(Cursor&& other) noexcept {
  pages_ = other.pages_;
  keyspace_ = other.keyspace_;
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
  for (PathStep& step : path_) step.page.Release();
}

// False, as what has failed is not there.
bool Cursor::Fail(absl::Status error) {
  Clear();
  status_ = std::move(error);
  return false;
}

// Looks at the leaf just reached: which entries are within the bounds.
void Cursor::EnterLeaf(bool forward) {
  const NodeView leaf = path_[0].node();
  bool equal = false;
  place_.page = leaf.page();
  place_.first = lower_.empty() ? 0 : leaf.LowerBound(lower_, &equal);
  place_.end = upper_ ? leaf.LowerBound(*upper_, &equal) : leaf.count();
  prefix_in_key_ = false;
  NoteNeighbour(forward);
}

void Cursor::NoteNeighbour(bool forward) {
  place_.neighbour = place_.neighbour_end = nullptr;
  if (path_.size() < 2) return;
  const bool ends_here = forward ? place_.end < path_[0].node().count() : place_.first > 0;
  const size_t slot = path_[1].slot;
  const NodeView parent = path_[1].node();
  // Another parent's child is not looked for.
  if (ends_here || (forward ? slot + 1 >= parent.count() : slot == 0)) return;
  place_.neighbour = pages_->Whereabouts(parent.reference(forward ? slot + 1 : slot - 1).id);
  if (place_.neighbour == nullptr) return;
  // All of it in as many steps as the walk through a leaf has.
  constexpr size_t kMostLines = 8;
  const size_t lines = pages_->page_bytes() / kCacheLine;
  place_.neighbour_end = place_.neighbour + lines * kCacheLine;
  place_.stride =
      std::min(lines / std::max<size_t>(path_[0].node().count(), 1) + 1, kMostLines) * kCacheLine;
}

// Takes the entry if it is within the bounds of the leaf; false otherwise.
bool Cursor::Take(size_t at) {
  if (at < place_.first || at >= place_.end) return false;
  place_.position = at;
  return true;
}

// Pins the path to the leaf for `wanted`. False if there is none, or on an error.
bool Cursor::DescendTo(std::string_view wanted, bool forward) {
  Clear();
  if (root_.empty()) return false;
  absl::Status status = CheckRoot(root_);
  if (!status.ok()) return Fail(std::move(status));
  path_.resize(root_.level + size_t{1});
  pager::Reference reference = root_.reference;
  for (size_t level = root_.level;; --level) {
    // The pin, the check of the page and the search each wait for memory otherwise.
    const std::byte* const page = pages_->Whereabouts(reference.id);
    if (page != nullptr) PrefetchNode(page, static_cast<uint8_t>(level), reference.entries);
    status = PinChild(reference, level, false);
    if (!status.ok()) return Fail(std::move(status));
    if (level == 0) break;
    PathStep& step = path_[level];
    step.slot = step.node().ChildFor(wanted);
    reference = step.node().reference(step.slot);
  }
  EnterLeaf(forward);
  return true;
}

// Pins the page that `reference` names as path_[level], at its first or its last entry.
absl::Status Cursor::PinChild(const pager::Reference& reference, size_t level, bool to_last) {
  KEEL_ASSIGN_OR_RETURN(PageHandle page,
                        PinNode(*pages_, keyspace_, reference, static_cast<uint8_t>(level)));
  PathStep& step = path_[level];
  step.page = std::move(page);
  step.reference = reference;
  step.slot = to_last ? step.node().count() - 1 : 0;
  return CheckFences(path_, level);
}

// Pins what lies below the child at path_[level].slot: its first leaf, or going backward its last one.
bool Cursor::DescendFrom(size_t level, bool forward) {
  for (; level > 0; --level) {
    const pager::Reference child = path_[level].node().reference(path_[level].slot);
    absl::Status pinned = PinChild(child, level - 1, !forward);
    if (!pinned.ok()) return Fail(std::move(pinned));
  }
  EnterLeaf(forward);
  return true;
}

// Pins the path to the tree's last leaf. False if there is none, or on an error.
bool Cursor::DescendToLast() {
  Clear();
  if (root_.empty()) return false;
  absl::Status pinned = CheckRoot(root_);
  if (pinned.ok()) {
    path_.resize(root_.level + size_t{1});
    pinned = PinChild(root_.reference, root_.level, true);
  }
  if (!pinned.ok()) return Fail(std::move(pinned));
  return DescendFrom(root_.level, false);
}

// Moves to the next leaf, or the one before. False at the tree's end, or on an error.
bool Cursor::MoveLeaf(bool forward) {
  // What the steps have left of it (a seek may have come in just before its end), all at once now.
  for (; place_.neighbour != place_.neighbour_end; place_.neighbour += kCacheLine) {
    __builtin_prefetch(place_.neighbour);
  }
  place_ = {};
  for (size_t level = 1; level < path_.size(); ++level) {
    PathStep& step = path_[level];
    if (forward ? step.slot + 1 >= step.node().count() : step.slot == 0) continue;
    step.slot = forward ? step.slot + 1 : step.slot - 1;
    return DescendFrom(level, forward);
  }
  Clear();
  return false;
}

// Positions at entry `at` of the leaf or, if it is behind the last one, at the next leaf's first.
void Cursor::SettleFrom(size_t at) {
  if (at < path_[0].node().count()) {
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
  const NodeView leaf = path_[0].node();
  const size_t end = std::min(from + kCells, leaf.count());
  for (size_t i = from; i < end; ++i) PrefetchCell(leaf.cell(i));
}

void Cursor::SeekToFirst() { Seek(lower_); }

void Cursor::SeekToLast() {
  if (upper_) {
    if (DescendTo(*upper_, false)) SettleBefore(place_.end);
    return;
  }
  if (DescendToLast()) SettleBefore(path_[0].node().count());
}

void Cursor::Seek(std::string_view key) {
  if (key < lower_) key = lower_;
  if (!DescendTo(key, true)) return;
  bool equal = false;
  const size_t at = path_[0].node().LowerBound(key, &equal);
  FetchCells(at);
  SettleFrom(at);
}

void Cursor::SeekForPrev(std::string_view key) {
  if (upper_ && key >= *upper_) return SeekToLast();
  if (!DescendTo(key, false)) return;
  bool equal = false;
  const size_t at = path_[0].node().LowerBound(key, &equal);
  SettleBefore(at + (equal ? 1 : 0));
}

PageHandle Cursor::PinLeaf() const {
  KEEL_DCHECK(valid());
  const PageHandle& leaf = path_[0].page;
  leaf.pins()->fetch_add(1, std::memory_order_relaxed);
  return PageHandle(leaf.bytes(), leaf.pins());
}

void Cursor::Reset(KeyspaceId keyspace, const TreeRoot& root) {
  Clear();
  keyspace_ = keyspace;
  root_ = root;
}

}  // namespace keel::btree
