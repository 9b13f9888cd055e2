#include "fault_injection/durability.h"

#include <algorithm>
#include <utility>

namespace keel::fault_injection {
namespace {

bool Contains(std::span<const uint64_t> ids, uint64_t id) {
  return std::ranges::binary_search(ids, id);
}

bool IsName(const Effect& effect) { return !effect.IsOfFile(); }

}  // namespace

void Durability::Add(EffectRef effect) {
  const SectorMask sectors = effect->sectors;
  pending_.push_back({std::move(effect), sectors});
}

// Whether `newer`, now durable, leaves nothing of `older`, which was begun before it.
bool Durability::Overtaken(const PendingEffect& older, const Effect& newer) const {
  const Effect& effect = *older.effect;
  if (IsName(effect) || IsName(newer)) return IsName(newer) && effect.path == newer.path;
  if (effect.inode != newer.inode) return false;
  if (newer.kind == Effect::Kind::kData || effect.IsData()) return older.sectors == 0;
  return true;  // both set the size
}

void Durability::Settle(std::span<const uint64_t> ids) {
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i].lost || !Contains(ids, pending_[i].effect->id)) continue;
    const Effect& now = *pending_[i].effect;
    durable_.Apply(now, pending_[i].sectors);
    for (size_t j = 0; j < i; ++j) {
      PendingEffect& older = pending_[j];
      const Effect& effect = *older.effect;
      if (effect.IsData() && now.IsData() && effect.inode == now.inode &&
          effect.block == now.block) {
        older.sectors &= static_cast<SectorMask>(~now.sectors);
      }
    }
  }
  std::vector<PendingEffect> left;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i].lost && Contains(ids, pending_[i].effect->id)) continue;
    const bool overtaken = std::any_of(pending_.begin() + static_cast<ptrdiff_t>(i) + 1,
                                       pending_.end(), [&](const PendingEffect& newer) {
                                         return !newer.lost && Contains(ids, newer.effect->id) &&
                                                Overtaken(pending_[i], *newer.effect);
                                       });
    if (!overtaken) left.push_back(pending_[i]);
  }
  pending_ = std::move(left);
}

void Durability::Lose(std::span<const uint64_t> ids) {
  for (PendingEffect& pending : pending_) {
    if (Contains(ids, pending.effect->id)) pending.lost = true;
  }
}

void Durability::Forget(std::span<const uint64_t> ids) {
  std::erase_if(pending_,
                [ids](const PendingEffect& pending) { return Contains(ids, pending.effect->id); });
}

void Durability::Replay(const TraceEvent& event) {
  switch (event.kind) {
    case TraceEvent::Kind::kEffect:
      Add(event.effect);
      break;
    case TraceEvent::Kind::kBarrier:
      Settle(event.covered);
      break;
    case TraceEvent::Kind::kLost:
      Lose(event.covered);
      break;
    case TraceEvent::Kind::kGone:
      Forget(event.covered);
      break;
    case TraceEvent::Kind::kMark:
      break;
  }
}

std::vector<uint64_t> Durability::OfFile(InodeId inode) const {
  std::vector<uint64_t> ids;
  for (const PendingEffect& pending : pending_) {
    const Effect& effect = *pending.effect;
    if (!pending.lost && effect.IsOfFile() && effect.inode == inode) ids.push_back(effect.id);
  }
  return ids;
}

std::vector<uint64_t> Durability::OfDirectory(const std::string& directory) const {
  std::vector<uint64_t> ids;
  for (const PendingEffect& pending : pending_) {
    const Effect& effect = *pending.effect;
    if (!pending.lost && !effect.IsOfFile() && ParentOf(effect.path) == directory) {
      ids.push_back(effect.id);
    }
  }
  return ids;
}

}  // namespace keel::fault_injection
