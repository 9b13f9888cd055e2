// The frames: one region of memory, cut into pages, and what is known of each.
//
// A frame is free, set aside (its taker's), linked (in the page table), or in limbo (unlinked, and
// still seen by somebody). Its state changes under the lock of its page's shard.
//
// What is known of the frames lies in memory straight from the system too, behind the pages: opening a
// database does not touch what it does not use yet, however large the budget.

#ifndef KEEL_PAGER_FRAME_POOL_H_
#define KEEL_PAGER_FRAME_POOL_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/sequence.h"
#include "base/types.h"
#include "pager/memory_map.h"

namespace keel::pager {

struct alignas(32) Frame {
  enum : uint32_t {
    kLinked = 1,   // in the page table
    kDirty = 2,    // differs from the page on disk
    kWriting = 4,  // a write of it is under way
  };

  std::atomic<uint32_t> pins{0};
  std::atomic<uint32_t> state{0};
  std::atomic<uint64_t> page{0};
  std::atomic<uint64_t> birth{0};
  Sequence changes;  // in place, of pages that somebody may look at meanwhile

  PageId id() const { return PageId{page.load(std::memory_order_relaxed)}; }
  bool Is(uint32_t bits) const { return state.load(std::memory_order_acquire) == bits; }
  bool Has(uint32_t bit) const { return (state.load(std::memory_order_acquire) & bit) != 0; }
  // REQUIRES: the shard's lock.
  void Set(uint32_t bits) { state.store(bits, std::memory_order_release); }
  // Whether nobody holds it. REQUIRES: unlinked, and every guard entered before has left.
  bool Unused() const { return pins.load(std::memory_order_acquire) == 0 && Is(0); }
};

// Thread-safe. The free frames are a stack: the last one freed is likely to be in the processor's
// cache.
class FramePool {
 public:
  static absl::StatusOr<MemoryMap> Reserve(size_t frames, uint32_t page_bytes);

  // `memory` is from Reserve with the same numbers.
  FramePool(MemoryMap memory, size_t frames, uint32_t page_bytes);
  ~FramePool();
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  size_t size() const { return size_; }
  uint32_t page_bytes() const { return uint32_t{1} << page_shift_; }
  uint64_t budget_bytes() const { return uint64_t{size()} << page_shift_; }

  Frame& operator[](size_t index) { return frames_[index]; }
  const Frame& operator[](size_t index) const { return frames_[index]; }
  std::span<std::byte> BytesOf(const Frame& frame) const {
    const auto index = static_cast<size_t>(&frame - frames_);
    return {base_ + (index << page_shift_), page_bytes()};
  }
  Frame& FrameOf(const std::byte* bytes) { return frames_[IndexOf(bytes)]; }
  const Frame& FrameOf(const std::byte* bytes) const { return frames_[IndexOf(bytes)]; }

  // A free frame, its bytes undefined; null if there is none.
  Frame* Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // REQUIRES: Unused(), and not linked.
  void Free(std::span<Frame* const> frames) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t free_frames() const { return free_count_.load(std::memory_order_relaxed); }
  // Those from here on were never taken: their memory is not touched, nor is what is kept of them.
  size_t first_untouched() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  size_t IndexOf(const std::byte* bytes) const {
    return static_cast<size_t>(bytes - base_) >> page_shift_;
  }
  void CountFree() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MemoryMap memory_;
  std::byte* const base_;
  const int page_shift_;
  const size_t size_;
  Frame* const frames_;

  mutable absl::Mutex mutex_;
  size_t fresh_ ABSL_GUARDED_BY(mutex_) = 0;          // from here on no frame was ever taken
  std::vector<Frame*> free_ ABSL_GUARDED_BY(mutex_);  // and those that were given back
  std::atomic<size_t> free_count_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_FRAME_POOL_H_
