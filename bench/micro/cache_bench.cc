// The page cache: hits by each way in, misses, copies for writing (pager/page_cache.h). The file is plain memory, so a
// miss costs all but the disk: eviction, the copy, the checksum, linking.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "base/check.h"
#include "bench/micro/rows.h"
#include "pager/guard.h"
#include "pager/page_cache.h"
#include "pager/page_format.h"
#include "pager/page_set.h"
#include "tests/unit/pager/flat_file.h"

namespace keel::bench {
namespace {

using pager::PageCache;
using pager::ReadGuard;

constexpr uint32_t kPageBytes = 4096;
constexpr DatabaseId kDatabase{.high = 3, .low = 5};
constexpr KeyspaceId kKeyspace{9};
constexpr Epoch kBirth{1};
constexpr uint64_t kFirstPage = 64;

pager::PageWant Want(uint64_t page) {
  return {.reference = {.id = PageId{page}, .birth = kBirth}, .keyspace = kKeyspace, .level = 0};
}

// A file of sealed pages, and a cache with room for some or all of them.
class CacheOverMemory {
 public:
  CacheOverMemory(uint64_t pages, size_t frames)
      : pages_(pages), file_((kFirstPage + pages) * kPageBytes) {
    for (uint64_t id = kFirstPage; id < kFirstPage + pages; ++id) {
      const std::span<std::byte> page = file_.bytes().subspan(id * kPageBytes, kPageBytes);
      pager::PageHeader& header = pager::HeaderOf(page.data());
      header.page_id = id;
      header.birth = kBirth.value;
      header.kind = static_cast<uint8_t>(pager::PageKind::kLeaf);
      header.keyspace = kKeyspace.value;
      pager::SealPage(page, kDatabase);
    }
    cache_ = Must(
        PageCache::Create(&file_, &clock_, guards_.get(),
                          {.page_bytes = kPageBytes, .database = kDatabase, .frames = frames}));
  }

  uint64_t pages() const { return pages_; }
  PageCache& cache() { return *cache_; }
  pager::GuardDomain& guards() { return *guards_; }
  // Page ids in random order; every page once.
  std::vector<uint64_t> Ids() const {
    std::vector<uint64_t> ids;
    for (uint64_t id = kFirstPage; id < kFirstPage + pages_; ++id) ids.push_back(id);
    std::shuffle(ids.begin(), ids.end(), std::mt19937_64(pages_));
    return ids;
  }
  void LoadAll() {
    for (const uint64_t id : Ids()) Must(cache_->Pin(Want(id)));
  }

 private:
  const uint64_t pages_;
  pager::FlatFile file_;
  pager::TestClock clock_;
  std::shared_ptr<pager::GuardDomain> guards_ = pager::GuardDomain::Create();
  std::unique_ptr<PageCache> cache_;
};

// One with all its pages in memory, kept as long as the same is asked for.
CacheOverMemory& LoadedCache(uint64_t pages) {
  static std::unique_ptr<CacheOverMemory> world;
  if (world == nullptr || world->pages() != pages) {
    world = std::make_unique<CacheOverMemory>(pages, 2 * pages + pager::kMinFrames);
    world->LoadAll();
  }
  return *world;
}

void EnterGuard(benchmark::State& state) {
  const std::shared_ptr<pager::GuardDomain> guards = pager::GuardDomain::Create();
  for (auto _ : state) {
    const ReadGuard guard(*guards);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(EnterGuard);

// What a lookup does on each step down: from id to bytes, and one look at them.
void CacheFind(benchmark::State& state) {
  CacheOverMemory& world = LoadedCache(static_cast<uint64_t>(state.range(0)));
  const std::vector<uint64_t> ids = world.Ids();
  Round round;
  for (auto _ : state) {
    const ReadGuard guard(world.guards());
    const std::byte* const page = world.cache().Find(PageId{round.Next(ids)});
    KEEL_CHECK(page != nullptr);
    benchmark::DoNotOptimize(pager::HeaderOf(page).birth);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(CacheFind)->ArgNames({"pages"})->Arg(64)->Arg(16384);

// What a cursor and a large value do: the page is there, and is pinned.
void CacheHit(benchmark::State& state) {
  CacheOverMemory& world = LoadedCache(static_cast<uint64_t>(state.range(0)));
  const std::vector<uint64_t> ids = world.Ids();
  Round round;
  for (auto _ : state) {
    const pager::PageHandle page = Must(world.cache().Pin(Want(round.Next(ids))));
    benchmark::DoNotOptimize(page.bytes());
  }
  KEEL_CHECK(world.cache().stats().misses == world.pages());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(CacheHit)->ArgNames({"pages"})->Arg(64)->Arg(16384);

// A sixteenth of the pages fit, and each is asked for once a round: nearly all are read anew.
void CacheMiss(benchmark::State& state) {
  constexpr uint64_t kPages = 4096;
  static CacheOverMemory world(kPages, kPages / 16);
  const std::vector<uint64_t> ids = world.Ids();
  Round round;
  for (auto _ : state) {
    const pager::PageHandle page = Must(world.cache().Pin(Want(round.Next(ids))));
    benchmark::DoNotOptimize(page.bytes());
  }
  const pager::PageCacheStats stats = world.cache().stats();
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * kPageBytes);
  state.counters["missed"] =
      static_cast<double>(stats.misses) / static_cast<double>(stats.misses + stats.hits);
}
BENCHMARK(CacheMiss);

// Copies for writing, and later the copies' end, in batches of 64: frames set aside, copied into, linked, unlinked,
// waited for, used again. An item is one page.
void CacheCopyOnWrite(benchmark::State& state) {
  constexpr uint64_t kBatch = 64;
  constexpr uint64_t kIds = 64 * kBatch;
  CacheOverMemory world(kBatch, 8192);
  world.LoadAll();
  PageCache& cache = world.cache();
  std::vector<pager::PageHandle> sources;
  for (const uint64_t id : world.Ids()) sources.push_back(Must(cache.Pin(Want(id))));
  const uint64_t first = kFirstPage + kBatch;
  uint64_t epoch = 100;
  uint64_t used = 0;
  for (auto _ : state) {
    const PageId begin{first + used};
    for (uint64_t i = 0; i < kBatch; ++i) {
      Must(cache.ReserveFrames(1));
      cache.CreateCopy(PageId{begin.value + i}, Epoch{epoch}, sources[i].bytes());
    }
    cache.Freeze(Epoch{++epoch});
    cache.Retire(begin, kBatch);
    pager::PageSet ready;
    cache.CollectRetired(&ready);
    used = (used + kBatch) % kIds;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBatch * kPageBytes));
}
BENCHMARK(CacheCopyOnWrite);

}  // namespace
}  // namespace keel::bench
