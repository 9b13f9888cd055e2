#include "pager/reclaimer.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/check.h"

namespace keel::pager {

void Reclaimer::AddKeeper(Epoch epoch, Purpose purpose) {
  KEEL_CHECK(epoch >= newest_death_ || keepers_.contains(epoch));
  ++keepers_[epoch].count(purpose);
}

void Reclaimer::ReleaseKeeper(Epoch epoch, PageSet* freed, Purpose purpose) {
  const auto keeper = keepers_.find(epoch);
  KEEL_CHECK(keeper != keepers_.end() && keeper->second.count(purpose) > 0);
  --keeper->second.count(purpose);
  if (keeper->second.readers > 0 || keeper->second.others > 0) return;
  LowerNewest(epoch, freed);
  RaiseOldest(epoch);
  keepers_.erase(keeper);
}

// What `released` was the newest holder of is left to the keeper before it, or to nobody.
void Reclaimer::LowerNewest(Epoch released, PageSet* freed) {
  const auto held = held_.find(released);
  if (held == held_.end()) return;
  ByOldest sets = std::move(held->second);
  held_.erase(held);
  if (const auto alone = sets.find(released); alone != sets.end()) {
    freed->Absorb(std::move(alone->second));
    sets.erase(alone);
  }
  if (sets.empty()) return;
  // A set with an older holder has one: every holder between its oldest and newest is a keeper.
  const Epoch before = std::prev(keepers_.find(released))->first;
  ByOldest& target = held_[before];
  for (auto& [oldest, pages] : sets) target[oldest].Absorb(std::move(pages));
}

// What `released` was the oldest holder of is left to the keeper after it.
void Reclaimer::RaiseOldest(Epoch released) {
  for (auto held = held_.upper_bound(released); held != held_.end(); ++held) {
    const auto set = held->second.find(released);
    if (set == held->second.end()) continue;
    const Epoch after = std::next(keepers_.find(released))->first;
    PageSet pages = std::move(set->second);
    held->second.erase(set);
    held->second[after].Absorb(std::move(pages));
  }
}

void Reclaimer::AddDeaths(Epoch death, DeadPages deaths) {
  newest_death_ = std::max(newest_death_, death);
  if (deaths.empty()) return;
  unexamined_ += deaths.pages();
  queue_.push_back(Batch{death, std::move(deaths)});
}

uint64_t Reclaimer::Examine(uint64_t max_pages, PageSet* freed, Unread* unread) {
  uint64_t examined = 0;
  while (examined < max_pages && !queue_.empty()) {
    Batch& batch = queue_.front();
    const uint64_t most = max_pages - examined;
    if (const std::optional<DeadPage> page = batch.deaths.TakeListed(most); page.has_value()) {
      KEEL_DCHECK(page->birth < batch.death && page->count > 0);
      PageSet* const place = PlaceOf(page->birth, batch.death, freed);
      place->InsertRun(page->first, page->count);
      if (unread != nullptr && page->count == 1 &&
          HolderOf(page->birth, batch.death) == Holder::kUnread) {
        unread->push_back(page->first);
      }
      examined += page->count;
    } else {
      PageSet pages;
      const Epoch birth = batch.deaths.TakeFromSet(most, &pages);
      KEEL_DCHECK(birth < batch.death);
      examined += pages.size();
      PlaceOf(birth, batch.death, freed)->Absorb(std::move(pages));
    }
    if (batch.deaths.empty()) queue_.pop_front();
  }
  unexamined_ -= examined;
  return examined;
}

PageSet* Reclaimer::PlaceOf(Epoch birth, Epoch death, PageSet* freed) {
  const auto oldest = keepers_.lower_bound(birth);
  if (oldest == keepers_.end() || oldest->first >= death) return freed;
  const Epoch newest = std::prev(keepers_.lower_bound(death))->first;
  return &held_[newest][oldest->first];
}

Reclaimer::Holder Reclaimer::HolderOf(Epoch birth, Epoch death) const {
  Holder holder = Holder::kNobody;
  for (auto keeper = keepers_.lower_bound(birth); keeper != keepers_.end() && keeper->first < death;
       ++keeper) {
    if (keeper->second.readers > 0) return Holder::kReader;
    holder = Holder::kUnread;
  }
  return holder;
}

PageSet Reclaimer::DiedBetween(Epoch older, Epoch newer) const {
  KEEL_CHECK(older <= newer && keepers_.contains(older) && keepers_.contains(newer));
  for (const Batch& batch : queue_) KEEL_CHECK(batch.death > newer);
  PageSet died;
  ForEachHeldBy(older, [&](Epoch /*oldest*/, Epoch newest, const PageSet& pages) {
    if (newest >= newer) return;
    PageSet copy = pages;
    died.Absorb(std::move(copy));
  });
  return died;
}

template <typename Visit>
void Reclaimer::ForEachHeldBy(Epoch epoch, Visit&& visit) const {
  for (auto held = held_.lower_bound(epoch); held != held_.end(); ++held) {
    for (const auto& [oldest, pages] : held->second) {
      if (oldest > epoch) break;
      visit(oldest, held->first, pages);
    }
  }
}

Reclaimer::Held Reclaimer::HeldBy(Epoch epoch) const {
  Held held;
  ForEachHeldBy(epoch, [&](Epoch oldest, Epoch newest, const PageSet& pages) {
    (oldest == newest ? held.alone : held.shared) += pages.size();
  });
  return held;
}

uint64_t Reclaimer::held() const {
  uint64_t pages = 0;
  for (const auto& [newest, sets] : held_) {
    for (const auto& [oldest, set] : sets) pages += set.size();
  }
  return pages;
}

size_t Reclaimer::memory_bytes() const {
  size_t bytes = keepers_.size() * sizeof(std::pair<const Epoch, Keeper>);
  for (const auto& [newest, sets] : held_) {
    for (const auto& [oldest, set] : sets) bytes += sizeof(PageSet) + set.memory_bytes();
  }
  for (const Batch& batch : queue_) bytes += sizeof(Batch) + batch.deaths.memory_bytes();
  return bytes;
}

std::vector<Epoch> Reclaimer::Keepers() const {
  std::vector<Epoch> epochs;
  epochs.reserve(keepers_.size());
  for (const auto& [epoch, keeper] : keepers_) epochs.push_back(epoch);
  return epochs;
}

}  // namespace keel::pager
