// C4 and what happens to writes: frozen pages only, in id order, coalesced, repeated, and read back the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <set>
#include <vector>

#include "pager/page_cache.h"
#include "tests/unit/pager/cache_fixture.h"

namespace keel::pager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WriteBackTest : public PageCacheTest {
 protected:
  struct Write {
    uint64_t page;
    uint64_t count;
    friend bool operator==(const Write&, const Write&) = default;
  };

  WriteBackTest() { AllowWrites(); }

  void AllowWrites() {
    file_.set_write_hook([this](uint64_t offset, auto data) { return Note(offset, data); });
  }
  // Writes that touch one of `pages` fail, `times` times.
  void FailWrites(std::set<uint64_t> pages, int times) {
    file_.set_write_hook(
        [this, pages, times](uint64_t offset,
                             std::span<const std::byte> data) mutable -> absl::StatusOr<uint64_t> {
          const uint64_t first = offset / kPageBytes;
          const auto hit = pages.lower_bound(first);
          const bool touched = hit != pages.end() && *hit < first + data.size() / kPageBytes;
          if (touched && times-- > 0) return absl::UnavailableError("write: Input/output error");
          return Note(offset, data);
        });
  }
  absl::StatusOr<uint64_t> Note(uint64_t offset, std::span<const std::byte> data) {
    written_.push_back({offset / kPageBytes, data.size() / kPageBytes});
    return offset;
  }
  void MakePages(std::initializer_list<uint64_t> ids) {
    for (uint64_t id : ids) MakePage(PageId{id});
  }
  bool GoodOnDisk(uint64_t id, Epoch birth) {
    return CheckPage(OnDisk(PageId{id}), kTestDatabase, PageId{id}).ok() &&
           IsTestPage(OnDisk(PageId{id}), PageId{id}, birth);
  }

  std::vector<Write> written_;
};

TEST_F(WriteBackTest, C4OnlyFrozenPagesAreWritten) {
  MakePages({10, 11});
  EXPECT_EQ(cache_->WriteBack(100).value(), 0U);
  NextEpoch();
  MakePages({12});
  EXPECT_EQ(cache_->WriteBack(100).value(), 2U);
  EXPECT_THAT(written_, ElementsAre(Write{10, 2}));
  EXPECT_EQ(cache_->stats().dirty_frames, 1U);
}

TEST_F(WriteBackTest, C4TheFrameIsNotTouchedByTheWrite) {
  MakePages({10});
  NextEpoch();
  const PageHandle page = PinGood(PageId{10}, Epoch{100});
  const std::vector<std::byte> before(page.bytes(), page.bytes() + kPageBytes);
  ASSERT_EQ(cache_->WriteBack(1).value(), 1U);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), page.bytes())) << "sealed in a copy";
  EXPECT_TRUE(GoodOnDisk(10, Epoch{100}));
}

TEST_F(WriteBackTest, WritesInIdOrderAndTogether) {
  MakePages({30, 12, 11, 20, 10, 21, 13});
  NextEpoch();
  EXPECT_EQ(cache_->WriteBack(100).value(), 7U);
  EXPECT_THAT(written_, ElementsAre(Write{10, 4}, Write{20, 2}, Write{30, 1}));
  EXPECT_EQ(cache_->WriteBack(100).value(), 0U) << "clean now";
  EXPECT_EQ(cache_->stats().pages_written, 7U);
}

TEST_F(WriteBackTest, WritesAtMostAMegabyteAtOnce) {
  constexpr uint64_t kPages = 3000;
  Open({.frames = 8192});
  for (uint64_t id = 1; id <= kPages; ++id) MakePage(PageId{id});
  NextEpoch();
  EXPECT_EQ(cache_->WriteBack(kPages).value(), kPages);
  EXPECT_EQ(file_.longest_write(), uint64_t{1} << 20);
  EXPECT_EQ(file_.writes(), 2U);
  for (uint64_t id = 1; id <= kPages; ++id) EXPECT_TRUE(GoodOnDisk(id, Epoch{100}));
}

TEST_F(WriteBackTest, WritesAsManyAsAskedFor) {
  MakePages({1, 2, 3, 4, 5});
  NextEpoch();
  EXPECT_EQ(cache_->WriteBack(2).value(), 2U);
  EXPECT_EQ(cache_->WriteBack(2).value(), 2U);
  EXPECT_EQ(cache_->WriteBack(2).value(), 1U);
}

// Frames are looked at in their own order: a page in an old frame does not tear the run apart that it belongs to.
TEST_F(WriteBackTest, WhatLiesBetweenIsWrittenWithIt) {
  MakePages({16, 11, 10, 12, 13, 14, 15, 17, 18});
  NextEpoch();
  EXPECT_EQ(cache_->WriteBack(3).value(), 7U);
  EXPECT_THAT(written_, ElementsAre(Write{10, 7}));
  EXPECT_EQ(cache_->WriteBack(3).value(), 2U);
  EXPECT_THAT(written_, ElementsAre(Write{10, 7}, Write{17, 2}));
  EXPECT_EQ(cache_->WriteBack(3).value(), 0U);
}

TEST_F(WriteBackTest, WhatLiesBetweenIsWrittenOnlyIfItIsDirtyAndFrozen) {
  MakePages({13, 10, 12, 400});
  NextEpoch();
  ASSERT_EQ(cache_->WriteBack(100).value(), 4U);
  written_.clear();
  MakePages({20, 23, 25});
  NextEpoch();
  MakePages({22, 24});
  EXPECT_EQ(cache_->WriteBack(100).value(), 3U);
  EXPECT_THAT(written_, ElementsAre(Write{20, 1}, Write{23, 1}, Write{25, 1}));
  EXPECT_EQ(cache_->stats().dirty_frames, 2U);
}

// The search ends with the last dirty frame; what became dirty behind it is found the next time.
TEST_F(WriteBackTest, NoDirtyPageIsForgotten) {
  Open({.frames = 512});
  uint64_t id = 1;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 1 + round % 7; ++i) MakePage(PageId{id += 7});
    NextEpoch();
    size_t written = 0;
    while (const size_t some = cache_->WriteBack(3).value()) written += some;
    EXPECT_EQ(written, 1U + static_cast<size_t>(round) % 7);
    EXPECT_EQ(cache_->stats().dirty_frames, 0U);
  }
}

TEST_F(WriteBackTest, ASetIsWrittenAsFarAsItIsDirty) {
  MakePages({10, 11, 12, 13});
  NextEpoch();
  PageSet pages;
  for (uint64_t id : std::initializer_list<uint64_t>{9, 11, 12, 5000}) pages.Insert(PageId{id});
  EXPECT_EQ(cache_->WriteBack(pages), absl::OkStatus());
  EXPECT_THAT(written_, ElementsAre(Write{11, 2}));
  EXPECT_EQ(cache_->WriteBack(pages), absl::OkStatus());
  EXPECT_EQ(written_.size(), 1U);
  EXPECT_EQ(cache_->stats().dirty_frames, 2U);
}

TEST_F(WriteBackTest, WrittenEvictedAndReadAgainAPageIsTheSame) {
  MakePages({10});
  NextEpoch();
  ASSERT_EQ(cache_->WriteBack(1).value(), 1U);
  Evict(PageId{10});
  PinGood(PageId{10}, Epoch{100});
  Open();
  PinGood(PageId{10}, Epoch{100});
}

TEST_F(WriteBackTest, AWriteThatFailsOnceIsRepeatedAtTheSamePlace) {
  MakePages({10, 11});
  NextEpoch();
  FailWrites({10}, 1);
  EXPECT_EQ(cache_->WriteBack(10).value(), 2U);
  EXPECT_THAT(written_, ElementsAre(Write{10, 2}));
  EXPECT_EQ(cache_->stats().write_retries, 1U);
  EXPECT_GT(clock_.Now(), absl::ZeroDuration()) << "after a pause";
}

TEST_F(WriteBackTest, APageThatCannotBeWrittenStaysDirtyAlone) {
  MakePages({10, 11, 12, 20});
  NextEpoch();
  FailWrites({11}, 1000);
  const absl::Status status = cache_->WriteBack(10).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("page 11"));
  EXPECT_EQ(cache_->stats().dirty_frames, 1U);
  for (uint64_t id : std::initializer_list<uint64_t>{10, 12, 20})
    EXPECT_TRUE(GoodOnDisk(id, Epoch{100})) << id;
  // It stays in memory, whatever else is read, and is written once that works again.
  Evict(PageId{10});
  EXPECT_TRUE(IsResident(PageId{11}));
  AllowWrites();
  EXPECT_EQ(cache_->WriteBack(10).value(), 1U);
  EXPECT_TRUE(GoodOnDisk(11, Epoch{100}));
}

TEST_F(WriteBackTest, ADeadDeviceIsNotWaitedForAgainAndAgain) {
  for (uint64_t id = 1; id <= 40; ++id) MakePage(PageId{id * 10});
  NextEpoch();
  file_.set_write_hook(
      [](uint64_t, auto) -> absl::StatusOr<uint64_t> { return absl::UnavailableError("gone"); });
  EXPECT_FALSE(cache_->WriteBack(100).ok());
  EXPECT_EQ(cache_->stats().dirty_frames, 40U);
  EXPECT_LT(clock_.Now(), absl::Seconds(1));
  // The writer is told that memory is short, and why; readers go on.
  const absl::Status full = cache_->ReserveFrames(10);
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(full.message(), HasSubstr("40 of 64 page frames hold changed pages"));
  EXPECT_THAT(full.message(), HasSubstr("gone"));
  PutOnDisk(PageId{5}, Epoch{1});
  PinGood(PageId{5}, Epoch{1});
}

TEST_F(WriteBackTest, OneBadPageDoesNotStopTheWriter) {
  for (uint64_t id = 1; id <= 40; ++id) MakePage(PageId{id});
  NextEpoch();
  FailWrites({11}, 1000000);
  for (uint64_t id = 41; id <= 400; ++id) {
    MakePage(PageId{id});
    if (id % 8 == 0) NextEpoch();
  }
  EXPECT_TRUE(IsResident(PageId{11}));
}

TEST_F(WriteBackTest, AfterAFailedSyncNothingIsWritten) {
  MakePages({10});
  NextEpoch();
  ASSERT_EQ(cache_->WriteBack(1).value(), 1U);
  MakePages({11});
  NextEpoch();
  cache_->StopWriting(absl::UnavailableError("fdatasync: Input/output error"), Epoch{99});
  const absl::Status status = cache_->WriteBack(1).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(status.message(), HasSubstr("fdatasync"));
  EXPECT_EQ(written_.size(), 1U);
  // Pages whose write may be lost stay as long as others can go.
  for (uint64_t id = 1000; id < 1500; ++id) {
    PutOnDisk(PageId{id}, Epoch{1});
    PinGood(PageId{id}, Epoch{1});
  }
  EXPECT_TRUE(IsResident(PageId{10}));
  EXPECT_TRUE(IsResident(PageId{11}));
}

TEST_F(WriteBackTest, WithoutOtherPagesUnsyncedOnesAreEvictedToo) {
  for (uint64_t id = 1; id <= 150; ++id) {
    MakePage(PageId{id});
    NextEpoch();
  }
  ASSERT_TRUE(cache_->WriteBack(1000).ok());
  cache_->StopWriting(absl::UnavailableError("sync"), Epoch{99});
  for (uint64_t id = 1; id <= 150; ++id) PinGood(PageId{id}, Epoch{99 + id});
}

// Completes what is submitted in reverse order; some requests fail.
class BackwardQueue : public io::IoQueue {
 public:
  explicit BackwardQueue(uint64_t bad_offset) : bad_offset_(bad_offset) {}

  size_t depth() const override { return 64; }
  size_t pending() const override { return requests_.size(); }
  size_t submitted() const { return submitted_; }
  absl::Status Submit(std::span<const io::IoRequest> requests) override {
    requests_.insert(requests_.end(), requests.begin(), requests.end());
    submitted_ += requests.size();
    return absl::OkStatus();
  }
  absl::Status Wait(size_t /*count*/, std::vector<io::IoCompletion>* completions) override {
    for (; !requests_.empty(); requests_.pop_back()) {
      const io::IoRequest& request = requests_.back();
      absl::Status status = absl::UnavailableError("queued write failed");
      if (request.offset != bad_offset_) {
        status = request.file->Write(request.offset, {request.data, request.length});
      }
      completions->push_back({.tag = request.tag, .status = status});
    }
    return absl::OkStatus();
  }

 private:
  uint64_t bad_offset_;
  size_t submitted_ = 0;
  std::vector<io::IoRequest> requests_;
};

TEST_F(WriteBackTest, ManyRunsGoThroughTheQueue) {
  BackwardQueue queue(20 * kPageBytes);
  Open({.write_queue = &queue});
  MakePages({10, 11, 20, 30});
  NextEpoch();
  EXPECT_EQ(cache_->WriteBack(10).value(), 4U)
      << "what the queue fails to write is written without it";
  EXPECT_EQ(queue.submitted(), 3U);
  for (uint64_t id : std::initializer_list<uint64_t>{10, 11, 20, 30})
    EXPECT_TRUE(GoodOnDisk(id, Epoch{100})) << id;
  cache_.reset();
}

using WriteBackDeathTest = WriteBackTest;

TEST_F(WriteBackDeathTest, AMutablePageIsNotWrittenOnDemand) {
  MakePages({10});
  PageSet pages;
  pages.Insert(PageId{10});
  EXPECT_DEATH(static_cast<void>(cache_->WriteBack(pages)), "frozen");
}

}  // namespace
}  // namespace keel::pager
