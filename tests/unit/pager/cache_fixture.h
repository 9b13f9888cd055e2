// Pages whose every byte follows from {id, birth, revision}, and a cache over a file in memory.

#ifndef KEEL_TESTS_UNIT_PAGER_CACHE_FIXTURE_H_
#define KEEL_TESTS_UNIT_PAGER_CACHE_FIXTURE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "pager/guard.h"
#include "pager/page_cache.h"
#include "pager/page_format.h"
#include "tests/unit/pager/flat_file.h"

namespace keel::pager {

inline constexpr DatabaseId kTestDatabase{.high = 3, .low = 5};
inline constexpr KeyspaceId kTestKeyspace{9};

// The word at `offset` of a page's body. The header's `next` field holds the revision: how often the page
// was changed in place.
inline uint64_t TestWord(uint64_t id, uint64_t birth, uint64_t revision, size_t offset) {
  uint64_t x = id * 0x9e3779b97f4a7c15ULL ^ birth * 0xbf58476d1ce4e5b9ULL ^ revision << 40 ^ offset;
  x = (x ^ (x >> 31)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 29);
}

// Makes a leaf of keyspace kTestKeyspace.
inline void FillTestPage(std::span<std::byte> page, PageId id, Epoch birth, uint64_t revision = 0) {
  PageHeader& header = HeaderOf(page.data());
  header.page_id = id.value;
  header.birth = birth.value;
  header.kind = static_cast<uint8_t>(PageKind::kLeaf);
  header.keyspace = kTestKeyspace.value;
  header.next = revision;
  for (size_t offset = kPageHeaderBytes; offset < page.size(); offset += sizeof(uint64_t)) {
    const uint64_t word = TestWord(id.value, birth.value, revision, offset);
    std::memcpy(&page[offset], &word, sizeof(word));
  }
}

// Whether the whole page is what FillTestPage made.
inline bool IsTestPage(std::span<const std::byte> page, PageId id, Epoch birth,
                       uint64_t revision = 0) {
  const PageHeader& header = HeaderOf(page.data());
  bool good = header.page_id == id.value && header.birth == birth.value && header.next == revision;
  for (size_t offset = kPageHeaderBytes; offset < page.size(); offset += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, &page[offset], sizeof(word));
    good &= word == TestWord(id.value, birth.value, revision, offset);
  }
  return good;
}

inline PageWant WantPage(PageId id, Epoch birth) {
  return {.reference = {.id = id, .birth = birth}, .keyspace = kTestKeyspace, .level = 0};
}

inline PageWant WantInner(PageId id, Epoch birth) {
  PageWant want = WantPage(id, birth);
  want.level = 1;
  return want;
}

class PageCacheTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kPageBytes = kTestPageBytes;
  static constexpr size_t kFilePages = 16384;
  static constexpr size_t kFrames = kMinFrames;

  PageCacheTest() {
    // A forked child finds the cache's memory wiped: death tests run in a process of their own.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    Open();
  }

  // A new cache over the same file, as after a restart.
  void Open(PageCacheOptions options = {}) {
    cache_.reset();
    options.page_bytes = kPageBytes;
    options.database = kTestDatabase;
    if (options.frames == 0) options.frames = kFrames;
    auto cache = PageCache::Create(&file_, &clock_, guards_.get(), options);
    ASSERT_EQ(cache.status(), absl::OkStatus());
    cache_ = *std::move(cache);
    cache_->Freeze(epoch_);
  }

  // A page on disk, behind the cache's back.
  void PutOnDisk(PageId id, Epoch birth) {
    const std::span<std::byte> page = OnDisk(id);
    FillTestPage(page, id, birth);
    SealPage(page, kTestDatabase);
  }
  // Has the page on disk be an inner node.
  void MakeInner(PageId id) {
    PageHeader& header = HeaderOf(OnDisk(id).data());
    header.kind = static_cast<uint8_t>(PageKind::kInternal);
    header.level = 1;
    SealPage(OnDisk(id), kTestDatabase);
  }
  std::span<std::byte> OnDisk(PageId id) {
    return file_.bytes().subspan(id.value * kPageBytes, kPageBytes);
  }

  // A page of the current epoch.
  void MakePage(PageId id) {
    ASSERT_EQ(cache_->ReserveFrames(1), absl::OkStatus());
    const MutablePage page = cache_->Create(id, epoch_);
    FillTestPage({page.bytes, kPageBytes}, id, epoch_);
  }
  void NextEpoch() {
    epoch_ = keel::NextEpoch(epoch_);
    cache_->Freeze(epoch_);
  }

  PageHandle PinGood(PageId id, Epoch birth) {
    absl::StatusOr<PageHandle> page = cache_->Pin(WantPage(id, birth));
    EXPECT_EQ(page.status(), absl::OkStatus());
    if (!page.ok()) return {};
    EXPECT_TRUE(IsTestPage({page->bytes(), kPageBytes}, id, birth)) << id.value;
    return *std::move(page);
  }
  bool IsResident(PageId id) {
    const ReadGuard guard(*guards_);
    return cache_->Find(id) != nullptr;
  }
  // Loads many other pages. (Looking whether `id` is still there would keep it.)
  void Evict(PageId id) {
    for (uint64_t other = 8000; other < 8000 + 4 * kFrames; ++other) {
      PutOnDisk(PageId{other}, Epoch{1});
      PinGood(PageId{other}, Epoch{1});
    }
    EXPECT_FALSE(IsResident(id));
  }
  std::set<uint64_t> Ready() {
    PageSet ready;
    cache_->CollectRetired(&ready);
    std::set<uint64_t> ids;
    ready.ForEach([&](PageId id) { ids.insert(id.value); });
    return ids;
  }

  FlatFile file_{kFilePages * kPageBytes};
  TestClock clock_;
  std::shared_ptr<GuardDomain> guards_ = GuardDomain::Create();
  std::unique_ptr<PageCache> cache_;
  Epoch epoch_{100};
};

}  // namespace keel::pager

#endif  // KEEL_TESTS_UNIT_PAGER_CACHE_FIXTURE_H_
