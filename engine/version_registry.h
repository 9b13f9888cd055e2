// Versions in use: the visible one, those published behind it, and the snapshots that keep older ones.
//
//   V1  The visible version only moves forward, to a version whose commit is durable, or that is, or precedes, a
//       published kAsync or kNone commit.
//   V2  (R5) One mutex covers: moving the visible version, examining deaths, registering and releasing keepers.
//   V3  (R4) A version's deaths are handed to the reclaimer when it becomes visible, not before.
//   V4  A version is freed only after every guard that may have loaded it has left.
//   V5  While it is hidden, commits are visible that no version holds (engine/unpublished_commits.cc): visible() is null,
//       and what the others tell of is older than that.
//   V6  While it is hidden nobody comes to keep a version. So what the writer drops then belongs, at once, to those who
//       keep one already, or to nobody.
//   V7  Who comes to the visible version is counted there, and takes no lock (engine/version_readers.h). Before it is hidden,
//       or a death behind it is queued, it is closed, and a keeper if somebody reads it. So the reclaimer's keepers are all
//       that hold anything.

#ifndef KEEL_ENGINE_VERSION_REGISTRY_H_
#define KEEL_ENGINE_VERSION_REGISTRY_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/version.h"
#include "pager/guard.h"
#include "pager/page_cache.h"
#include "pager/reclaimer.h"

namespace keel::engine {

class VersionRegistry;

// Keeps a version, and its pages from reuse. Move-only; released on destruction, on any thread. Must not outlive the
// registry.
class VersionKeeper {
 public:
  VersionKeeper() = default;
  // Takes over what has been counted (V7).
  VersionKeeper(VersionRegistry* registry, const Version* version)
      : registry_(registry), version_(version) {}
  VersionKeeper(VersionKeeper&& other) noexcept { *this = std::move(other); }
  VersionKeeper& operator=(VersionKeeper&& other) noexcept {
    Leave();
    registry_ = std::exchange(other.registry_, nullptr);
    version_ = std::exchange(other.version_, nullptr);
    released_ = std::move(other.released_);
    return *this;
  }
  ~VersionKeeper() { Leave(); }

  // The pages are no longer kept; the version itself stays there as long as the keeper.
  void Release();
  explicit operator bool() const { return registry_ != nullptr; }
  const Version& operator*() const { return *version_; }
  const Version* operator->() const { return version_; }

 private:
  void Leave();

  VersionRegistry* registry_ = nullptr;
  const Version* version_ = nullptr;
  std::shared_ptr<const Version> released_;
};

// Thread-safe.
class VersionRegistry {
 public:
  // `recovered` is visible from the start; its epoch is kept for the last durable checkpoint.
  VersionRegistry(const std::shared_ptr<const Version>& recovered, pager::PageCache* cache,
                  pager::GuardDomain* guards);

  // The visible version; null while it is hidden. REQUIRES: a guard; good until it is left.
  const Version* visible() const { return visible_raw_.load(std::memory_order_seq_cst); }
  std::shared_ptr<const Version> Visible() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The visible version, kept. Empty while it is hidden. Waits for nobody, but where another one is taking its place.
  // REQUIRES: no guard.
  VersionKeeper KeepVisible() ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues a version behind those published before. REQUIRES: the writer lock.
  void Publish(std::shared_ptr<const Version> version, pager::DeadPages deaths)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves the visible version forward to the newest published one with lsn <= `lsn`, all of which is durable.
  void AdvanceVisible(Lsn lsn) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, though not all of it may be durable. False: refused by Freeze.
  bool AdvanceUndurable(Lsn lsn) ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on nothing becomes visible that is not durable: a failed flush has been answered.
  void Freeze() ABSL_LOCKS_EXCLUDED(mutex_);
  // Hides the visible version until Reveal. REQUIRES: not hidden.
  void Hide() ABSL_LOCKS_EXCLUDED(mutex_);
  // Publishes the version that holds everything, and makes it visible. REQUIRES: hidden, and not frozen.
  void Reveal(std::shared_ptr<const Version> version, pager::DeadPages deaths)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Who holds a page of a published version that no later one has (V6). REQUIRES: hidden, and so until the page has
  // been dropped.
  pager::Reclaimer::Holder HolderOf(Epoch birth) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The newest published version, visible or not.
  std::shared_ptr<const Version> Newest() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The epochs, ascending, of all versions that are kept, visible, or published: until the next one is published,
  // nobody can come to keep any other.
  std::vector<Epoch> Keepers() const ABSL_LOCKS_EXCLUDED(mutex_);

  // --- checkpoints ---

  // The visible version, kept. REQUIRES: it is not hidden.
  std::shared_ptr<const Version> KeepForCheckpoint() ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps the version that a transaction is about to commit by a checkpoint, though it is not published yet.
  // REQUIRES: the writer lock; every published version is visible; `epoch` is younger than all of them.
  void KeepUnpublished(Epoch epoch) ABSL_LOCKS_EXCLUDED(mutex_);
  // Every death up to the visible version, so that DiedBetween can tell of it.
  void ExamineDeaths() { Reclaim(std::numeric_limits<uint64_t>::max()); }
  // Pages of checkpoint `older` that `newer` no longer reaches.
  pager::PageSet DiedBetween(Epoch older, Epoch newer) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Dead pages that nobody but the checkpoint at `last` holds, and those not yet examined: what the next
  // checkpoint may give back.
  uint64_t ReturnedByCheckpoint(Epoch last) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives a keeper of KeepForCheckpoint or KeepUnpublished back (a failed attempt's, or the previous checkpoint's).
  void ReleaseKeeper(Epoch epoch) ABSL_LOCKS_EXCLUDED(mutex_);

  // Examines up to `max_pages` queued deaths and frees what nobody holds. Returns how many remain.
  uint64_t Reclaim(uint64_t max_pages) ABSL_LOCKS_EXCLUDED(mutex_);

  struct KeptVersion {
    Epoch epoch;
    Lsn lsn;
    uint64_t readers = 0;
    uint64_t pages_held = 0;
  };
  // Of those that are no longer visible and still read, the oldest `most`. What is visible holds no dead pages.
  std::vector<KeptVersion> KeptVersions(size_t most) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Dead pages that a snapshot of this epoch holds, those among them that others hold too.
  uint64_t PagesHeldBy(Epoch epoch) const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t dead_pages_held() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Commits that are published but not visible.
  uint64_t pending() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class VersionKeeper;

  struct Published {
    std::shared_ptr<const Version> version;
    pager::DeadPages deaths;
  };
  struct Retired {
    uint64_t stamp;
    std::shared_ptr<const Version> version;
  };

  // Two versions can have one epoch (Database::Impl::StopLogging). The pointer is only compared.
  using KeptKey = std::pair<Epoch, const Version*>;

  // What a look at deaths has found; given back when the mutex is free again.
  struct Examined {
    pager::PageSet freed;
    pager::Reclaimer::Unread unread;
  };

  bool Advance(Lsn lsn, bool durable) ABSL_LOCKS_EXCLUDED(mutex_);
  void AdvanceLocked(Lsn lsn, Examined* examined) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBack(const Examined& examined);
  void CloseVisible() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(KeptKey key) ABSL_LOCKS_EXCLUDED(mutex_);
  void RetireVersion(std::shared_ptr<const Version> version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropRetired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  pager::PageCache* cache_;
  pager::GuardDomain* guards_;
  const uint32_t process_;
  mutable absl::Mutex mutex_;
  std::atomic<const Version*> visible_raw_;
  std::shared_ptr<const Version> visible_ ABSL_GUARDED_BY(mutex_);
  bool frozen_ ABSL_GUARDED_BY(mutex_) = false;
  bool hidden_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Published> published_ ABSL_GUARDED_BY(mutex_);
  std::deque<Retired> retired_ ABSL_GUARDED_BY(mutex_);
  pager::Reclaimer reclaimer_ ABSL_GUARDED_BY(mutex_);
  std::map<KeptKey, std::shared_ptr<const Version>> kept_
      ABSL_GUARDED_BY(mutex_);  // closed, and read
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VERSION_REGISTRY_H_
