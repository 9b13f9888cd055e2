#include "btree/cursor.h"

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "btree/node_view.h"
#include "btree/path.h"

namespace keel::btree {

// The position is an entry of the pinned leaf, within [first, end) of its entries: those inside the bounds.
struct Cursor::State {
  PageSource* pages;
  KeyspaceId keyspace;
  TreeRoot root;
  std::string lower;
  std::optional<std::string> upper;

  Path path;  // with page: the way to the leaf
  bool valid = false;
  size_t position = 0;
  size_t first = 0;
  size_t end = 0;
  absl::Status status;
  // The current key, put together when it is asked for; its first bytes are the leaf's prefix.
  mutable std::string key;
  mutable size_t prefix_in_key = 0;
  mutable bool key_ready = false;

  NodeView leaf() const { return path[0].node(); }

  // Gives up position and error.
  void Clear() {
    valid = false;
    status = absl::OkStatus();
    for (PathStep& step : path) step.page.Release();
  }

  void Fail(absl::Status error) {
    Clear();
    status = std::move(error);
  }

  // Looks at the leaf just reached: which entries are within the bounds.
  void EnterLeaf() {
    const NodeView node = leaf();
    bool equal = false;
    first = lower.empty() ? 0 : node.LowerBound(lower, &equal);
    end = upper ? node.LowerBound(*upper, &equal) : node.count();
    prefix_in_key = 0;
  }

  // Takes the entry if it is within the bounds of the leaf; false otherwise.
  bool Take(size_t at) {
    key_ready = false;
    position = at;
    valid = at >= first && at < end;
    return valid;
  }

  // Pins the path to the leaf for `wanted`. False if there is none, or on an error.
  bool DescendTo(std::string_view wanted) {
    Clear();
    if (root.empty()) return false;
    absl::Status descended = Descend(*pages, keyspace, root, wanted, &path);
    if (!descended.ok()) {
      Fail(std::move(descended));
      return false;
    }
    EnterLeaf();
    return true;
  }

  // Pins the page that `reference` names as path[level], at its first or its last entry.
  absl::Status Step(const pager::Reference& reference, size_t level, bool to_last) {
    KEEL_ASSIGN_OR_RETURN(PageHandle page,
                          PinNode(*pages, keyspace, reference, static_cast<uint8_t>(level)));
    PathStep& step = path[level];
    step.page = std::move(page);
    step.reference = reference;
    step.slot = to_last ? step.node().count() - 1 : 0;
    return CheckFences(path, level);
  }

  // Pins what lies below the child at path[level].slot: its first leaf, or its last one.
  bool DescendFrom(size_t level, bool to_last) {
    for (; level > 0; --level) {
      absl::Status stepped =
          Step(path[level].node().reference(path[level].slot), level - 1, to_last);
      if (!stepped.ok()) {
        Fail(std::move(stepped));
        return false;
      }
    }
    EnterLeaf();
    return true;
  }

  // Pins the path to the tree's last leaf. False if there is none, or on an error.
  bool DescendToLast() {
    Clear();
    if (root.empty()) return false;
    absl::Status stepped = CheckRoot(root);
    if (stepped.ok()) {
      path.resize(root.level + size_t{1});
      stepped = Step(root.reference, root.level, true);
    }
    if (!stepped.ok()) {
      Fail(std::move(stepped));
      return false;
    }
    return DescendFrom(root.level, true);
  }

  // Moves to the next leaf, or the one before. False at the tree's end, or on an error.
  bool MoveLeaf(bool forward) {
    for (size_t level = 1; level < path.size(); ++level) {
      PathStep& step = path[level];
      if (forward ? step.slot + 1 >= step.node().count() : step.slot == 0) continue;
      step.slot = forward ? step.slot + 1 : step.slot - 1;
      return DescendFrom(level, !forward);
    }
    Clear();
    return false;
  }

  // Positions at entry `at` of the leaf or, if it is behind the last one, at the next leaf's first.
  void Settle(size_t at) {
    if (at < leaf().count()) {
      if (!Take(at)) Clear();
    } else if (MoveLeaf(true) && !Take(first)) {
      Clear();
    }
  }

  // Positions at the entry before entry `at` of the leaf, or at the last one of the leaf before.
  void SettleBefore(size_t at) {
    if (at > 0) {
      if (!Take(at - 1)) Clear();
    } else if (MoveLeaf(false) && !(end > 0 && Take(end - 1))) {
      Clear();
    }
  }

  void AssembleKey() const {
    const NodeView node = leaf();
    if (prefix_in_key == 0) key.assign(node.prefix());
    prefix_in_key = node.prefix().size();
    key.resize(prefix_in_key);
    key.append(node.suffix(position));
    key_ready = true;
  }
};

Cursor::Cursor(PageSource* pages, KeyspaceId keyspace, const TreeRoot& root, const Range& range)
    : state_(std::make_unique<State>()) {
  state_->pages = pages;
  state_->keyspace = keyspace;
  state_->root = root;
  state_->lower = range.begin;
  if (range.end) state_->upper.emplace(*range.end);
}

Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

void Cursor::SeekToFirst() { Seek(state_->lower); }

void Cursor::SeekToLast() {
  State& state = *state_;
  if (state.upper) {
    if (state.DescendTo(*state.upper)) state.SettleBefore(state.end);
    return;
  }
  if (state.DescendToLast()) state.SettleBefore(state.leaf().count());
}

void Cursor::Seek(std::string_view key) {
  State& state = *state_;
  if (key < state.lower) key = state.lower;
  if (!state.DescendTo(key)) return;
  bool equal = false;
  state.Settle(state.leaf().LowerBound(key, &equal));
}

void Cursor::SeekForPrev(std::string_view key) {
  State& state = *state_;
  if (state.upper && key >= *state.upper) return SeekToLast();
  if (!state.DescendTo(key)) return;
  bool equal = false;
  const size_t at = state.leaf().LowerBound(key, &equal);
  state.SettleBefore(at + (equal ? 1 : 0));
}

void Cursor::Next() {
  State& state = *state_;
  if (!state.valid) return;
  if (!state.Take(state.position + 1)) state.Settle(state.position);
}

void Cursor::Prev() {
  State& state = *state_;
  if (!state.valid) return;
  if (state.position > state.first) {
    state.Take(state.position - 1);
  } else {
    state.SettleBefore(state.position);
  }
}

bool Cursor::valid() const { return state_->valid; }
const absl::Status& Cursor::status() const { return state_->status; }

std::string_view Cursor::key() const {
  KEEL_DCHECK(state_->valid);
  if (!state_->key_ready) state_->AssembleKey();
  return state_->key;
}

ValueSlot Cursor::value() const {
  KEEL_DCHECK(state_->valid);
  return state_->leaf().value(state_->position);
}

PageHandle Cursor::PinLeaf() const {
  KEEL_DCHECK(state_->valid);
  const PageHandle& leaf = state_->path[0].page;
  leaf.pins()->fetch_add(1, std::memory_order_relaxed);
  return PageHandle(leaf.bytes(), leaf.pins());
}

void Cursor::Reset(const TreeRoot& root) {
  state_->Clear();
  state_->root = root;
}

}  // namespace keel::btree
