// Which pages differ from the file, which of them are frozen, and how they get there (C4, C6).
//
// One write back at a time. Pages are taken in id order; each is copied to a staging buffer, sealed
// there, and written with its neighbours. While a page is copied and written its frame is marked
// kWriting: it is neither evicted nor freed. The mark kDirty falls only after the write has
// succeeded, and only if the frame still holds the page.

#ifndef KEEL_PAGER_PAGE_WRITER_H_
#define KEEL_PAGER_PAGE_WRITER_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/types.h"
#include "io/file_system.h"
#include "pager/frame_pool.h"
#include "pager/page_set.h"
#include "pager/page_table.h"

namespace keel::pager {

// Thread-safe.
class PageWriter {
 public:
  struct Options {
    DatabaseId database;
    bool read_only = false;
    io::IoQueue* queue = nullptr;  // UseQueue
  };

  PageWriter(io::File* file, io::Clock* clock, FramePool* frames, PageTable* table,
             const Options& options);

  // Pages with birth < epoch are frozen. REQUIRES: the writer.
  void Freeze(Epoch epoch) { frozen_before_.store(epoch.value, std::memory_order_release); }
  bool IsFrozen(Epoch birth) const {
    return birth.value < frozen_before_.load(std::memory_order_acquire);
  }

  // A frame has become dirty, or was dirty and is dropped unwritten.
  void CountDirty() { dirty_.fetch_add(1, std::memory_order_relaxed); }
  void CountDropped() { dirty_.fetch_sub(1, std::memory_order_relaxed); }
  size_t dirty() const { return dirty_.load(std::memory_order_relaxed); }

  // Up to `max_pages` frozen dirty pages, whichever, and others that lie between them in the file.
  // Returns how many were written: fewer only if there are no more. Pages that cannot be
  // written stay dirty, their neighbours do not.
  absl::StatusOr<size_t> WriteSome(size_t max_pages) ABSL_LOCKS_EXCLUDED(mutex_);
  // Those of `pages` that are dirty. REQUIRES: all frozen.
  absl::Status WriteThese(const PageSet& pages) ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on nothing is written: Unavailable, with `reason`.
  void Stop(const absl::Status& reason) ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on many short runs go through this queue, side by side; null: they are written one by one. Waits for what is
  // being written through the one before.
  void UseQueue(io::IoQueue* queue) ABSL_LOCKS_EXCLUDED(mutex_);

  uint64_t pages_written() const { return written_.load(std::memory_order_relaxed); }
  uint64_t retries() const { return retries_.load(std::memory_order_relaxed); }

 private:
  // A page claimed, and its sealed copy.
  struct Staged {
    PageId id;
    Frame* frame;
    bool written;
  };
  // Neighbours, by their places in the batch: written together, but not always all with success.
  struct Run {
    size_t begin;
    size_t end;
  };

  // What to do about a dirty page that is not frozen.
  enum class Mutable : uint8_t { kSkip, kForbidden };

  std::vector<PageId> FindFrozenDirty(size_t max_pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static std::vector<PageId> CloseGaps(const std::vector<PageId>& ids);
  // Writes the dirty ones among the first of `ids` (ascending), as many as one staging buffer
  // takes. Returns how many ids it dealt with.
  absl::StatusOr<size_t> WriteBatch(std::span<const PageId> ids, Mutable on_mutable)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PrepareStaging() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Marks the page's frame as kWriting. Null if there is nothing to write.
  Frame* Claim(PageId id, Mutable on_mutable);
  void Stage(PageId id, Frame* frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Run> Runs() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteStaged() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteQueued(std::span<const Run> runs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteRun(const Run& run, int attempts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WritePages(size_t begin, size_t end, int attempts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MarkWritten(size_t begin, size_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(const Staged& staged);
  std::span<std::byte> StagedBytes(size_t begin, size_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::File& file_;
  io::Clock& clock_;
  FramePool& frames_;
  PageTable& table_;
  const Options options_;

  std::atomic<uint64_t> frozen_before_{0};
  std::atomic<size_t> dirty_{0};
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> retries_{0};

  absl::Mutex mutex_;
  io::IoQueue* queue_ ABSL_GUARDED_BY(mutex_);
  absl::Status stopped_ ABSL_GUARDED_BY(mutex_);
  AlignedBuffer staging_ ABSL_GUARDED_BY(mutex_);  // made at the first write
  std::vector<Staged> staged_ ABSL_GUARDED_BY(mutex_);
  size_t hand_ ABSL_GUARDED_BY(mutex_) = 0;  // where the search for dirty frames goes on
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_WRITER_H_
