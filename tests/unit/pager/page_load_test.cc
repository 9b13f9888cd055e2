// C7: what is read from disk is right, or DataLoss that says where and what; and it is read once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "pager/page_cache.h"
#include "tests/unit/pager/cache_fixture.h"

namespace keel::pager {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr PageId kPage{321};
constexpr Epoch kBirth{50};

class PageLoadTest : public PageCacheTest {
 protected:
  PageLoadTest() { PutOnDisk(kPage, kBirth); }

  // Pins, expecting DataLoss that names file, page and keyspace.
  std::string DataLoss(const PageWant& want = WantPage(kPage, kBirth)) {
    const absl::Status status = cache_->Pin(want).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("/flat/keel.data"), HasSubstr("page 321"),
                                        HasSubstr("keyspace 9")));
    return std::string(status.message());
  }
  // The next `count` reads go wrong.
  void SpoilReads(int count, FlatFile::ReadHook how) {
    file_.set_read_hook([count, how](uint64_t offset, std::span<std::byte> bytes) mutable {
      return count-- > 0 ? how(offset, bytes) : absl::OkStatus();
    });
  }
  static absl::Status FlipABit(uint64_t /*offset*/, std::span<std::byte> bytes) {
    bytes[100] ^= std::byte{4};
    return absl::OkStatus();
  }
  static absl::Status Fail(uint64_t /*offset*/, std::span<std::byte> /*bytes*/) {
    return absl::UnavailableError("read /flat/keel.data: Input/output error");
  }
};

TEST_F(PageLoadTest, C7ABitFlippedOnceIsHealedByReadingAgain) {
  SpoilReads(1, FlipABit);
  PinGood(kPage, kBirth);
  EXPECT_EQ(cache_->stats().read_retries, 1U);
  EXPECT_EQ(cache_->stats().damaged_reads, 0U);
}

TEST_F(PageLoadTest, C7ABitFlippedForGoodIsDataLoss) {
  OnDisk(kPage)[100] ^= std::byte{4};
  EXPECT_THAT(DataLoss(), HasSubstr("checksum"));
  EXPECT_EQ(file_.reads(), static_cast<uint64_t>(kReadAttempts));
  EXPECT_EQ(cache_->stats().damaged_reads, 1U);
  EXPECT_FALSE(IsResident(kPage));
  EXPECT_EQ(cache_->stats().free_frames, kFrames);
}

TEST_F(PageLoadTest, C7ADamagedPageDoesNotSpoilOthers) {
  OnDisk(kPage)[100] ^= std::byte{4};
  DataLoss();
  PutOnDisk(PageId{322}, kBirth);
  PinGood(PageId{322}, kBirth);
  OnDisk(kPage)[100] ^= std::byte{4};
  PinGood(kPage, kBirth);  // and can be read once it is well again
}

TEST_F(PageLoadTest, C7ALostWriteShowsAnOlderBirth) {
  EXPECT_THAT(DataLoss(WantPage(kPage, Epoch{51})),
              HasSubstr("expected birth (lost or stale write) 51, found 50"));
}

TEST_F(PageLoadTest, C7AMisdirectedWriteShowsAnotherId) {
  FillTestPage(OnDisk(kPage), PageId{7}, kBirth);
  SealPage(OnDisk(kPage), kTestDatabase);
  EXPECT_THAT(DataLoss(), HasSubstr("expected page id 321, found 7"));
}

TEST_F(PageLoadTest, C7KindLevelAndKeyspaceAreCompared) {
  PageWant want = WantPage(kPage, kBirth);
  want.keyspace = KeyspaceId{4};
  EXPECT_THAT(cache_->Pin(want).status().message(), HasSubstr("expected keyspace 4, found 9"));
  want = WantPage(kPage, kBirth);
  want.level = 2;
  EXPECT_THAT(DataLoss(want), HasSubstr("expected kind internal, found leaf"));
  HeaderOf(OnDisk(kPage).data()).kind = static_cast<uint8_t>(PageKind::kInternal);
  HeaderOf(OnDisk(kPage).data()).level = 1;
  SealPage(OnDisk(kPage), kTestDatabase);
  EXPECT_THAT(DataLoss(want), HasSubstr("expected level 2, found 1"));
}

TEST_F(PageLoadTest, C7APageInMemoryIsComparedToo) {
  PinGood(kPage, kBirth);
  const uint64_t reads = file_.reads();
  EXPECT_THAT(DataLoss(WantPage(kPage, Epoch{49})), HasSubstr("found 50"));
  EXPECT_TRUE(absl::IsDataLoss(cache_->PinResident(WantPage(kPage, Epoch{49})).status()));
  EXPECT_EQ(file_.reads(), reads);
}

TEST_F(PageLoadTest, C7StructureIsChecked) {
  Open({.check_page = [](std::span<const std::byte> page) {
    return page.size() == kPageBytes ? absl::DataLossError("slot 3 overlaps slot 4")
                                     : absl::InternalError("wrong size");
  }});
  EXPECT_THAT(DataLoss(), HasSubstr("slot 3 overlaps slot 4"));
  EXPECT_FALSE(IsResident(kPage));
}

TEST_F(PageLoadTest, C7TheEndOfTheFileIsDataLoss) {
  const absl::Status status = cache_->Pin(WantPage(PageId{kFilePages}, kBirth)).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.message(), HasSubstr("ends at byte"));
}

TEST_F(PageLoadTest, C7AnIdThatNoFileCanHaveIsDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(cache_->Pin(WantPage(PageId{kMaxPageId}, kBirth)).status()));
  EXPECT_EQ(file_.reads(), 0U);
}

TEST_F(PageLoadTest, C7AReadThatFailsOnceIsRepeated) {
  SpoilReads(1, Fail);
  PinGood(kPage, kBirth);
  EXPECT_EQ(cache_->stats().read_retries, 1U);
}

TEST_F(PageLoadTest, C7AReadThatFailsForGoodIsDataLoss) {
  SpoilReads(1000, Fail);
  EXPECT_THAT(DataLoss(), HasSubstr("Input/output error"));
  EXPECT_EQ(file_.reads(), static_cast<uint64_t>(kReadAttempts));
}

TEST_F(PageLoadTest, OtherErrorsAreNotCalledDamage) {
  SpoilReads(1000, [](uint64_t, auto) { return absl::PermissionDeniedError("no"); });
  EXPECT_TRUE(absl::IsPermissionDenied(cache_->Pin(WantPage(kPage, kBirth)).status()));
  EXPECT_EQ(file_.reads(), 1U);
}

TEST_F(PageLoadTest, ManyThreadsWaitForOneRead) {
  constexpr int kThreads = 8;
  std::atomic<int> started{0};
  file_.set_read_hook([&](uint64_t, auto) {
    while (started < kThreads || cache_->stats().misses < kThreads) std::this_thread::yield();
    return absl::OkStatus();
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      ++started;
      PinGood(kPage, kBirth);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(file_.reads(), 1U);
  EXPECT_EQ(cache_->stats().pages_read, 1U);
}

TEST_F(PageLoadTest, WaitingThreadsShareTheErrorOfTheirOwnWantOnly) {
  std::latch reading(1);
  std::atomic<int> reads{0};
  file_.set_read_hook([&](uint64_t, auto) {
    if (++reads > 1) return absl::OkStatus();
    reading.count_down();
    while (cache_->stats().misses < 3) std::this_thread::yield();
    return absl::OkStatus();
  });
  const PageWant stale = WantPage(kPage, Epoch{49});
  std::thread first([&] { EXPECT_TRUE(absl::IsDataLoss(cache_->Pin(stale).status())); });
  reading.wait();
  std::thread same([&] { EXPECT_TRUE(absl::IsDataLoss(cache_->Pin(stale).status())); });
  std::thread other([&] { PinGood(kPage, kBirth); });
  first.join();
  same.join();
  other.join();
  EXPECT_TRUE(IsResident(kPage));
}

TEST_F(PageLoadTest, RawPagesPassByTheFrames) {
  std::vector<std::byte> data(5 * kPageBytes);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 7);
  ASSERT_EQ(cache_->WriteRaw(PageId{900}, data), absl::OkStatus());
  std::vector<std::byte> read(data.size());
  ASSERT_EQ(cache_->ReadRaw(PageId{900}, read), absl::OkStatus());
  EXPECT_EQ(read, data);
  EXPECT_EQ(cache_->stats().free_frames, kFrames);
  EXPECT_NE(cache_->RawSeed(PageId{900}), cache_->RawSeed(PageId{901}));
}

TEST_F(PageLoadTest, RawReadsAreRepeatedAndEndInDataLoss) {
  std::vector<std::byte> read(2 * kPageBytes);
  SpoilReads(1, Fail);
  EXPECT_EQ(cache_->ReadRaw(PageId{900}, read), absl::OkStatus());
  SpoilReads(1000, Fail);
  EXPECT_TRUE(absl::IsDataLoss(cache_->ReadRaw(PageId{900}, read)));
  file_.set_read_hook({});
  EXPECT_TRUE(absl::IsDataLoss(cache_->ReadRaw(PageId{kFilePages - 1}, read)));
}

TEST(RawPagesTest, UnalignedBuffersGoThroughACopy) {
  constexpr uint32_t kPageBytes = 4096;
  FlatFile file(size_t{4} << 20, kPageBytes);
  file.set_write_hook(
      [](uint64_t offset, std::span<const std::byte> data) -> absl::StatusOr<uint64_t> {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(data.data()) % kPageBytes, 0U);
        return offset;
      });
  TestClock clock;
  RawPages raw(&file, &clock, kPageBytes);
  std::vector<std::byte> data((size_t{3} << 20) + 1);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 13 / 5);
  const std::span<std::byte> unaligned = std::span(data).subspan(1);
  ASSERT_EQ(raw.Write(PageId{2}, unaligned), absl::OkStatus());
  std::vector<std::byte> read(data.size());
  ASSERT_EQ(raw.Read(PageId{2}, std::span(read).subspan(1)), absl::OkStatus());
  read[0] = data[0];
  EXPECT_EQ(read, data);
}

}  // namespace
}  // namespace keel::pager
