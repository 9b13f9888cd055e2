#include "btree/diff.h"

#include <absl/container/inlined_vector.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/status.h"
#include "btree/node_view.h"
#include "btree/path.h"

namespace keel::btree {

namespace {

// A position before an entry or before a subtree that was not looked into.
//
// Invariants:
//   D1  Everything of the tree that lies in the range and before the position has been passed.
//   D2  No key of a subtree at the position, or behind it, is below key().
class Walker {
 public:
  Walker(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root, const Range& range)
      : pages_(pages), keyspace_(keyspace), root_(root), range_(range), at_root_(!root.empty()) {}

  bool done() const { return !at_root_ && frames_.empty(); }
  bool at_entry() const { return !at_root_ && frames_.back().level == 0; }

  // REQUIRES: !done(). Of what is at the position; -1 for an entry.
  int level() const { return at_root_ ? root_.level : int{frames_.back().level} - 1; }
  KeyParts key() const {
    if (at_root_) return {};
    const Frame& frame = frames_.back();
    return frame.level > 0 && frame.slot == 0 ? frame.lower : frame.node().key(frame.slot);
  }
  // REQUIRES: not at an entry.
  pager::Reference reference() const {
    return at_root_ ? root_.reference : frames_.back().node().reference(frames_.back().slot);
  }
  // REQUIRES: at an entry.
  ValueSlot value() const { return frames_.back().node().value(frames_.back().slot); }

  // Looks into the subtree at the position. REQUIRES: not at an entry.
  absl::Status Enter();
  // Passes what is at the position.
  void Skip();

 private:
  struct Frame {
    PageHandle page;
    size_t slot = 0;
    uint8_t level = 0;
    // Where the node's range lies, by separators of the frames above.
    KeyParts lower;
    std::optional<KeyParts> upper;

    NodeView node() const { return NodeView(page.bytes()); }
  };

  // Ends the walk at the range's end, and climbs out of nodes that have been passed.
  void Settle();

  PageSource& pages_;
  const KeyspaceId keyspace_;
  const TreeRoot root_;
  const Range range_;
  bool at_root_;
  absl::InlinedVector<Frame, 8> frames_;
};

absl::Status Walker::Enter() {
  Frame frame;
  if (at_root_) {
    KEEL_RETURN_IF_ERROR(CheckRoot(root_));
  } else {
    const Frame& above = frames_.back();
    const NodeView node = above.node();
    frame.lower = key();
    frame.upper = above.slot + 1 < node.count() ? node.key(above.slot + 1) : above.upper;
  }
  frame.level = static_cast<uint8_t>(level());
  KEEL_ASSIGN_OR_RETURN(frame.page, PinNode(pages_, keyspace_, reference(), frame.level));
  const NodeView node = frame.node();
  KEEL_RETURN_IF_ERROR(CheckWithin(node, frame.lower, frame.upper));
  bool equal = false;
  frame.slot =
      frame.level == 0 ? node.LowerBound(range_.begin, &equal) : node.ChildFor(range_.begin);
  at_root_ = false;
  frames_.push_back(std::move(frame));
  Settle();
  return absl::OkStatus();
}

void Walker::Skip() {
  if (at_root_) {
    at_root_ = false;
    return;
  }
  ++frames_.back().slot;
  Settle();
}

void Walker::Settle() {
  while (!frames_.empty() && frames_.back().slot >= frames_.back().node().count()) {
    frames_.pop_back();
    if (!frames_.empty()) ++frames_.back().slot;
  }
  if (frames_.empty() || !range_.end) return;
  if (std::is_gteq(CompareKeys(key(), KeyParts{*range_.end, {}}))) frames_.clear();
}

class Differ {
 public:
  Differ(PageSource& pages, KeyspaceId keyspace, const TreeRoot& before, const TreeRoot& after,
         const Range& range, absl::FunctionRef<absl::Status(const Change&)> visit)
      : before_(pages, keyspace, before, range),
        after_(pages, keyspace, after, range),
        visit_(visit) {}

  absl::Status Run();

 private:
  absl::Status StepBoth();
  // The tree whose position comes first: its entry is missing in the other, its subtree may be.
  absl::Status StepOne(Walker& walker);
  absl::Status Tell(const Walker& where, bool had, bool has);

  Walker before_;
  Walker after_;
  const absl::FunctionRef<absl::Status(const Change&)> visit_;
  std::string key_;
};

absl::Status Differ::Run() {
  while (!before_.done() && !after_.done()) {
    if (!before_.at_entry() && !after_.at_entry() && before_.level() == after_.level() &&
        before_.reference() == after_.reference()) {
      before_.Skip();
      after_.Skip();
      continue;
    }
    const auto order = CompareKeys(before_.key(), after_.key());
    if (std::is_eq(order) && before_.level() == after_.level()) {
      KEEL_RETURN_IF_ERROR(StepBoth());
      continue;
    }
    // Where both begin at one key the higher subtree may hold the other.
    const bool before_first =
        std::is_eq(order) ? before_.level() > after_.level() : std::is_lt(order);
    KEEL_RETURN_IF_ERROR(StepOne(before_first ? before_ : after_));
  }
  while (!before_.done()) KEEL_RETURN_IF_ERROR(StepOne(before_));
  while (!after_.done()) KEEL_RETURN_IF_ERROR(StepOne(after_));
  return absl::OkStatus();
}

absl::Status Differ::StepBoth() {
  if (!before_.at_entry()) {
    KEEL_RETURN_IF_ERROR(before_.Enter());
    return after_.Enter();
  }
  const ValueSlot had = before_.value();
  const ValueSlot has = after_.value();
  if (had.large != has.large || had.bytes != has.bytes) {
    KEEL_RETURN_IF_ERROR(Tell(before_, true, true));
  }
  before_.Skip();
  after_.Skip();
  return absl::OkStatus();
}

absl::Status Differ::StepOne(Walker& walker) {
  if (!walker.at_entry()) return walker.Enter();
  const bool is_before = &walker == &before_;
  KEEL_RETURN_IF_ERROR(Tell(walker, is_before, !is_before));
  walker.Skip();
  return absl::OkStatus();
}

absl::Status Differ::Tell(const Walker& where, bool had, bool has) {
  const KeyParts key = where.key();
  key_.resize(key.size());
  key.CopyTo(key_.data());
  Change change{.key = key_, .before = {}, .after = {}};
  if (had) change.before = before_.value();
  if (has) change.after = after_.value();
  return visit_(change);
}

}  // namespace

absl::Status Diff(PageSource& pages, KeyspaceId keyspace, const TreeRoot& before,
                  const TreeRoot& after, const Range& range,
                  absl::FunctionRef<absl::Status(const Change&)> visit) {
  return Differ(pages, keyspace, before, after, range, visit).Run();
}

}  // namespace keel::btree
