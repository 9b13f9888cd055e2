// Cursors over a page cache: inner nodes are not pinned (btree/cursor_path.h), and may go and come back at any time.

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "btree/cursor.h"
#include "btree/node_check.h"
#include "pager/guard.h"
#include "pager/page_cache.h"
#include "pager/page_format.h"
#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"
#include "tests/unit/pager/flat_file.h"

namespace keel::testing {
namespace {

constexpr DatabaseId kDatabase{.high = 3, .low = 5};
constexpr uint32_t kPageBytes = 512;

// Pages of a cache, with its lookups or without.
class CachedPages final : public pager::PageSource {
 public:
  CachedPages(pager::PageCache* cache, bool looks) : cache_(cache), looks_(looks) {}

  uint32_t page_bytes() const override { return cache_->page_bytes(); }
  absl::StatusOr<pager::PageHandle> Pin(const pager::PageWant& want) override {
    return cache_->Pin(want);
  }
  absl::Status ReadRaw(PageId first, std::span<std::byte> buffer) override {
    return cache_->ReadRaw(first, buffer);
  }
  uint64_t RawSeed(PageId id) const override { return cache_->RawSeed(id); }
  pager::PageCache* cache() override { return looks_ ? cache_ : nullptr; }

 private:
  pager::PageCache* const cache_;
  const bool looks_;
};

std::string Number(uint64_t i) { return absl::StrFormat("key%06d", i); }
std::string Value(uint64_t i) { return std::string(60, static_cast<char>('a' + i % 26)); }

// A tree of some levels in a file, behind a cache with far fewer frames than it has pages.
class CursorPathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint64_t i = 0; i < kRows; ++i) tree_.Put(Number(i), Value(i));
    live_ = tree_.pages().Live();
    file_ = std::make_unique<pager::FlatFile>((*live_.rbegin() + 1) * kPageBytes);
    for (const uint64_t id : live_) WriteToFile(PageId{id});
    auto cache = pager::PageCache::Create(file_.get(), &clock_, guards_.get(),
                                          {.page_bytes = kPageBytes,
                                           .database = kDatabase,
                                           .frames = 64,
                                           .check_page = &btree::CheckNode});
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
    pages_ = std::make_unique<CachedPages>(cache_.get(), /*looks=*/true);
    pinned_ = std::make_unique<CachedPages>(cache_.get(), /*looks=*/false);
    ASSERT_GE(tree_.root().level, 2);
    ASSERT_GT(live_.size(), 4 * cache_->frames());
  }

  void WriteToFile(PageId id) {
    const std::span<std::byte> page = file_->bytes().subspan(id.value * kPageBytes, kPageBytes);
    std::ranges::copy(tree_.pages().Bytes(id), page.begin());
    pager::SealPage(page, kDatabase);
  }

  btree::Cursor NewCursor() { return {pages_.get(), kKeyspace, tree_.root(), btree::Range{}}; }

  // The leaf that holds `key`.
  PageId LeafOf(std::string_view key) {
    btree::Cursor cursor(&tree_.pages(), kKeyspace, tree_.root(), btree::Range{});
    cursor.Seek(key);
    return PageId{cursor.PinLeaf().header().page_id};
  }

  // Whatever is not pinned goes.
  void EvictAll() {
    for (uint64_t i = 0; i < kRows; i += 5) {
      btree::Cursor other(pinned_.get(), kKeyspace, tree_.root(), btree::Range{});
      other.Seek(Number(i));
      ASSERT_TRUE(other.status().ok()) << other.status();
    }
  }

  static constexpr uint64_t kRows = 2500;
  ModelTree tree_{kPageBytes};
  std::set<uint64_t> live_;
  std::unique_ptr<pager::FlatFile> file_;
  pager::TestClock clock_;
  std::shared_ptr<pager::GuardDomain> guards_ = pager::GuardDomain::Create();
  std::unique_ptr<pager::PageCache> cache_;
  std::unique_ptr<CachedPages> pages_;   // that looks at what is in memory
  std::unique_ptr<CachedPages> pinned_;  // and that does not
};

// Only its leaf is pinned, whether the way was looked up or read.
TEST_F(CursorPathTest, NothingButTheLeafIsPinned) {
  btree::Cursor cursor = NewCursor();
  for (int time = 0; time < 2; ++time) {  // the first one reads
    cursor.Seek(Number(1000));
    ASSERT_TRUE(cursor.valid()) << cursor.status();
    EXPECT_EQ(cache_->stats().pinned_frames, 1U);
  }
  const uint64_t misses = cache_->stats().misses;
  for (int i = 0; i < 20; ++i) cursor.Next();  // over several leaves
  EXPECT_EQ(cursor.key(), Number(1020));
  EXPECT_EQ(cache_->stats().pinned_frames, 1U);
  EXPECT_GT(cache_->stats().misses, misses);
  cursor.Reset(kKeyspace, tree_.root());
  EXPECT_EQ(cache_->stats().pinned_frames, 0U);
}

// Q1: a walk both ways, with everything that is not pinned evicted now and then.
TEST_F(CursorPathTest, Q1_InnerNodesGoAndComeBack) {
  std::mt19937_64 random(TestSeed());
  btree::Cursor cursor = NewCursor();
  auto at = tree_.model().begin();
  cursor.SeekToFirst();
  for (int step = 0; step < 30'000; ++step) {
    ASSERT_TRUE(cursor.status().ok()) << cursor.status();
    ASSERT_EQ(cursor.valid(), at != tree_.model().end());
    if (random() % 1500 == 0) EvictAll();
    if (at == tree_.model().end() || random() % 200 == 0) {
      at = tree_.model().lower_bound(Number(random() % kRows));
      cursor.Seek(at->first);
    } else if (step / 100 % 2 == 0) {
      cursor.Next();
      ++at;
    } else {
      cursor.Prev();
      at = at == tree_.model().begin() ? tree_.model().end() : std::prev(at);
    }
    if (at == tree_.model().end()) continue;
    ASSERT_EQ(cursor.key(), at->first);
    ASSERT_EQ(cursor.value().bytes, at->second);
  }
  cursor.SeekToLast();
  EXPECT_EQ(cursor.key(), Number(kRows - 1));
}

// Q2: a leaf that holds another one's keys, behind a checksum that is right, is damage: from disk and from memory, by a
// seek and by a step from the leaf beside it.
TEST_F(CursorPathTest, Q2_ALeafBeyondItsFencesIsDamage) {
  const PageId spoilt = LeafOf(Number(1200));
  const auto header = pager::HeaderOf(tree_.pages().Bytes(spoilt).data());
  const auto own = tree_.pages().Bytes(spoilt);
  std::ranges::copy(tree_.pages().Bytes(LeafOf(Number(2000))), own.begin());
  pager::HeaderOf(own.data()).page_id = header.page_id;
  pager::HeaderOf(own.data()).birth = header.birth;
  WriteToFile(spoilt);
  for (int time = 0; time < 2; ++time) {  // read; in memory
    btree::Cursor cursor = NewCursor();
    cursor.Seek(Number(1200));
    EXPECT_FALSE(cursor.valid());
    EXPECT_TRUE(absl::IsDataLoss(cursor.status())) << cursor.status();
  }
  ASSERT_TRUE(cache_->PinResident({{spoilt, Epoch{header.birth}}, kKeyspace, 0}).ok());
  btree::Cursor cursor = NewCursor();
  cursor.Seek(Number(1150));
  while (cursor.valid()) cursor.Next();
  EXPECT_TRUE(absl::IsDataLoss(cursor.status())) << cursor.status();
  cursor.Seek(Number(1300));
  while (cursor.valid()) cursor.Prev();
  EXPECT_TRUE(absl::IsDataLoss(cursor.status())) << cursor.status();
}

// A page in memory that is not the one its reference names is refused as one from disk is.
TEST_F(CursorPathTest, Q2_ALookupComparesWhatItFinds) {
  btree::Cursor cursor = NewCursor();
  cursor.Seek(Number(7));
  ASSERT_TRUE(cursor.valid());
  btree::TreeRoot other = tree_.root();
  other.reference.birth = NextEpoch(other.reference.birth);
  cursor.Reset(kKeyspace, other);
  cursor.Seek(Number(7));
  EXPECT_TRUE(absl::IsDataLoss(cursor.status())) << cursor.status();
  cursor.Reset(KeyspaceId{kKeyspace.value + 1}, tree_.root());
  cursor.SeekToLast();
  EXPECT_TRUE(absl::IsDataLoss(cursor.status())) << cursor.status();
}

}  // namespace
}  // namespace keel::testing
