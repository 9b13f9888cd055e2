// What the cache promises about frames and ids: C1 to C6 and P1. (C4 and writing: write_back_test.cc;
// C7 and reading: page_load_test.cc.)

#include "pager/page_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "tests/unit/pager/cache_fixture.h"

namespace keel::pager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr PageId kPage{200};
constexpr Epoch kOld{7};

// --- C1, C2: frames and the array ---

TEST_F(PageCacheTest, C1FramesAreBoundedByTheBudget) {
  for (uint64_t id = 1; id < 1000; ++id) {
    PutOnDisk(PageId{id}, kOld);
    PinGood(PageId{id}, kOld);
  }
  const PageCacheStats stats = cache_->stats();
  EXPECT_EQ(stats.frames, kFrames);
  EXPECT_EQ(stats.misses, 999U);
  EXPECT_GE(stats.evictions, 999 - kFrames);
  size_t resident = 0;
  for (uint64_t id = 1; id < 1000; ++id) resident += IsResident(PageId{id}) ? 1U : 0U;
  EXPECT_LE(resident + stats.free_frames, kFrames);
}

// Each leaf is read once in many turns of the hand, as of a database larger than the memory.
TEST_F(PageCacheTest, InnerNodesOutliveLeaves) {
  constexpr PageId kLeaf{300};
  constexpr PageId kInner{301};
  uint64_t next = 1000;
  const auto load_leaves = [&](size_t turns) {
    for (const uint64_t end = next + turns * kFrames; next < end; ++next) {
      PutOnDisk(PageId{next}, kOld);
      PinGood(PageId{next}, kOld);
    }
  };
  PutOnDisk(kLeaf, kOld);
  PutOnDisk(kInner, kOld);
  MakeInner(kInner);
  PinGood(kLeaf, kOld);
  EXPECT_EQ(cache_->Pin(WantInner(kInner, kOld)).status(), absl::OkStatus());
  EXPECT_TRUE(IsResident(kLeaf) && IsResident(kInner));  // which touches them
  load_leaves(4);
  EXPECT_FALSE(IsResident(kLeaf));
  EXPECT_TRUE(IsResident(kInner));
  load_leaves(12);
  EXPECT_FALSE(IsResident(kInner)) << "nobody has come by";
}

TEST_F(PageCacheTest, InnerNodesGoWhereThereIsNothingElse) {
  for (uint64_t id = 1; id < 4 * kFrames; ++id) {
    PutOnDisk(PageId{id}, kOld);
    MakeInner(PageId{id});
    ASSERT_EQ(cache_->Pin(WantInner(PageId{id}, kOld)).status(), absl::OkStatus());
    EXPECT_TRUE(IsResident(PageId{id}));
  }
}

TEST_F(PageCacheTest, C2FindTellsOnlyWhatIsInMemory) {
  PutOnDisk(kPage, kOld);
  EXPECT_FALSE(IsResident(kPage));
  EXPECT_FALSE(*cache_->PinResident(WantPage(kPage, kOld)));
  PinGood(kPage, kOld);
  const ReadGuard guard(*guards_);
  const std::byte* const bytes = cache_->Find(kPage);
  ASSERT_NE(bytes, nullptr);
  EXPECT_TRUE(IsTestPage({bytes, kPageBytes}, kPage, kOld));
  EXPECT_EQ(cache_->Find(PageId{kPage.value + 1}), nullptr);
}

TEST_F(PageCacheTest, C2ChunksAreFreedWhenEmpty) {
  EXPECT_EQ(cache_->stats().table_bytes, 0U);
  for (uint64_t id = 0; id < 40; ++id) MakePage(PageId{1 + id * 300});
  const size_t chunk_bytes = cache_->stats().table_bytes / 40;
  EXPECT_GE(chunk_bytes, 512U);
  for (uint64_t id = 1; id < 40; ++id) cache_->Retire(PageId{1 + id * 300}, 1);
  Ready();
  EXPECT_EQ(cache_->stats().table_bytes, chunk_bytes);
}

TEST_F(PageCacheTest, PinResidentWorksInsideAGuard) {
  MakePage(kPage);
  PageHandle page;
  {
    const ReadGuard guard(*guards_);
    page = *cache_->PinResident(WantPage(kPage, epoch_));
  }
  EXPECT_TRUE(IsTestPage({page.bytes(), kPageBytes}, kPage, epoch_));
}

// --- what nobody reads any more ---

TEST_F(PageCacheTest, C5SupersededPagesGiveUpTheirFramesOnceTheGuardsHaveLeft) {
  constexpr PageId kPinned{201};
  constexpr PageId kChanged{202};
  constexpr PageId kAbsent{203};
  const std::array<PageId, 4> superseded = {kPage, kPinned, kChanged, kAbsent};
  PutOnDisk(kPage, kOld);
  PutOnDisk(kPinned, kOld);
  PinGood(kPage, kOld);
  const PageHandle pinned = PinGood(kPinned, kOld);
  MakePage(kChanged);
  const uint64_t free = cache_->stats().free_frames;
  {
    const ReadGuard guard(*guards_);
    cache_->Supersede(superseded);
    cache_->ReclaimFrames();
    EXPECT_EQ(cache_->stats().free_frames, free) << "who is inside may be reading it";
  }
  cache_->ReclaimFrames();
  EXPECT_EQ(cache_->stats().free_frames, free + 1);
  EXPECT_EQ(cache_->stats().superseded, 1U);
  EXPECT_FALSE(IsResident(kPage));
  EXPECT_TRUE(IsResident(kPinned));
  EXPECT_TRUE(IsResident(kChanged));
  PinGood(kPage, kOld);  // who comes after all
}

// What is in memory may be all that there is of it.
TEST_F(PageCacheTest, G4AfterAFailedSyncNothingYoungerThanTheCheckpointIsSuperseded) {
  constexpr Epoch kYoung{9};
  constexpr PageId kLater{201};
  PutOnDisk(kPage, kOld);
  PutOnDisk(kLater, kYoung);
  PinGood(kPage, kOld);
  PinGood(kLater, kYoung);
  cache_->StopWriting(absl::UnavailableError("the disk is gone"), kOld);
  const std::array<PageId, 2> superseded = {kPage, kLater};
  cache_->Supersede(superseded);
  EXPECT_FALSE(IsResident(kPage));
  EXPECT_TRUE(IsResident(kLater));
}

// --- C3 and P1: mutable and frozen ---

TEST_F(PageCacheTest, C3ANewPageIsZeroButForIdAndBirth) {
  for (uint64_t id = 1; id < 300; ++id) {  // through frames that held other pages
    PutOnDisk(PageId{id}, kOld);
    PinGood(PageId{id}, kOld);
  }
  ASSERT_EQ(cache_->ReserveFrames(5), absl::OkStatus());
  for (uint64_t id = 1000; id < 1005; ++id) {
    const MutablePage page = cache_->Create(PageId{id}, epoch_);
    EXPECT_EQ(HeaderOf(page.bytes).page_id, id);
    EXPECT_EQ(HeaderOf(page.bytes).birth, epoch_.value);
    HeaderOf(page.bytes).page_id = 0;
    HeaderOf(page.bytes).birth = 0;
    for (size_t i = 0; i < kPageBytes; ++i) EXPECT_EQ(page.bytes[i], std::byte{0});
    FillTestPage({page.bytes, kPageBytes}, PageId{id}, epoch_);
  }
}

TEST_F(PageCacheTest, C3ACopyHasIdAndBirthOfItsOwn) {
  PutOnDisk(kPage, kOld);
  const PageHandle source = PinGood(kPage, kOld);
  ASSERT_EQ(cache_->ReserveFrames(1), absl::OkStatus());
  const MutablePage copy = cache_->CreateCopy(PageId{1000}, epoch_, source.bytes());
  EXPECT_EQ(HeaderOf(copy.bytes).page_id, 1000U);
  EXPECT_EQ(HeaderOf(copy.bytes).birth, epoch_.value);
  EXPECT_EQ(std::memcmp(copy.bytes + kPageHeaderBytes, source.bytes() + kPageHeaderBytes,
                        kPageBytes - kPageHeaderBytes),
            0);
  EXPECT_TRUE(IsTestPage({source.bytes(), kPageBytes}, kPage, kOld));
}

TEST_F(PageCacheTest, P1ChangesInPlaceOnlyUnpinnedPagesOfTheEpoch) {
  MakePage(kPage);
  EXPECT_EQ(cache_->mutable_pages(), 1U);
  PageHandle page = PinGood(kPage, epoch_);
  PageHandle other = PinGood(kPage, epoch_);
  EXPECT_EQ(cache_->TryMutate(page, epoch_), nullptr) << "somebody else pins it";
  EXPECT_TRUE(page) << "the handle stays when it is refused";
  other.Release();
  const std::byte* const bytes = page.bytes();
  EXPECT_EQ(cache_->TryMutate(page, epoch_), bytes);
  EXPECT_FALSE(page) << "the pin is consumed";

  page = PinGood(kPage, epoch_);
  const Epoch before = epoch_;
  NextEpoch();
  EXPECT_EQ(cache_->mutable_pages(), 0U);
  EXPECT_EQ(cache_->TryMutate(page, epoch_), nullptr) << "born earlier";
  EXPECT_EQ(cache_->TryMutate(page, before), nullptr) << "frozen";
}

TEST_F(PageCacheTest, P1ADiskPageIsNeverChangedInPlace) {
  PutOnDisk(kPage, kOld);
  PageHandle page = PinGood(kPage, kOld);
  EXPECT_EQ(cache_->TryMutate(page, epoch_), nullptr);
}

TEST_F(PageCacheTest, MutablePagesAreCountedPerEpoch) {
  MakePage(PageId{1});
  MakePage(PageId{2});
  cache_->Freeze(epoch_);  // the same epoch again changes nothing
  EXPECT_EQ(cache_->mutable_pages(), 2U);
  cache_->Retire(PageId{1}, 1);
  EXPECT_EQ(cache_->mutable_pages(), 1U);
  NextEpoch();
  MakePage(PageId{3});
  cache_->Retire(PageId{2}, 1);
  EXPECT_EQ(cache_->mutable_pages(), 1U);
}

// --- C5: frames ---

TEST_F(PageCacheTest, C5AGuardKeepsARetiredPageReadable) {
  MakePage(kPage);
  NextEpoch();
  auto guard = std::make_unique<ReadGuard>(*guards_);
  const std::byte* const bytes = cache_->Find(kPage);
  std::thread other([&] {
    cache_->Retire(kPage, 1);
    EXPECT_THAT(Ready(), IsEmpty());
    for (uint64_t id = 1000; id < 1000 + 40; ++id) MakePage(PageId{id});
  });
  other.join();
  EXPECT_EQ(cache_->Find(kPage), nullptr) << "unlinked all the same";
  EXPECT_TRUE(IsTestPage({bytes, kPageBytes}, kPage, Epoch{100}));
  guard.reset();
  EXPECT_THAT(Ready(), ElementsAre(kPage.value));
}

TEST_F(PageCacheTest, C5APinOutlivesRetireAndReuseOfTheId) {
  MakePage(kPage);
  PageHandle pin = PinGood(kPage, epoch_);
  const Epoch birth = epoch_;
  NextEpoch();
  cache_->Retire(kPage, 1);
  EXPECT_THAT(Ready(), ElementsAre(kPage.value)) << "a pin holds a frame, not an id";
  MakePage(kPage);
  NextEpoch();
  Evict(PageId{9999});  // all other frames are used again meanwhile
  for (uint64_t id = 1; id < 300; ++id) {
    PutOnDisk(PageId{id + 300}, kOld);
    PinGood(PageId{id + 300}, kOld);
  }
  EXPECT_TRUE(IsTestPage({pin.bytes(), kPageBytes}, kPage, birth));
  PinGood(kPage, Epoch{101});
}

TEST_F(PageCacheTest, C5EvictionKeepsPinnedPages) {
  PutOnDisk(kPage, kOld);
  const PageHandle pin = PinGood(kPage, kOld);
  for (uint64_t id = 300; id < 800; ++id) {
    PutOnDisk(PageId{id}, kOld);
    PinGood(PageId{id}, kOld);
  }
  EXPECT_TRUE(IsResident(kPage));
  EXPECT_TRUE(IsTestPage({pin.bytes(), kPageBytes}, kPage, kOld));
}

TEST_F(PageCacheTest, EvictionSparesWhatIsTouchedAgain) {
  PutOnDisk(kPage, kOld);
  PinGood(kPage, kOld);
  for (uint64_t id = 300; id < 1300; ++id) {  // a scan
    PutOnDisk(PageId{id}, kOld);
    PinGood(PageId{id}, kOld);
    EXPECT_TRUE(IsResident(kPage)) << "after " << id - 300;  // this touches it
  }
}

// --- C5: ids ---

TEST_F(PageCacheTest, C5AnIdWaitsForGuardsEnteredBefore) {
  MakePage(kPage);
  auto guard = std::make_unique<ReadGuard>(*guards_);
  cache_->Retire(kPage, 1);
  cache_->Retire(PageId{5000}, 3);  // raw pages: nothing in memory
  EXPECT_EQ(cache_->retired(), 4U);
  EXPECT_THAT(Ready(), IsEmpty());
  guard.reset();
  EXPECT_THAT(Ready(), UnorderedElementsAre(kPage.value, 5000, 5001, 5002));
  EXPECT_EQ(cache_->retired(), 0U);
}

TEST_F(PageCacheTest, C5AnIdWaitsForAWriteUnderWay) {
  MakePage(kPage);
  MakePage(PageId{201});
  NextEpoch();
  std::latch writing(1);
  std::latch go_on(1);
  file_.set_write_hook([&](uint64_t offset, auto) -> absl::StatusOr<uint64_t> {
    writing.count_down();
    go_on.wait();
    return offset;
  });
  std::thread writer([&] { EXPECT_EQ(cache_->WriteBack(10).value(), 2U); });
  writing.wait();
  cache_->Retire(kPage, 1);
  cache_->Retire(PageId{5000}, 1);
  EXPECT_FALSE(IsResident(kPage));
  EXPECT_THAT(Ready(), ElementsAre(5000));
  EXPECT_THAT(Ready(), IsEmpty());
  EXPECT_EQ(cache_->retired(), 1U);
  go_on.count_down();
  writer.join();
  EXPECT_THAT(Ready(), ElementsAre(kPage.value));
  EXPECT_EQ(cache_->stats().dirty_frames, 0U);
}

TEST_F(PageCacheTest, C5AnIdWaitsForAReadUnderWay) {
  PutOnDisk(kPage, kOld);
  std::latch reading(1);
  std::latch go_on(1);
  file_.set_read_hook([&](uint64_t, auto) {
    reading.count_down();
    go_on.wait();
    return absl::OkStatus();
  });
  std::thread reader([&] { PinGood(kPage, kOld); });
  reading.wait();
  cache_->Retire(kPage, 1);
  EXPECT_THAT(Ready(), IsEmpty());
  go_on.count_down();
  reader.join();
  EXPECT_FALSE(IsResident(kPage)) << "what was read late must not be linked";
  EXPECT_THAT(Ready(), ElementsAre(kPage.value));
  MakePage(kPage);
  PinGood(kPage, epoch_);
}

TEST_F(PageCacheTest, C5ANewPageReplacesWhatWasReadOfTheDeadOne) {
  MakePage(kPage);
  NextEpoch();
  ASSERT_EQ(cache_->WriteBack(1).value(), 1U);
  cache_->Retire(kPage, 1);
  EXPECT_THAT(Ready(), ElementsAre(kPage.value));
  // Somebody looks at the dead page on disk before the id is used again.
  const PageHandle dead = PinGood(kPage, Epoch{100});
  MakePage(kPage);
  PinGood(kPage, epoch_);
  EXPECT_TRUE(IsTestPage({dead.bytes(), kPageBytes}, kPage, Epoch{100}));
}

TEST_F(PageCacheTest, RetiringADirtyPageDropsItUnwritten) {
  MakePage(kPage);
  NextEpoch();
  EXPECT_EQ(cache_->stats().dirty_frames, 1U);
  cache_->Retire(kPage, 1);
  EXPECT_EQ(cache_->stats().dirty_frames, 0U);
  EXPECT_EQ(cache_->WriteBack(10).value(), 0U);
  EXPECT_EQ(file_.writes(), 0U);
}

TEST_F(PageCacheTest, RetireTakesSetsAndLongRuns) {
  PageSet pages;
  for (uint64_t id = 1; id <= 20; ++id) {
    MakePage(PageId{id * 100});
    pages.Insert(PageId{id * 100});
  }
  cache_->Retire(pages);
  cache_->Retire(PageId{1'000'000}, 100'000);
  cache_->Retire(PageId{7}, 0);
  cache_->Retire(PageSet());
  EXPECT_EQ(cache_->retired(), 100'020U);
  EXPECT_EQ(Ready().size(), 100'020U);
  for (uint64_t id = 1; id <= 20; ++id) EXPECT_FALSE(IsResident(PageId{id * 100}));
}

// --- C6: running out ---

class PageCachePinnedTest : public PageCacheTest {
 protected:
  // Pins all frames but `left`.
  void PinAllBut(size_t left) {
    for (uint64_t id = 1; id <= kFrames - left; ++id) {
      PutOnDisk(PageId{id}, kOld);
      pins_.push_back(PinGood(PageId{id}, kOld));
    }
  }
  ~PageCachePinnedTest() override { pins_.clear(); }

  std::vector<PageHandle> pins_;
};

TEST_F(PageCachePinnedTest, C6AllPinnedIsAnErrorThatNamesTheBudget) {
  PinAllBut(0);
  PutOnDisk(kPage, kOld);
  const absl::Status status = cache_->Pin(WantPage(kPage, kOld)).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("32768 bytes"));
  EXPECT_TRUE(absl::IsResourceExhausted(cache_->ReserveFrames(1)));
  pins_.pop_back();
  PinGood(kPage, kOld);
}

TEST_F(PageCachePinnedTest, C6AMissNeverWrites) {
  PinAllBut(20);
  for (uint64_t id = 1000; id < 1020; ++id) MakePage(PageId{id});
  NextEpoch();
  PutOnDisk(kPage, kOld);
  EXPECT_TRUE(absl::IsResourceExhausted(cache_->Pin(WantPage(kPage, kOld)).status()));
  EXPECT_EQ(file_.writes(), 0U);
  // The writer may, and does.
  EXPECT_EQ(cache_->ReserveFrames(5), absl::OkStatus());
  EXPECT_GT(file_.writes(), 0U);
}

TEST_F(PageCacheTest, C6DirtyPagesStayUnderTheirShare) {
  for (uint64_t id = 1; id < 1000; ++id) {
    MakePage(PageId{id});
    EXPECT_LE(cache_->stats().dirty_frames, static_cast<uint64_t>(kFrames * kMaxDirtyShare));
    if (id % 10 == 0) NextEpoch();
  }
  EXPECT_FALSE(cache_->DirtyAbove(kMaxDirtyShare));
  EXPECT_GT(cache_->stats().pages_written, 900U);
  for (uint64_t id = 1; id < 1000; ++id) PinGood(PageId{id}, Epoch{100 + (id - 1) / 10});
}

TEST_F(PageCacheTest, C6AnEpochThatIsNotFrozenFillsTheShare) {
  const auto limit = static_cast<uint64_t>(kFrames * kMaxDirtyShare);
  for (uint64_t id = 1; id <= limit; ++id) MakePage(PageId{id});
  EXPECT_TRUE(cache_->DirtyAbove(0.6));
  const absl::Status status = cache_->ReserveFrames(1);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("not frozen"));
  NextEpoch();
  EXPECT_EQ(cache_->ReserveFrames(1), absl::OkStatus());
}

TEST_F(PageCacheTest, C6MoreThanTheShareCannotBeReserved) {
  EXPECT_EQ(cache_->ReserveFrames(44), absl::OkStatus());
  EXPECT_TRUE(absl::IsResourceExhausted(cache_->ReserveFrames(45)));
}

TEST_F(PageCacheTest, ReserveGuaranteesThatManyCreates) {
  for (uint64_t id = 1; id < 500; ++id) {
    PutOnDisk(PageId{id}, kOld);
    PinGood(PageId{id}, kOld);
  }
  ASSERT_EQ(cache_->ReserveFrames(40), absl::OkStatus());
  const uint64_t reads = file_.reads();
  for (uint64_t id = 1000; id < 1040; ++id) {
    FillTestPage({cache_->Create(PageId{id}, epoch_).bytes, kPageBytes}, PageId{id}, epoch_);
  }
  EXPECT_EQ(file_.reads(), reads);
  EXPECT_EQ(file_.writes(), 0U);
}

TEST_F(PageCacheTest, ReadOnlyKeepsDirtyPagesAndTellsTheMemoryNeeded) {
  Open({.read_only = true});
  for (uint64_t id = 1; id <= 44; ++id) MakePage(PageId{id});
  NextEpoch();
  const absl::Status status = cache_->ReserveFrames(12);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("read-only"));
  EXPECT_THAT(status.message(),
              HasSubstr("budget of 41472 bytes"));  // (44 + 12) / 0.7 pages, rounded up
  EXPECT_EQ(cache_->WriteBack(100).value(), 0U);
  EXPECT_EQ(file_.writes(), 0U);
}

TEST_F(PageCacheTest, ReplenishKeepsAStockOfFreeFrames) {
  for (uint64_t id = 1; id < 500; ++id) {
    PutOnDisk(PageId{id}, kOld);
    PinGood(PageId{id}, kOld);
  }
  cache_->Replenish();
  EXPECT_GE(cache_->stats().free_frames, 8U);
}

// --- options ---

TEST_F(PageCacheTest, OptionsAreChecked) {
  const auto create = [&](io::File* file, PageCacheOptions options) {
    return PageCache::Create(file, &clock_, guards_.get(), options).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(create(&file_, {.page_bytes = 1000, .frames = 64})));
  EXPECT_TRUE(absl::IsInvalidArgument(create(&file_, {.page_bytes = 4096, .frames = 63})));
  FlatFile direct(4096, 4096);
  EXPECT_TRUE(absl::IsInvalidArgument(create(&direct, {.page_bytes = 512, .frames = 64})));
  EXPECT_EQ(create(&direct, {.page_bytes = 4096, .frames = 64}), absl::OkStatus());
}

using PageCacheDeathTest = PageCacheTest;

TEST_F(PageCacheDeathTest, AnIdInUseIsNotGivenOutAgain) {
  MakePage(kPage);
  ASSERT_EQ(cache_->ReserveFrames(1), absl::OkStatus());
  EXPECT_DEATH(cache_->Create(kPage, epoch_), "kLinked");
}

TEST_F(PageCacheDeathTest, CreateWithoutReserveIsOurMistake) {
  EXPECT_DEATH(cache_->Create(kPage, epoch_), "set_aside_");
}

}  // namespace
}  // namespace keel::pager
