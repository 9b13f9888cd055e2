// Finds frames for new pages: free ones, or those of clean pages that have not been touched for a
// while.
//
// A clock with a second chance. A page enters without the mark "referenced", so that a scan, which
// touches each page once, is evicted before pages that are touched again within one turn of the
// hand. Never evicted: dirty pages (mutable ones are dirty), pages being written, pinned pages. A
// batch is unlinked at a time, then the guards have to leave, which they do without waiting for
// anybody.
//
// An inner node is the way to many leaves, and missing it costs a read before the leaf's. Where each
// leaf is read once in many turns, one turn without a touch is no sign that it is not needed: the hand
// looks at it, and at its mark, in one of kInnerTurns turns.

#ifndef KEEL_PAGER_EVICTOR_H_
#define KEEL_PAGER_EVICTOR_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "io/clock.h"
#include "pager/frame_pool.h"
#include "pager/guard.h"
#include "pager/limbo.h"
#include "pager/page_table.h"

namespace keel::pager {

// Thread-safe. REQUIRES, for every call: no guard, no lock of a shard.
class Evictor {
 public:
  Evictor(FramePool* frames, PageTable* table, Limbo* limbo, GuardDomain* guards, io::Clock* clock);

  // A free frame, evicting if there is none. ResourceExhausted, naming the budget: at once if all are
  // pinned, else if none comes free within a quarter of a second.
  absl::StatusOr<Frame*> Take();
  // The same without waiting for pins or writes to end; null: that may help, or nothing does.
  Frame* TryTake();
  // Evicts until `count` frames are free, or no more can be evicted. Returns whether any frame came
  // free.
  bool Stock(size_t count);
  // Unlinks a page that nobody reads any more, referenced or not, if it is clean and unpinned; its frame waits in limbo
  // then, and counts as no eviction. Returns whether it did.
  bool UnlinkUnread(PageId id, Unlinked* unlinked);
  // Pages born later are evicted only when nothing else is left (their writes may have been lost).
  void Spare(Epoch later) { spared_.store(later.value, std::memory_order_relaxed); }

  uint64_t evictions() const { return evictions_.load(std::memory_order_relaxed); }

 private:
  // Nothing to wait for but the owners of the pins.
  bool AllPinned();
  size_t FreeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  enum class InnerNodes : uint8_t { kStayLonger, kAsLeaves };
  // Moves the hand at most two turns. Pages born after `spared` are passed over.
  Unlinked UnlinkBatch(uint64_t spared, InnerNodes inner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it is this frame's turn also if an inner node is in it.
  bool InnerTurn(size_t index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return (index + turn_) % kInnerTurns == 0;
  }
  void TryUnlink(Frame& frame, bool leaf_only, Unlinked* unlinked);
  void Unlink(PageTable::Shard& shard, Frame& frame, Unlinked* unlinked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  bool AwaitGuards(uint64_t stamp);
  absl::Status Exhausted();

  static constexpr size_t kInnerTurns = 4;

  FramePool& frames_;
  PageTable& table_;
  Limbo& limbo_;
  GuardDomain& guards_;
  io::Clock& clock_;
  const size_t batch_;

  absl::Mutex mutex_;  // one evicts, the others wait for its frames
  size_t hand_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t turn_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<uint64_t> spared_{UINT64_MAX};
  std::atomic<uint64_t> evictions_{0};
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_EVICTOR_H_
