// Which dead pages may be used again, and when.
//
// A page lives in the versions with birth <= epoch < death. A keeper is an epoch whose version is
// still needed: a snapshot, a backup, the last durable checkpoint, the one in progress.
//
//   R4  A death is examined only once the visible version's epoch >= that death; then the page is
//       free if no keeper has birth <= epoch < death. (Where nobody can come to keep an older version
//       the writer asks HolderOf at once: WriteSession::Superseding.)
//
// Held pages are kept in sets by (oldest holder, newest holder): neighbouring keepers bound an
// interval of births and one of deaths, so ids need no births of their own, and releasing a keeper
// merges neighbouring sets (after ZFS's dead lists with sub-lists).

#ifndef KEEL_PAGER_RECLAIMER_H_
#define KEEL_PAGER_RECLAIMER_H_

#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/types.h"
#include "pager/dead_pages.h"
#include "pager/page_set.h"

namespace keel::pager {

// REQUIRES: the registry mutex for every call.
class Reclaimer {
 public:
  // What a version is kept for: to be read, as by snapshots and backups; or to be found after a crash.
  enum class Purpose : uint8_t { kReading, kRecovery };
  // Who holds a page.
  enum class Holder : uint8_t { kNobody, kUnread, kReader };
  // Keepers are counted: the same epoch may be kept several times. REQUIRES: `epoch` is the visible
  // version's or later (so no death queued so far concerns it), or is kept already.
  void AddKeeper(Epoch epoch, Purpose purpose = Purpose::kReading);
  // What nobody holds any more goes to `freed`. REQUIRES: `epoch` is kept for that.
  void ReleaseKeeper(Epoch epoch, PageSet* freed, Purpose purpose = Purpose::kReading);

  // Queues the deaths of a version that has become visible, not before (R4). Looks at no page.
  // REQUIRES: every page has birth < death and count > 0.
  void AddDeaths(Epoch death, DeadPages deaths);
  // Single pages that are kept, but for no reader.
  using Unread = absl::InlinedVector<PageId, 16>;
  // Examines up to `max_pages` queued dead pages; those that are free go to `freed`, those that nobody reads to
  // `unread`, if that is given. Returns how many were examined.
  uint64_t Examine(uint64_t max_pages, PageSet* freed, Unread* unread = nullptr);
  uint64_t unexamined() const { return unexamined_; }

  // Of a page of that birth and death.
  Holder HolderOf(Epoch birth, Epoch death) const;

  // Pages alive at keeper `older` but no longer at keeper `newer`: what a checkpoint at `newer`
  // clears in the map of the checkpoint at `older`. REQUIRES: both are keepers, older <= newer;
  // everything with a death up to `newer` has been examined.
  PageSet DiedBetween(Epoch older, Epoch newer) const;

  // Dead pages that only `epoch` holds, and those it shares with other keepers.
  struct Held {
    uint64_t alone = 0;
    uint64_t shared = 0;
  };
  Held HeldBy(Epoch epoch) const;
  uint64_t held() const;  // dead pages kept by anybody
  size_t memory_bytes() const;
  std::vector<Epoch> Keepers() const;

 private:
  struct Batch {
    Epoch death;
    DeadPages deaths;  // not yet examined
  };
  // Sets of pages by their oldest holder.
  using ByOldest = std::map<Epoch, PageSet>;

  struct Keeper {
    uint64_t readers = 0;
    uint64_t others = 0;

    uint64_t& count(Purpose purpose) { return purpose == Purpose::kReading ? readers : others; }
  };

  // Where pages of that birth and death belong: with those who hold them, or to `freed`.
  PageSet* PlaceOf(Epoch birth, Epoch death, PageSet* freed);
  void LowerNewest(Epoch released, PageSet* freed);
  void RaiseOldest(Epoch released);
  // Calls visit(oldest, newest, pages) for each set that `epoch` holds.
  template <typename Visit>
  void ForEachHeldBy(Epoch epoch, Visit&& visit) const;

  std::map<Epoch, Keeper> keepers_;
  std::map<Epoch, ByOldest> held_;  // by newest holder; no empty sets
  std::deque<Batch> queue_;
  uint64_t unexamined_ = 0;
  Epoch newest_death_;  // of all ever queued
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_RECLAIMER_H_
