#include "pager/space_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "tests/support/seed.h"
#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;

class SpaceMapTest : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Geometries, SpaceMapTest, ::testing::Values(512U, 4096U, 65536U));

TEST_P(SpaceMapTest, SlotsLieInTheirGroupBesideTheSuperblocks) {
  const uint32_t page_bytes = GetParam();
  EXPECT_EQ(PagesPerGroup(page_bytes), (page_bytes - 64) * 8);
  const std::vector<PageId> superblocks = SuperblockPages(page_bytes);
  EXPECT_EQ(superblocks.size(), 4 * std::max(1U, 4096 / page_bytes));
  for (uint64_t group = 0; group < 3; ++group) {
    for (int slot = 0; slot < 2; ++slot) {
      const PageId page = BitmapSlot(page_bytes, group, slot);
      EXPECT_EQ(page.value / PagesPerGroup(page_bytes), group);
      EXPECT_EQ(std::count(superblocks.begin(), superblocks.end(), page), 0);
    }
  }
}

TEST_P(SpaceMapTest, M2NeverHandsOutSuperblocksSlotsOrAPageTwice) {
  SpaceFixture f(GetParam());
  f.Create();
  std::set<uint64_t> seen;
  for (int i = 0; i < 3000; ++i) {
    const absl::StatusOr<PageRun> run =
        f.map->AllocateAny(1 + static_cast<uint64_t>(i) % 5, SpaceUse::kOrdinary);
    ASSERT_TRUE(run.ok()) << run.status();
    for (uint64_t p = run->first.value; p < run->first.value + run->count; ++p) {
      EXPECT_TRUE(seen.insert(p).second) << p;
      EXPECT_FALSE(f.IsFixed(PageId{p})) << p;
      EXPECT_LT(p, f.map->page_count());
    }
  }
  KEEL_EXPECT_OK(f.map->damage());
}

TEST_P(SpaceMapTest, SinglePagesComeInAscendingRuns) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(200);
  EXPECT_TRUE(std::is_sorted(pages.begin(), pages.end()));
  EXPECT_LE(pages.back().value, 200U + 64U);
}

TEST_P(SpaceMapTest, FreedSpaceGoesBeforeGrowth) {
  SpaceFixture f(GetParam());
  f.Create();
  std::vector<PageId> pages = f.AllocateMany(2000);
  std::mt19937_64 random(testing::TestSeed());
  std::shuffle(pages.begin(), pages.end(), random);
  PageSet freed;
  for (size_t i = 0; i < 900; ++i) freed.Insert(pages[i]);
  f.map->Free(freed);
  const SpaceStats before = f.map->stats();
  const uint64_t spare = before.free_pages - before.reserve_pages;
  ASSERT_GE(spare, 900U);
  f.AllocateMany(spare);
  EXPECT_EQ(f.map->stats().growths, before.growths);
  EXPECT_EQ(f.map->stats().free_pages, before.reserve_pages);
  f.AllocateOne();
  EXPECT_EQ(f.map->stats().growths, before.growths + 1);
}

TEST_P(SpaceMapTest, ASweepTakesLongRunsFirstAndTheLowEndAgainAfterACheckpoint) {
  SpaceFixture f(GetParam(), 4000);
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(1500);
  PageSet freed;
  for (size_t i = 0; i < 200; i += 2) freed.Insert(pages[i]);  // splinters, low
  for (size_t i = 600; i < 640; ++i) freed.Insert(pages[i]);   // a run
  f.map->Free(freed);
  KEEL_EXPECT_OK(f.Checkpoint({}, {}));
  const std::vector<PageId> next = f.AllocateMany(40);
  EXPECT_EQ(next.front(), pages[600]);
  EXPECT_EQ(next.back(), pages[639]);
}

TEST_P(SpaceMapTest, ValuesGetWholeRunsOrGrowthAndSplintersOnlyOnAFullDisk) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(1200);
  PageSet freed;
  for (size_t i = 0; i < 1000; i += 2) freed.Insert(pages[i]);
  f.map->Free(freed);
  const absl::StatusOr<PageRun> run = f.map->Allocate({12, 12}, SpaceUse::kOrdinary);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->count, 12U);
  EXPECT_GT(run->first, pages[999]);

  f.file->set_capacity(f.map->page_count() * GetParam());
  uint64_t shortest = 12;
  for (int i = 0; i < 200; ++i) {
    const absl::StatusOr<PageRun> next = f.map->Allocate({12, 12}, SpaceUse::kOrdinary);
    ASSERT_TRUE(next.ok()) << next.status();
    shortest = std::min(shortest, next->count);
  }
  EXPECT_EQ(shortest, 1U);
}

TEST_P(SpaceMapTest, AFileThatCanGrowGrowsRatherThanGiveAShorterRun) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(4000);
  PageSet freed;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (i % 20 != 0) freed.Insert(pages[i]);  // two hundred runs of 19, and shorter ones
  }
  f.map->Free(freed);
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<PageRun> run = f.map->Allocate({20, 100}, SpaceUse::kOrdinary);
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_GE(run->count, 20U);
  }
  const absl::StatusOr<PageRun> found = f.map->Allocate({19, 19}, SpaceUse::kOrdinary);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_LT(found->first, pages.back()) << "there was one";
}

// What is asked for may be more than any group has: the answer is a shorter run, not growth without end.
TEST(SpaceMapRunTest, NoMoreThanHalfAGroupIsAskedOfOneRun) {
  SpaceFixture f(4096);
  f.Create();
  const uint64_t group = f.layout.pages_per_group();
  const absl::StatusOr<PageRun> run = f.map->Allocate({2 * group, 2 * group}, SpaceUse::kOrdinary);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_GE(run->count, group / 2);
  EXPECT_LT(run->count, group);
  EXPECT_LT(f.map->page_count(), 4 * group);
}

TEST_P(SpaceMapTest, ARunGivenBackIsFoundThoughThereWasNoneBefore) {
  SpaceFixture f(GetParam(), 1000);
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(600);
  PageSet freed;
  for (size_t i = 0; i < 400; i += 2) freed.Insert(pages[i]);
  f.map->Free(freed);
  const auto allocate = [&] {
    const absl::StatusOr<PageRun> run = f.map->Allocate({12, 12}, SpaceUse::kOrdinary);
    EXPECT_TRUE(run.ok()) << run.status();
    return *run;
  };
  f.file->set_capacity(f.page_count * GetParam());
  while (allocate().count == 12) {
  }
  const PageRun run{pages[500], 12};
  f.map->Free(run);
  EXPECT_EQ(allocate(), run);
}

TEST_P(SpaceMapTest, WhatIsGivenBackToAFullFileIsFound) {
  SpaceFixture f(GetParam());
  f.Create();
  f.file->set_capacity(f.page_count * GetParam());
  std::vector<PageId> pages;
  for (absl::StatusOr<PageRun> run; (run = f.map->AllocateAny(1, SpaceUse::kCheckpoint)).ok();) {
    pages.push_back(run->first);
  }
  EXPECT_EQ(f.map->stats().free_pages, 0U);
  for (const uint64_t count : {1U, 2U}) {
    const PageRun run{pages[1], count};  // 12 pages of 64 KiB are all there are
    EXPECT_FALSE(f.map->Allocate({count, count}, SpaceUse::kCheckpoint).ok());
    f.map->Free(run);
    const absl::StatusOr<PageRun> again = f.map->Allocate({count, count}, SpaceUse::kCheckpoint);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, run);
  }
  KEEL_EXPECT_OK(f.map->damage());
}

TEST_P(SpaceMapTest, ALargeRunComesInFewPieces) {
  SpaceFixture f(GetParam());
  f.Create();
  f.AllocateMany(500);
  uint64_t left = 5000;
  int pieces = 0;
  for (; left > 0; ++pieces) {
    const absl::StatusOr<PageRun> run =
        f.map->Allocate({(left + 15) / 16, left}, SpaceUse::kOrdinary);
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_LE(run->count, left);
    left -= run->count;
  }
  EXPECT_LE(pieces, 16);
}

TEST_P(SpaceMapTest, PagesGivenBackTwiceStopTheGroupAndTell) {
  SpaceFixture f(GetParam());
  f.Create();
  const PageId page = f.AllocateOne();
  f.map->Free(PageRun{page, 1});
  KEEL_EXPECT_OK(f.map->damage());
  f.map->Free(PageRun{page, 1});
  EXPECT_TRUE(absl::IsDataLoss(f.map->damage()));
  EXPECT_EQ(f.map->stats().damaged_groups, 1U);
  EXPECT_EQ(f.map->stats().free_pages, 0U);
}

TEST_P(SpaceMapTest, SuperblocksSlotsAndPagesBeyondTheEndCannotBeGivenBack) {
  for (const PageId page : {PageId{0}, BitmapSlot(GetParam(), 0, 1), PageId{kMaxPageId}}) {
    SpaceFixture f(GetParam());
    f.Create();
    f.map->Free(PageRun{page, 1});
    EXPECT_TRUE(absl::IsDataLoss(f.map->damage())) << page.value;
  }
}

TEST_P(SpaceMapTest, TheReserveIsForDeletesAndTheCheckpoint) {
  SpaceFixture f(GetParam(), 500);
  f.Create();
  f.file->set_capacity(f.page_count * GetParam());
  f.map->SetReserve(/*checkpoint_pages=*/5, /*delete_pages=*/7);
  const SpaceStats stats = f.map->stats();
  ASSERT_GE(stats.reserve_pages, 12U);

  const auto take_all = [&](SpaceUse use) {
    uint64_t taken = 0;
    absl::StatusOr<PageRun> run;
    for (; (run = f.map->AllocateAny(1, use)).ok(); ++taken) {
    }
    EXPECT_TRUE(absl::IsResourceExhausted(run.status())) << run.status();
    EXPECT_THAT(std::string(run.status().message()), HasSubstr("/memory/keel.data: no space"));
    return taken;
  };
  EXPECT_EQ(take_all(SpaceUse::kOrdinary), stats.free_pages - stats.reserve_pages);
  EXPECT_EQ(take_all(SpaceUse::kDelete), stats.reserve_pages - 5);
  EXPECT_EQ(take_all(SpaceUse::kCheckpoint), 5U);
  // Writing resumes by itself.
  f.file->set_capacity(UINT64_MAX);
  EXPECT_TRUE(f.map->AllocateAny(1, SpaceUse::kOrdinary).ok());
}

TEST_P(SpaceMapTest, ReadOnlyGrowthIsImagined) {
  SpaceFixture f(GetParam());
  f.Create();
  KEEL_EXPECT_OK(f.Checkpoint({}, {}));
  f.options.read_only = true;
  KEEL_EXPECT_OK(f.Open());
  f.file->ClearCalls();
  f.AllocateMany(5000);
  EXPECT_GE(f.map->page_count(), 5000U);
  for (const MemoryFile::Call& call : f.file->calls()) {
    EXPECT_EQ(call.kind, MemoryFile::Call::Kind::kRead);
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(f.map->WriteCheckpoint(Generation{2}, {}, {}).status()));
}

// Several threads take and give back while one makes checkpoints: nothing is had by two.
TEST(SpaceMapThreadsTest, NothingIsHandedOutTwice) {
  SpaceFixture f(512);
  f.Create();
  std::mutex mutex;
  std::set<uint64_t> held;
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<PageRun> mine;
    for (int i = 0; i < 2000; ++i) {
      if (mine.empty() || random() % 5 < 3) {
        const absl::StatusOr<PageRun> run =
            f.map->Allocate({1, 1 + random() % 20}, SpaceUse::kOrdinary);
        ASSERT_TRUE(run.ok()) << run.status();
        const std::lock_guard lock(mutex);
        for (uint64_t p = 0; p < run->count; ++p) {
          ASSERT_TRUE(held.insert(run->first.value + p).second);
        }
        mine.push_back(*run);
      } else {
        const PageRun run = mine.back();
        mine.pop_back();
        {
          const std::lock_guard lock(mutex);
          for (uint64_t p = 0; p < run.count; ++p) held.erase(run.first.value + p);
        }
        f.map->Free(run);
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) threads.emplace_back(work, testing::TestSeed() + t);
  PageSet reachable;
  for (int i = 0; i < 50; ++i) {
    const PageSet born = SetOf(std::vector{f.AllocateOne(SpaceUse::kCheckpoint)});
    KEEL_EXPECT_OK(f.Checkpoint(born, reachable));
    if (!reachable.empty()) f.map->Free(reachable);
    reachable = born;
    EXPECT_GE(f.map->stats().page_count, f.page_count);
  }
  for (std::thread& thread : threads) thread.join();
  KEEL_EXPECT_OK(f.map->damage());
}

}  // namespace
}  // namespace keel::pager
