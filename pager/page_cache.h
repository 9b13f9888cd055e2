// Pages in memory: a fixed pool of frames, and an array from page id to frame.
//
//   C1  Frames come from one pool of the budget's size (huge pages where the kernel gives them); nothing
//       else holds page bytes.
//   C2  The array holds, by page id, the frame that the page is in: one load to translate. It is chunked;
//       chunks are made on first use, freed when empty, and counted.
//   C3  A frame is mutable while its page's birth is the current epoch, and then only the writer looks at
//       it; from then on (frozen) its bytes never change.
//   C4  Only frozen pages are written; from a staging copy that is sealed there, so a frame never changes
//       under a reader.
//   C5  A frame is used again only when it is unlinked, every guard entered before has left, nobody pins
//       it and no write from it is under way. A page id is ready for reuse under the same conditions, pins
//       aside (a pin holds a frame, not an id).
//   C6  A read miss never writes: when no frame is free it takes a clean one. Dirty pages stay at or
//       under 70 % of the frames; when all others are pinned: ResourceExhausted.
//   C7  A page that fails its checks is read again (kReadAttempts) and is then DataLoss; it never
//       enters the array.

#ifndef KEEL_PAGER_PAGE_CACHE_H_
#define KEEL_PAGER_PAGE_CACHE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "pager/guard.h"
#include "pager/page_access.h"
#include "pager/page_set.h"

namespace keel::pager {

struct PageCacheOptions {
  uint32_t page_bytes = 4096;
  DatabaseId database;
  size_t frames = 0;       // size of the pool, at least kMinFrames
  bool read_only = false;  // nothing is ever written back: dirty pages stay
  // Structure check of a page just read, after its checksum held (btree::CheckNode).
  absl::Status (*check_page)(std::span<const std::byte> page) = nullptr;
};

inline constexpr size_t kMinFrames = 64;
inline constexpr int kReadAttempts = 3;

struct PageCacheStats {
  uint64_t frames = 0;
  uint64_t free_frames = 0;
  uint64_t dirty_frames = 0;
  uint64_t table_bytes = 0;
  uint64_t hits = 0;    // of Pin
  uint64_t misses = 0;
  uint64_t evictions = 0;
  uint64_t pages_read = 0;
  uint64_t pages_written = 0;
  uint64_t write_retries = 0;
  uint64_t read_retries = 0;
  uint64_t damaged_reads = 0;
};

// Thread-safe, except for the calls marked as the writer's.
class PageCache {
 public:
  // `file`, `clock` and `guards` outlive the cache.
  static absl::StatusOr<std::unique_ptr<PageCache>> Create(io::File* file, io::Clock* clock,
                                                           GuardDomain* guards,
                                                           const PageCacheOptions& options);
  ~PageCache();

  uint32_t page_bytes() const;

  // The page's bytes, or null if it is not in memory. REQUIRES: a guard; good until it is left.
  const std::byte* Find(PageId id) const;

  // The page, pinned; read from disk if it is not in memory (several threads wait for one read). Id, birth,
  // kind, level and keyspace are compared. REQUIRES: no guard; the page is held by a version in use.
  absl::StatusOr<PageHandle> Pin(const PageWant& want);
  // The same without I/O: an empty handle if it is not in memory.
  absl::StatusOr<PageHandle> PinResident(const PageWant& want);

  absl::Status ReadRaw(PageId first, std::span<std::byte> buffer);
  absl::Status WriteRaw(PageId first, std::span<const std::byte> data);
  uint64_t RawSeed(PageId id) const;

  // --- the writer's ---

  // Sets `count` free frames aside, writing frozen dirty pages back if it must (C6).
  absl::Status ReserveFrames(size_t count);
  // A zeroed dirty frame for a new page, linked. REQUIRES: a frame set aside.
  MutablePage Create(PageId id, Epoch birth);
  // Whether P1 allows changing the page in place, the handle's own pin aside; gives the bytes if so and
  // consumes the pin; otherwise leaves the handle as it was.
  std::byte* TryMutate(PageHandle& page, Epoch current);
  // Every page with birth < epoch is frozen from now on.
  void Freeze(Epoch epoch);
  // Pages born in the current epoch.
  size_t mutable_pages() const;

  // --- space ---

  // The ids are dead: unlinks their frames and sends both to wait for C5.
  void Retire(const PageSet& pages);
  void Retire(PageId first, uint64_t count);
  // Ids whose wait is over, to be given back to the space map. One membarrier at most.
  void CollectRetired(PageSet* ready);
  uint64_t retired() const;

  // --- writing back ---

  // Writes up to `max_pages` frozen dirty pages, in id order, coalesced. Returns how many. A failed write
  // is repeated at the same place (bounded, backoff); then the page stays dirty and the error is returned.
  absl::StatusOr<size_t> WriteBack(size_t max_pages);
  // Writes those of `pages` that are dirty, likewise; waits for writes of them under way elsewhere.
  // REQUIRES: all frozen.
  absl::Status WriteBack(const PageSet& pages);
  // Whether dirty pages exceed `share` (0..1) of the frames.
  bool DirtyAbove(double share) const;
  // Evicts clean pages until a stock of free frames is there. Called by background work.
  void Replenish();

  PageCacheStats stats() const;

 private:
  PageCache();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_CACHE_H_
