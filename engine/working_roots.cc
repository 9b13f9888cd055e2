#include "engine/working_roots.h"

namespace keel::engine {

std::optional<WorkingRoots::Seen> WorkingRoots::Look(KeyspaceId keyspace) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const Place& place = places_[keyspace.value % kPlaces];
  const uint64_t count = place.changes.Look();
  if (!Sequence::Settled(count) || place.keyspace.load(kRelaxed) != NameOf(keyspace)) return {};
  Seen seen{.root = {}, .epoch = {}, .changes = &place.changes, .count = count};
  seen.root.reference.id = PageId{place.page.load(kRelaxed)};
  seen.root.reference.birth = Epoch{place.birth.load(kRelaxed)};
  seen.root.level = static_cast<uint8_t>(place.level.load(kRelaxed));
  seen.epoch = Epoch{place.epoch.load(kRelaxed)};
  if (!place.changes.Still(count)) return {};
  if (!looked_.load(kRelaxed)) looked_.store(true, kRelaxed);
  return seen;
}

void WorkingRoots::Show(KeyspaceId keyspace, const pager::TreeRoot& root, Epoch epoch) {
  Place& place = places_[keyspace.value % kPlaces];
  if (!place.Shows(NameOf(keyspace), root)) Fill(&place, NameOf(keyspace), root, epoch);
  any_ = true;
}

void WorkingRoots::Note(KeyspaceId keyspace, const pager::TreeRoot& root) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Place& place = places_[keyspace.value % kPlaces];
  const uint64_t name = NameOf(keyspace);
  if (!any_ || place.keyspace.load(kRelaxed) != name || place.Shows(name, root)) return;
  Fill(&place, name, root, Epoch{place.epoch.load(kRelaxed)});
}

bool WorkingRoots::Place::Shows(uint64_t name, const pager::TreeRoot& root) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return keyspace.load(kRelaxed) == name && page.load(kRelaxed) == root.reference.id.value &&
         birth.load(kRelaxed) == root.reference.birth.value && level.load(kRelaxed) == root.level;
}

void WorkingRoots::Clear() {
  if (!any_) return;
  for (Place& place : places_) {
    if (place.keyspace.load(std::memory_order_relaxed) != 0) Fill(&place, 0, {}, {});
  }
  any_ = false;
}

void WorkingRoots::Fill(Place* place, uint64_t name, const pager::TreeRoot& root, Epoch epoch) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  place->changes.BeginChange();
  place->keyspace.store(name, kRelaxed);
  place->page.store(root.reference.id.value, kRelaxed);
  place->birth.store(root.reference.birth.value, kRelaxed);
  place->level.store(root.level, kRelaxed);
  place->epoch.store(epoch.value, kRelaxed);
  place->changes.EndChange();
}

}  // namespace keel::engine
