#include "pager/page_table.h"

#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel::pager {

namespace {

// With more the words of the pages that all lookups pass lie so far apart that small pages would be felt.
constexpr size_t kChunksInSmallPages = 256;

}  // namespace

static_assert(sizeof(std::atomic<uint64_t>) == sizeof(uint64_t));
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(PageTable::Chunk) == 512);

absl::StatusOr<PageTable::Memory> PageTable::Reserve(size_t frames) {
  Memory memory;
  KEEL_ASSIGN_OR_RETURN(memory.top, MemoryMap::Reserve(kPages / kChunkPages * sizeof(Chunk*),
                                                       MemoryMap::Pages::kSmall));
  KEEL_ASSIGN_OR_RETURN(memory.chunks,
                        MemoryMap::Reserve(frames * sizeof(Chunk), MemoryMap::Pages::kHuge));
  memory.chunks_max = frames;
  return memory;
}

// Zeros are null pointers and empty words: fresh memory needs no construction.
PageTable::PageTable(Memory memory)
    : top_(reinterpret_cast<std::atomic<Chunk*>*>(memory.top.data())),
      chunks_(reinterpret_cast<Chunk*>(memory.chunks.data())),
      memory_(std::move(memory)),
      used_(memory_.chunks_max) {}

const std::byte* PageTable::FirstTouch(std::atomic<uint64_t>* word, uint64_t value) {
  if (value == 0) return nullptr;
  // Fails if the page was unlinked, or marked by somebody else: both are well. A plain store could
  // bring a cleared word back.
  uint64_t expected = value;
  word->compare_exchange_strong(expected, value | kReferenced, std::memory_order_relaxed);
  return BytesOf(value);
}

std::byte* PageTable::Lookup(Shard& /*shard*/, PageId id) const {
  const std::atomic<uint64_t>* const word = WordOf(id);
  return word == nullptr ? nullptr : BytesOf(word->load(std::memory_order_relaxed));
}

std::atomic<uint64_t>& PageTable::LinkedWord(PageId id) const {
  std::atomic<uint64_t>* const word = WordOf(id);
  KEEL_CHECK(word != nullptr && word->load(std::memory_order_relaxed) != 0);
  return *word;
}

void PageTable::Link(Shard& /*shard*/, PageId id, const std::byte* bytes) {
  KEEL_CHECK(id.value < kPages);
  std::atomic<Chunk*>& place = top_[id.value / kChunkPages];
  Chunk* chunk = place.load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = TakeChunk();
    place.store(chunk, std::memory_order_release);
  }
  std::atomic<uint64_t>& word = chunk->words[id.value % kChunkPages];
  KEEL_CHECK(word.load(std::memory_order_relaxed) == 0);
  ++UsedOf(chunk);
  word.store(reinterpret_cast<uintptr_t>(bytes), std::memory_order_release);
}

PageTable::Chunk* PageTable::Unlink(Shard& /*shard*/, PageId id) {
  LinkedWord(id).store(0, std::memory_order_seq_cst);
  std::atomic<Chunk*>& place = top_[id.value / kChunkPages];
  Chunk* const chunk = place.load(std::memory_order_relaxed);
  if (--UsedOf(chunk) > 0) return nullptr;
  place.store(nullptr, std::memory_order_seq_cst);
  return chunk;
}

bool PageTable::TakeReferenced(Shard& /*shard*/, PageId id) {
  std::atomic<uint64_t>& word = LinkedWord(id);
  if ((word.load(std::memory_order_relaxed) & kReferenced) == 0) return false;
  word.fetch_and(~kReferenced, std::memory_order_relaxed);
  return true;
}

bool PageTable::ChunkInUse(Shard& /*shard*/, PageId id) const {
  return id.value < kPages &&
         top_[id.value / kChunkPages].load(std::memory_order_relaxed) != nullptr;
}

PageTable::Chunk* PageTable::TakeChunk() {
  const absl::MutexLock lock(&chunks_mutex_);
  if (!unused_.empty()) {
    Chunk* const chunk = unused_.back();
    unused_.pop_back();
    return chunk;
  }
  // Each chunk in use has a frame of its own: one linked in it, or the one whose unlinking emptied
  // it, which is freed after the chunk.
  KEEL_CHECK(fresh_ < memory_.chunks_max);
  if (fresh_ == kChunksInSmallPages) memory_.chunks.MakeHuge(0, MemoryMap::kHugeBytes);
  return &chunks_[fresh_++];
}

void PageTable::ReleaseChunk(Chunk* chunk) {
  const absl::MutexLock lock(&chunks_mutex_);
  unused_.push_back(chunk);
}

size_t PageTable::memory_bytes() const {
  const absl::MutexLock lock(&chunks_mutex_);
  return (fresh_ - unused_.size()) * (sizeof(Chunk) + sizeof(Chunk*));
}

}  // namespace keel::pager
