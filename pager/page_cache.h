// Pages in memory: a fixed pool of frames, and an array from page id to frame.
//
//   C1  Frames come from one pool of the budget's size (huge pages where the kernel gives them);
//       nothing else holds page bytes.
//   C2  The array holds, by page id, the frame that the page is in: one load to translate. It is
//       chunked; chunks are made on first use, freed when empty, and counted.
//   C3  A frame is mutable while its page's birth is the current epoch, and then only the writer
//       reads it, and others at most copy it, looking at ChangesOf before and after; from then on
//       (frozen) its bytes never change.
//   C4  Only frozen pages are written; from a staging copy that is sealed there, so a frame never
//       changes under a reader.
//   C5  A frame is used again only when it is unlinked, every guard entered before has left, nobody
//       pins it and no write from it is under way. A page id is ready for reuse under the same
//       conditions, pins aside (a pin holds a frame, not an id).
//   C6  A read miss never writes: when no frame is free it takes a clean one. Dirty pages stay at
//       or under 70 % of the frames; when all others are pinned: ResourceExhausted.
//   C7  A page that fails its checks is read again (kReadAttempts) and is then DataLoss; it never
//       enters the array.
//
// Parts: PageTable (the array), FramePool (the frames), Limbo (frames that wait for C5),
// RetiredPages (ids that do), Evictor, PageLoader, ReadQueues, PageWriter, RawPages.
//
// Lock order, outermost first; no lock is held while a lock to its left is taken:
//   PageWriter > Evictor > RetiredPages > shard of the table > Limbo > FramePool, chunks,
//   guard slots, ReadQueues
// A shard's lock is never held over I/O or a wait for guards; the writer's is, over writes.

#ifndef KEEL_PAGER_PAGE_CACHE_H_
#define KEEL_PAGER_PAGE_CACHE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "pager/evictor.h"
#include "pager/frame_pool.h"
#include "pager/guard.h"
#include "pager/limbo.h"
#include "pager/page_access.h"
#include "pager/page_loader.h"
#include "pager/page_set.h"
#include "pager/page_table.h"
#include "pager/page_writer.h"
#include "pager/raw_overlay.h"
#include "pager/raw_pages.h"
#include "pager/read_queues.h"
#include "pager/retired_pages.h"

namespace keel::pager {

struct PageCacheOptions {
  uint32_t page_bytes = 4096;
  DatabaseId database;
  size_t frames = 0;       // size of the pool, at least kMinFrames
  bool read_only = false;  // nothing is ever written back: dirty pages stay
  // Serves WriteBack when many scattered pages are to be written; used by one thread at a time.
  // Outlives the cache. Without it they are written one by one.
  io::IoQueue* write_queue = nullptr;
  // Makes the queues with which PinTogether reads; without it pages are read one by one.
  ReadQueues::Make make_read_queue = nullptr;
  // Structure check of a page just read, after its checksum held (btree::CheckNode).
  absl::Status (*check_page)(std::span<const std::byte> page) = nullptr;
};

inline constexpr size_t kMinFrames = 64;
inline constexpr double kMaxDirtyShare = 0.7;  // C6

struct PageCacheStats {
  uint64_t frames = 0;
  uint64_t free_frames = 0;
  uint64_t dirty_frames = 0;
  uint64_t dirty_frames_max = 0;  // C6
  uint64_t pinned_frames = 0;     // of a large pool an estimate
  uint64_t table_bytes = 0;
  uint64_t hits = 0;  // of Pin
  uint64_t misses = 0;
  uint64_t evictions = 0;
  uint64_t superseded = 0;  // frames given back by Supersede
  uint64_t pages_read = 0;
  uint64_t pages_written = 0;
  uint64_t write_retries = 0;
  uint64_t read_retries = 0;
  uint64_t damaged_reads = 0;
};

// Thread-safe, except for the calls marked as the writer's.
class PageCache {
 public:
  // `file`, `clock` and `guards` outlive the cache; no handle does. InvalidArgument: too few
  // frames, or a page size that does not fit the file's alignment.
  static absl::StatusOr<std::unique_ptr<PageCache>> Create(io::File* file, io::Clock* clock,
                                                           GuardDomain* guards,
                                                           const PageCacheOptions& options);
  ~PageCache();
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  uint32_t page_bytes() const { return page_bytes_; }
  size_t frames() const { return frames_.size(); }

  // The page's bytes, or null if it is not in memory. REQUIRES: a guard; good until it is left.
  const std::byte* Find(PageId id) const { return table_.Find(id); }

  GuardDomain& guards() { return guards_; }
  // What Find has given, pinned. REQUIRES: the guard that it was found in.
  PageHandle PinFound(const std::byte* page);
  // Asks memory for what PinFound, or Pin, will change.
  void FetchPin(const std::byte* page) const { __builtin_prefetch(&frames_.FrameOf(page).pins, 1); }

  // The changes made in place of a page that Find has given, where the writer counts them (WriteSession::Watched).
  const Sequence& ChangesOf(const std::byte* page) const { return frames_.FrameOf(page).changes; }

  // Where the page's bytes are or were a moment ago, for prefetching alone. Inside a guard or outside.
  const std::byte* Whereabouts(PageId id) const { return table_.Whereabouts(id); }

  // The page, pinned; read from disk if it is not in memory (several threads wait for one read).
  // Id, birth, kind, level and keyspace are compared. REQUIRES: no guard; the page is held by a
  // version in use.
  absl::StatusOr<PageHandle> Pin(const PageWant& want);
  // Several, as many at a time as PinnedTogetherMax: those to be read are read side by side where there is a queue
  // for it, the first ones while `more` finds out the next. Each is given to `take`, once, when all are known and it is
  // there; not those that this did not get, for whatever reason: Pin tells. A page that was read counts as used once it
  // is asked for again. REQUIRES: as Pin; no id twice; `more` and `take` wait for nobody.
  using TakePage = PageLoader::TakePage;
  using MoreWants = PageLoader::MoreWants;
  void PinTogether(MoreWants more, TakePage take);
  // Reads ahead (page_loader.h).
  void LoadRun(std::span<const PageWant> wants, std::span<std::byte> buffer) {
    loader_.LoadRun(wants, buffer);
  }
  // A part of the frames, so that several threads can do so and leave room for others.
  size_t PinnedTogetherMax() const;
  // The same without I/O: an empty handle if it is not in memory. Inside a guard or outside.
  absl::StatusOr<PageHandle> PinResident(const PageWant& want);

  // Raw pages go past the frames (pager/raw_pages.h).
  absl::Status ReadRaw(PageId first, std::span<std::byte> buffer);
  absl::Status WriteRaw(PageId first, std::span<const std::byte> data);
  uint64_t RawSeed(PageId id) const;

  // --- the writer's ---

  // Sets `count` free frames aside (those left of the last call included), writing frozen dirty
  // pages back if it must (C6). ResourceExhausted tells what fills the budget. REQUIRES: no guard.
  absl::Status ReserveFrames(size_t count);
  size_t frames_set_aside() const { return set_aside_.size(); }
  // A dirty frame for a new page, linked; all zeros but for page id and birth in its header.
  // REQUIRES: a frame set aside; the id came from the space map, so that C5 holds for it.
  MutablePage Create(PageId id, Epoch birth);
  // The same with the content of another page of `page_bytes` bytes, its id and birth replaced.
  MutablePage CreateCopy(PageId id, Epoch birth, const std::byte* source);
  // Whether P1 allows changing the page in place, the handle's own pin aside; gives the bytes if so
  // and consumes the pin; otherwise leaves the handle as it was.
  std::byte* TryMutate(PageHandle& page, Epoch current);
  // The bytes of a page of the current epoch that nobody pins.
  std::byte* BytesOfMutable(const std::byte* bytes);
  Sequence& ChangesOf(std::byte* page) { return frames_.FrameOf(page).changes; }
  // Every page with birth < epoch is frozen from now on. REQUIRES: not before the last call's
  // epoch.
  void Freeze(Epoch epoch);
  // Pages born in the current epoch.
  size_t mutable_pages() const { return mutable_pages_.load(std::memory_order_relaxed); }

  // --- space ---

  // The ids are dead: unlinks their frames, unwritten, and sends both to wait for C5.
  void Retire(const PageSet& pages);
  void Retire(PageId first, uint64_t count);
  // Nobody reads these pages any more, though a checkpoint still keeps them: the frames of those that are clean and not
  // pinned are given back now, before any is evicted. Who comes to read one after all has it read from disk.
  void Supersede(std::span<const PageId> pages);
  // Takes back the frames whose guards have left. One membarrier at most.
  void ReclaimFrames();
  // Ids whose wait is over, to be given back to the space map. One membarrier at most.
  void CollectRetired(PageSet* ready);
  uint64_t retired() const;

  // --- writing back ---

  // Writes up to `max_pages` frozen dirty pages, in id order, coalesced. Returns how many. A failed
  // write is repeated at the same place (bounded, backoff); then the page stays dirty and the error
  // is returned.
  absl::StatusOr<size_t> WriteBack(size_t max_pages);
  // Writes those of `pages` that are dirty, likewise; waits for writes of them under way elsewhere.
  // REQUIRES: all frozen.
  absl::Status WriteBack(const PageSet& pages);
  // After a failed sync: nothing is written any more (Unavailable, with `reason`), and pages born
  // after `durable`, the epoch of the last durable checkpoint, stay in memory while any other can
  // be evicted, since their writes may be lost.
  void StopWriting(const absl::Status& reason, Epoch durable);
  // PageWriter::UseQueue.
  void UseWriteQueue(io::IoQueue* queue) { writer_.UseQueue(queue); }
  // Whether dirty pages exceed `share` (0..1) of the frames.
  bool DirtyAbove(double share) const;
  // Whether nearly every frame has a page: what is not in memory takes the place of something else.
  bool Crowded() const;
  // Evicts clean pages until a stock of free frames is there. Called by background work, outside
  // guards.
  void Replenish();

  PageCacheStats stats() const;

 private:
  struct Memory {
    PageTable::Memory table;
    MemoryMap frames;
  };
  // Hits of some of the threads, on a cache line of their own.
  struct alignas(64) HitCounter {
    std::atomic<uint64_t> hits{0};
  };
  // What Retire has unlinked so far.
  struct Retirement {
    Unlinked unlinked;
    std::vector<RetiredPages::Write> writes;
  };

  PageCache(io::File* file, io::Clock* clock, GuardDomain* guards, const PageCacheOptions& options,
            Memory memory);

  PageHandle PinLinked(PageId id);
  void PinOneByOne(std::vector<PageWant> all, MoreWants more, TakePage take);
  absl::Status LimitDirty(size_t count);
  absl::Status CannotWrite(const absl::Status& why) const;
  absl::Status TooDirty(size_t count) const;
  size_t dirty_max() const;
  uint64_t EstimatePinned() const;
  absl::Status SetFramesAside(size_t count);
  void ReturnSurplus(size_t count);
  MutablePage LinkNew(Frame& frame, PageId id, Epoch birth);
  Frame& TakeSetAside();
  void UnlinkRetired(PageId first, uint64_t count, Retirement* retirement);
  void UnlinkDead(PageTable::Shard& shard, PageId id, Retirement* retirement)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // What is left of an earlier page at `id`: somebody may have read the dead page from disk again.
  void UnlinkStale(PageTable::Shard& shard, PageId id, Retirement* stale)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  PageTable table_;  // first: Find needs nothing else
  FramePool frames_;
  GuardDomain& guards_;
  const uint32_t page_bytes_;
  const PageCacheOptions options_;

  Limbo limbo_;
  RetiredPages retired_;
  Evictor evictor_;
  PageLoader loader_;
  PageWriter writer_;
  ReadQueues read_queues_;
  RawPages raw_;
  RawOverlay overlay_;  // of a read-only open

  std::vector<Frame*> set_aside_;  // the writer's alone
  uint64_t frozen_before_ = 0;     // the writer's alone
  std::atomic<size_t> mutable_pages_{0};
  std::array<HitCounter, 16> hits_;
  std::atomic<uint64_t> misses_{0};
  std::atomic<uint64_t> superseded_{0};
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_CACHE_H_
