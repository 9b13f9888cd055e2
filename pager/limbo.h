// Where frames wait between being unlinked and being free (C5).
//
// A frame leaves when every guard entered before it was unlinked has left, and then nobody pins it
// and no write from it is under way. After the guards have left no pin can be added, since pins are
// taken through the page table, inside a guard or under the shard's lock: what is seen unpinned
// then stays so. Chunks of the page table that were emptied wait for guards alone, and leave before
// the frames of their batch (PageTable::TakeChunk counts on it).

#ifndef KEEL_PAGER_LIMBO_H_
#define KEEL_PAGER_LIMBO_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "pager/frame_pool.h"
#include "pager/guard.h"
#include "pager/page_table.h"

namespace keel::pager {

// What was unlinked together.
struct Unlinked {
  std::vector<Frame*> frames;
  std::vector<PageTable::Chunk*> chunks;

  void Add(Frame* frame, PageTable::Chunk* emptied) {
    frames.push_back(frame);
    if (emptied != nullptr) chunks.push_back(emptied);
  }
  void Absorb(const Unlinked& other) {
    frames.insert(frames.end(), other.frames.begin(), other.frames.end());
    chunks.insert(chunks.end(), other.chunks.begin(), other.chunks.end());
  }
  bool empty() const { return frames.empty(); }
};

// Thread-safe.
class Limbo {
 public:
  Limbo(FramePool* frames, PageTable* table, GuardDomain* guards)
      : frames_(*frames), table_(*table), guards_(*guards) {}

  // What is added soon after each other may wait together, for the guards that the last of it has to
  // wait for.
  void Add(Unlinked unlinked) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds, and returns the stamp on which all that is here by now may leave, whatever is added later.
  uint64_t AddAndClose(Unlinked unlinked) ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees what has passed by the last Refresh of the guards, and what nobody holds any more.
  // Returns how many frames.
  size_t Reclaim() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether another Refresh may let Reclaim free something.
  bool AwaitsGuards() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Frames in limbo.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Batch {
    uint64_t stamp = 0;
    Unlinked unlinked;
    bool closed = false;  // takes no more, so its stamp stays
  };
  // A batch of so many frames is closed.
  static constexpr size_t kBatchFrames = 64;

  void AddLocked(const Unlinked& unlinked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakePassed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  FramePool& frames_;
  PageTable& table_;
  GuardDomain& guards_;

  mutable absl::Mutex mutex_;
  std::deque<Batch> batches_ ABSL_GUARDED_BY(mutex_);  // stamps ascend
  // Passed; pinned or being written when last seen.
  std::vector<Frame*> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_LIMBO_H_
