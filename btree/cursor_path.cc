#include "btree/cursor_path.h"

#include <utility>

#include "base/status.h"
#include "btree/lookup.h"
#include "pager/guard.h"
#include "pager/page_cache.h"

namespace keel::btree {

namespace {

// Nodes that are in memory, good as long as this lives. What is not there, or not what it should be, is Cancelled.
class ResidentNodes {
 public:
  ResidentNodes(pager::PageCache& cache, KeyspaceId keyspace)
      : cache_(cache), keyspace_(keyspace), guard_(cache.guards()) {}

  absl::Status Take(const pager::Reference& reference, size_t level, const std::byte** page) {
    *page = cache_.Find(reference.id);
    if (*page == nullptr) return absl::CancelledError();
    const bool wanted = IsWanted(NodeView(*page).header(), reference.id, reference.birth, keyspace_,
                                 static_cast<uint8_t>(level));
    return wanted ? absl::OkStatus() : absl::CancelledError();
  }
  // Has memory look for what is needed of a node before any of it is.
  void Fetch(const pager::Reference& reference, size_t level) {
    const std::byte* const page = cache_.Whereabouts(reference.id);
    if (page == nullptr) return;
    PrefetchNode(page, static_cast<uint8_t>(level), reference.entries);
    if (level == 0) cache_.FetchPin(page);
  }
  PageHandle Pin(const std::byte* page) { return cache_.PinFound(page); }

 private:
  pager::PageCache& cache_;
  const KeyspaceId keyspace_;
  const pager::ReadGuard guard_;
};

// Nodes that are read if they have to be, pinned as long as this lives. Tells what is wrong.
class PinnedNodes {
 public:
  PinnedNodes(PageSource& pages, KeyspaceId keyspace) : pages_(pages), keyspace_(keyspace) {}

  absl::Status Take(const pager::Reference& reference, size_t level, const std::byte** page) {
    KEEL_ASSIGN_OR_RETURN(PageHandle pinned,
                          PinNode(pages_, keyspace_, reference, static_cast<uint8_t>(level)));
    *page = pinned.bytes();
    nodes_.push_back(std::move(pinned));
    return absl::OkStatus();
  }
  void Fetch(const pager::Reference& /*reference*/, size_t /*level*/) {}
  // The one that was taken last.
  PageHandle Pin(const std::byte* /*page*/) { return std::move(nodes_.back()); }

 private:
  PageSource& pages_;
  const KeyspaceId keyspace_;
  absl::InlinedVector<PageHandle, 8> nodes_;
};

// Does something with nodes in memory or, where that does not go, by pins.
template <typename Do>
absl::Status WithNodes(PageSource& pages, KeyspaceId keyspace, Do&& act) {
  if (pager::PageCache* const cache = pages.cache(); cache != nullptr) {
    ResidentNodes nodes(*cache, keyspace);
    if (act(nodes).ok()) [[likely]]
      return absl::OkStatus();
  }
  PinnedNodes nodes(pages, keyspace);
  return act(nodes);
}

}  // namespace

size_t CursorPath::Target::SlotIn(const NodeView& node) const {
  if (key) return node.ChildFor(*key);
  return forward ? 0 : node.count() - 1;
}

absl::Status CursorPath::DescendTo(const TreeRoot& root, std::string_view key, bool forward) {
  return Descend(root, {.forward = forward, .key = key});
}

absl::Status CursorPath::DescendToLast(const TreeRoot& root) {
  return Descend(root, {.forward = false, .key = {}});
}

absl::Status CursorPath::Descend(const TreeRoot& root, const Target& target) {
  Release();
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  steps_.resize(root.level + size_t{1});
  neighbour_ = std::nullopt;
  return WithNodes(*pages_, keyspace_, [&](auto& nodes) {
    return GoDown(nodes, root.level, root.reference, {}, target);
  });
}

// Takes the node that `reference` names, on `level`, and those below it down to the leaf.
template <typename Nodes>
absl::Status CursorPath::GoDown(Nodes& nodes, size_t level, pager::Reference reference,
                                FencesAbove fences, const Target& target) {
  for (;; --level) {
    const std::byte* page = nullptr;
    KEEL_RETURN_IF_ERROR(nodes.Take(reference, level, &page));
    const NodeView node(page);
    KEEL_RETURN_IF_ERROR(CheckFences(node, fences));
    Step& step = steps_[level];
    step.reference = reference;
    step.count = node.count();
    if (level == 0) {
      leaf_ = nodes.Pin(page);
      return absl::OkStatus();
    }
    step.slot = target.SlotIn(node);
    reference = Follow(node, level, target.forward, &fences);
    nodes.Fetch(reference, level - 1);
  }
}

// The child at the step's slot, and the fences that the node sets for it.
pager::Reference CursorPath::Follow(const NodeView& node, size_t level, bool forward,
                                    FencesAbove* fences) {
  const size_t slot = steps_[level].slot;
  fences->Narrow(node, slot);
  if (level == 1) {
    const bool last = forward ? slot + 1 == node.count() : slot == 0;
    neighbour_ =
        last ? std::nullopt : std::optional(node.reference(forward ? slot + 1 : slot - 1).id);
  }
  return node.reference(slot);
}

// The lowest level on which the way can go on to the next child, or to the one before; 0: there is none.
size_t CursorPath::LevelToMove(bool forward) const {
  for (size_t level = 1; level < steps_.size(); ++level) {
    const Step& step = steps_[level];
    if (forward ? step.slot + 1 < step.count : step.slot > 0) return level;
  }
  return 0;
}

absl::Status CursorPath::Move(bool forward) {
  Release();
  const size_t level = LevelToMove(forward);
  size_t& slot = steps_[level].slot;
  slot = forward ? slot + 1 : slot - 1;
  const Target target{.forward = forward, .key = {}};
  return WithNodes(*pages_, keyspace_, [&](auto& nodes) { return GoAside(nodes, level, target); });
}

// A node that the way led through before.
template <typename Nodes>
absl::Status CursorPath::TakeAgain(Nodes& nodes, size_t level, const std::byte** page) {
  const Step& step = steps_[level];
  KEEL_RETURN_IF_ERROR(nodes.Take(step.reference, level, page));
  if (NodeView(*page).count() == step.count) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, "page %d: %d children, where there were %d (Q1)",
                    step.reference.id.value, NodeView(*page).count(), step.count);
}

// Goes on from such a node, the slot having changed.
template <typename Nodes>
absl::Status CursorPath::GoAside(Nodes& nodes, size_t level, const Target& target) {
  const std::byte* page = nullptr;
  KEEL_RETURN_IF_ERROR(TakeAgain(nodes, level, &page));
  FencesAbove fences;
  const pager::Reference child = Follow(NodeView(page), level, target.forward, &fences);
  KEEL_RETURN_IF_ERROR(Widen(nodes, level + 1, &fences));
  return GoDown(nodes, level - 1, child, fences, target);
}

// The fences that are not set yet, from `level` up.
template <typename Nodes>
absl::Status CursorPath::Widen(Nodes& nodes, size_t level, FencesAbove* fences) {
  for (; level < steps_.size() && !(fences->lower && fences->upper); ++level) {
    const std::byte* page = nullptr;
    KEEL_RETURN_IF_ERROR(TakeAgain(nodes, level, &page));
    fences->Widen(NodeView(page), steps_[level].slot);
  }
  return absl::OkStatus();
}

}  // namespace keel::btree
