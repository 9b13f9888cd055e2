// From page id to frame: a flat array of chunks, each of 64 words.
//
//   top array   one pointer a chunk, for 2^34 pages (2 GiB of address space, touched where used)
//   chunk       64 words, one a page id; made on first use, taken away when its last word is
//   cleared word        0, or the address of the frame's bytes, with bit 0: referenced since the
//   evictor last
//               came by
//
// Find is the hottest path of the engine: two dependent loads, no lock, no shared write once the
// page is marked as referenced. Words are changed under the lock of their shard only, but for the
// mark.

#ifndef KEEL_PAGER_PAGE_TABLE_H_
#define KEEL_PAGER_PAGE_TABLE_H_

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/types.h"
#include "pager/memory_map.h"
#include "pager/reference.h"

namespace keel::pager {

struct PageLoad;  // pager/page_loader.h

class PageTable {
 public:
  // Ids from here on are no pages of ours.
  static constexpr uint64_t kPages = kMaxPageCount;

  static constexpr size_t kChunkPages = 64;
  struct Chunk {
    std::array<std::atomic<uint64_t>, kChunkPages> words;
  };

  // Everything that is not lock-free, by page id: whole chunks share a shard.
  struct Shard {
    absl::Mutex mutex;
    // Reads from disk under way.
    absl::flat_hash_map<uint64_t, std::shared_ptr<PageLoad>> loads ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 64;

  // Memory for at most `frames` pages linked, or unlinked and waiting, at a time.
  struct Memory {
    MemoryMap top;
    MemoryMap chunks;
    size_t chunks_max = 0;
  };
  static absl::StatusOr<Memory> Reserve(size_t frames);

  explicit PageTable(Memory memory);
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  // The bytes of a linked page, marked as referenced; null if there are none. REQUIRES: a guard, or
  // the shard's lock.
  const std::byte* Find(PageId id) const {
    std::atomic<uint64_t>* const word = WordOf(id);
    if (word == nullptr) return nullptr;
    const uint64_t value = word->load(std::memory_order_seq_cst);
    if ((value & kReferenced) == 0) return FirstTouch(word, value);
    return BytesOf(value);
  }

  // Where the bytes are, without a mark. They may go at any time: for prefetching. Needs no guard.
  const std::byte* Whereabouts(PageId id) const {
    const std::atomic<uint64_t>* const word = WordOf(id);
    return word == nullptr ? nullptr : BytesOf(word->load(std::memory_order_relaxed));
  }

  Shard& ShardOf(PageId id) { return shards_[id.value / kChunkPages % kShards]; }
  std::array<Shard, kShards>& shards() { return shards_; }

  // The bytes of a linked page, without a mark.
  std::byte* Lookup(Shard& shard, PageId id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // REQUIRES: nothing is linked there.
  void Link(Shard& shard, PageId id, const std::byte* bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // Unlinks. Returns the chunk if this was its last page: it is out of the array then, and to be
  // given to ReleaseChunk when every guard entered before has left. REQUIRES: linked.
  Chunk* Unlink(Shard& shard, PageId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // Second chance: whether the page was referenced since the last call. REQUIRES: linked.
  bool TakeReferenced(Shard& shard, PageId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // Whether any page of the id's chunk is linked.
  bool ChunkInUse(Shard& shard, PageId id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  void ReleaseChunk(Chunk* chunk) ABSL_LOCKS_EXCLUDED(chunks_mutex_);

  // Bytes of chunks in use, and of the places in the top array that point to them.
  size_t memory_bytes() const;

 private:
  static constexpr uint64_t kReferenced = 1;

  static std::byte* BytesOf(uint64_t word) {
    return reinterpret_cast<std::byte*>(word & ~kReferenced);
  }

  std::atomic<uint64_t>* WordOf(PageId id) const {
    if (id.value >= kPages) [[unlikely]]
      return nullptr;
    Chunk* const chunk = top_[id.value / kChunkPages].load(std::memory_order_acquire);
    if (chunk == nullptr) return nullptr;
    return &chunk->words[id.value % kChunkPages];
  }

  // Marks a page as referenced unless its word has changed meanwhile.
  static const std::byte* FirstTouch(std::atomic<uint64_t>* word, uint64_t value);

  std::atomic<uint64_t>& LinkedWord(PageId id) const;
  uint8_t& UsedOf(const Chunk* chunk) { return used_[static_cast<size_t>(chunk - chunks_)]; }
  Chunk* TakeChunk() ABSL_LOCKS_EXCLUDED(chunks_mutex_);

  std::atomic<Chunk*>* const top_;
  Chunk* const chunks_;
  const Memory memory_;

  std::array<Shard, kShards> shards_;
  std::vector<uint8_t> used_;  // words in use, by chunk; guarded by the chunk's shard

  mutable absl::Mutex chunks_mutex_;
  std::vector<Chunk*> unused_ ABSL_GUARDED_BY(chunks_mutex_);  // all zero
  size_t fresh_ ABSL_GUARDED_BY(chunks_mutex_) = 0;  // chunks from here on were never used
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_TABLE_H_
