// Growth before use (M4), on disks that fill up, and after crashes.

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;
using Kind = MemoryFile::Call::Kind;

class SpaceGrowthTest : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Geometries, SpaceGrowthTest, ::testing::Values(512U, 4096U, 65536U));

TEST_P(SpaceGrowthTest, M4GrowthIsAllocatedAndSyncedBeforeItsPagesAreHandedOut) {
  SpaceFixture f(GetParam());
  f.Create();
  uint64_t durable = f.file->AfterCrash(false)->Size().value();
  for (int i = 0; i < 5000; ++i) {
    const PageId page = f.AllocateOne();
    const uint64_t end = (page.value + 1) * GetParam();
    if (end > durable) durable = f.file->AfterCrash(false)->Size().value();
    ASSERT_LE(end, durable);
  }
  uint64_t last_growth = 0;
  for (const MemoryFile::Call& call : f.file->calls()) {
    if (call.kind == Kind::kSync && call.index > 2) {
      EXPECT_EQ(call.purpose, io::SyncPurpose::kDataGrowth);
    }
    if (call.kind == Kind::kAllocate) last_growth = call.offset + call.length;
  }
  EXPECT_EQ(last_growth, f.map->page_count() * GetParam());
}

TEST_P(SpaceGrowthTest, M4AnErrorAtAnyStepHandsNothingOut) {
  for (const Kind kind : {Kind::kAllocate, Kind::kSync}) {
    SpaceFixture f(GetParam());
    f.Create();
    f.file->set_fault([&](const MemoryFile::Call& call) {
      return call.kind == kind ? absl::UnavailableError("injected") : absl::OkStatus();
    });
    const uint64_t pages = f.map->page_count();
    absl::StatusOr<PageRun> run;
    while ((run = f.map->AllocateAny(1, SpaceUse::kOrdinary)).ok())
      ASSERT_LT(run->first.value, pages);
    EXPECT_TRUE(absl::IsUnavailable(run.status())) << run.status();
    EXPECT_EQ(f.map->page_count(), pages);

    // A failed sync is final; another error is not.
    f.file->set_fault(nullptr);
    EXPECT_EQ(f.map->failed_sync().ok(), kind != Kind::kSync);
    EXPECT_EQ(f.map->AllocateAny(1, SpaceUse::kOrdinary).ok(), kind != Kind::kSync);
  }
}

// The next sync would succeed, and prove nothing.
TEST_P(SpaceGrowthTest, G4ASyncThatMeetsAFullDiskIsNotTriedAgainWithLess) {
  SpaceFixture f(GetParam());
  f.Create();
  int syncs = 0;
  f.file->set_fault([&](const MemoryFile::Call& call) {
    if (call.kind != Kind::kSync) return absl::OkStatus();
    return ++syncs == 1 ? absl::ResourceExhaustedError("injected") : absl::OkStatus();
  });
  const uint64_t pages = f.map->page_count();
  absl::StatusOr<PageRun> run;
  while ((run = f.map->AllocateAny(1, SpaceUse::kOrdinary)).ok())
    ASSERT_LT(run->first.value, pages);
  EXPECT_EQ(syncs, 1);
  EXPECT_FALSE(f.map->failed_sync().ok());
  EXPECT_EQ(f.map->page_count(), pages);
}

// A checkpoint asks while the growth's sync has its error, but has not told yet.
TEST_P(SpaceGrowthTest, G4WhoAsksForAFailedSyncWaitsForTheGrowthUnderWay) {
  SpaceFixture f(GetParam());
  f.Create();
  absl::Notification in_sync;
  absl::Notification asked;
  f.file->set_fault([&](const MemoryFile::Call& call) {
    if (call.kind != Kind::kSync) return absl::OkStatus();
    in_sync.Notify();
    asked.WaitForNotification();
    return absl::UnavailableError("injected");
  });
  std::thread grower([&] {
    while (f.map->AllocateAny(1, SpaceUse::kOrdinary).ok()) {
    }
  });
  in_sync.WaitForNotification();
  asked.Notify();
  EXPECT_TRUE(absl::IsUnavailable(f.map->WaitForGrowth()));
  grower.join();
}

TEST_P(SpaceGrowthTest, StepsGrowWithTheFileWithinTheirLimits) {
  SpaceFixture f(GetParam());
  f.options.growth_bytes_min = uint64_t{64} * GetParam();
  f.options.growth_bytes_max = uint64_t{256} * GetParam();
  f.Create();
  f.AllocateMany(6000);
  for (const MemoryFile::Call& call : f.file->calls()) {
    if (call.kind != Kind::kAllocate || call.offset == 0) continue;
    const uint64_t pages = call.length / GetParam();
    EXPECT_GE(pages, 64U);
    EXPECT_LE(pages, 256U + SpaceLayout::kShortestGroup);
    if (call.offset / GetParam() > 2048) {
      EXPECT_GE(pages, 256U);
    }
  }
}

TEST_P(SpaceGrowthTest, GrowingAheadSparesAllocationsTheWait) {
  SpaceFixture f(GetParam());
  f.options.growth_bytes_min = uint64_t{256} * GetParam();
  f.Create();
  for (int i = 0; i < 5000; ++i) {
    KEEL_EXPECT_OK(f.map->GrowAhead(0));
    const size_t growths = f.map->stats().growths;
    f.AllocateOne();
    ASSERT_EQ(f.map->stats().growths, growths);
  }
  EXPECT_LE(f.map->stats().growths, 100U);
}

TEST_P(SpaceGrowthTest, GrowingAheadGivesWhatIsWantedOrNothing) {
  SpaceFixture f(GetParam());
  f.options.growth_bytes_min = uint64_t{16} * GetParam();
  f.Create();
  const uint64_t free_before = f.map->stats().free_pages;
  const uint64_t wanted = free_before + 1000;
  f.file->set_capacity((f.page_count + 900) * GetParam());
  EXPECT_TRUE(absl::IsResourceExhausted(f.map->GrowAhead(wanted)));
  EXPECT_EQ(f.map->stats().free_pages, free_before);
  f.file->set_capacity((f.page_count + 5000) * GetParam());
  KEEL_EXPECT_OK(f.map->GrowAhead(wanted));
  const pager::SpaceStats stats = f.map->stats();
  constexpr uint64_t kNewSlots = 2;  // come out of it
  EXPECT_GE(stats.free_pages + kNewSlots, stats.reserve_pages + wanted);
  const size_t growths = stats.growths;
  f.AllocateMany(wanted - kNewSlots);
  EXPECT_EQ(f.map->stats().growths, growths);
}

TEST_P(SpaceGrowthTest, LessIsTakenWhenThereIsNoRoomForAStep) {
  SpaceFixture f(GetParam());
  f.Create();
  f.file->set_capacity((f.page_count + 21) * GetParam());
  absl::StatusOr<PageRun> run;
  while ((run = f.map->AllocateAny(1, SpaceUse::kOrdinary)).ok()) {
  }
  EXPECT_EQ(f.map->page_count(), f.page_count + 21);
  EXPECT_TRUE(absl::IsResourceExhausted(run.status()));
  const std::string message(run.status().message());
  EXPECT_THAT(message, HasSubstr("/memory/keel.data: no space for 1 more pages"));
  EXPECT_THAT(message,
              HasSubstr("the file has " + std::to_string((f.page_count + 21) * GetParam())));
  EXPECT_THAT(message, HasSubstr("kept for deletes and checkpoints"));
}

TEST_P(SpaceGrowthTest, TheReserveGrowsBeforeTheFileIsUsedUp) {
  SpaceFixture f(GetParam());
  f.options.slack_bytes_min = uint64_t{32} * GetParam();
  f.Create();
  f.map->SetReserve(10, 10);
  for (int i = 0; i < 3000; ++i) {
    f.AllocateOne();
    const SpaceStats stats = f.map->stats();
    ASSERT_GE(stats.free_pages, stats.reserve_pages);
    ASSERT_GE(stats.reserve_pages, 52U);
  }
}

TEST_P(SpaceGrowthTest, TheSlotsOfANewGroupAreWrittenWithIt) {
  SpaceFixture f(GetParam());
  f.options.growth_bytes_min = (2 * PagesPerGroup(GetParam()) + 20) * GetParam();
  f.options.growth_bytes_max = f.options.growth_bytes_min;
  f.Create();
  while (f.map->stats().growths == 0) f.AllocateOne();
  f.AllocateOne();
  for (uint64_t group = 1; group < 3; ++group) {
    bool written = false;
    for (const MemoryFile::Call& call : f.file->calls()) {
      written |= call.kind == Kind::kWrite && call.offset == f.SlotOffset(group, 0) &&
                 call.length == uint64_t{2} * GetParam();
    }
    EXPECT_TRUE(written) << group;
  }
}

TEST_P(SpaceGrowthTest, AFileShorterThanItsPageCountIsMadeUpForBeforeUse) {
  SpaceFixture f(GetParam());
  f.Create();
  const PageSet born = SetOf(f.AllocateMany(20));
  KEEL_EXPECT_OK(f.Checkpoint(born, {}));
  f.page_count += 500;
  KEEL_EXPECT_OK(f.Open());
  EXPECT_EQ(f.map->page_count(), f.page_count);
  KEEL_EXPECT_OK(f.map->LoadAll());
  for (int i = 0; i < 1000; ++i) {
    const PageId page = f.AllocateOne();
    ASSERT_LT(page.value * GetParam(), f.file->AfterCrash(false)->Size().value());
  }
}

// A crash after growth, before a checkpoint named it: the room is there, though the disk is full by now.
TEST_P(SpaceGrowthTest, AFileLongerThanItsPageCountIsUsedOnAFullDisk) {
  SpaceFixture f(GetParam());
  f.Create();
  KEEL_EXPECT_OK(f.Checkpoint({}, {}));
  const uint64_t pages = f.AllocateMany(3000).size();
  const uint64_t size = f.file->Size().value();
  f.file->set_capacity(size);
  KEEL_EXPECT_OK(f.Open());
  EXPECT_EQ(f.AllocateMany(pages).size(), pages);
  EXPECT_EQ(f.file->Size().value(), size);
}

TEST_P(SpaceGrowthTest, ALastGroupTooShortForAnythingIsSkipped) {
  for (uint64_t rest = 0; rest < 20; ++rest) {
    SpaceFixture f(512, PagesPerGroup(512) + rest);
    f.Create();
    EXPECT_EQ(f.map->stats().groups, rest > 12 ? 2U : 1U);
    f.AllocateMany(PagesPerGroup(512) + 100);
    EXPECT_EQ(f.map->stats().groups, 2U);
    KEEL_EXPECT_OK(f.map->damage());
  }
}

TEST_P(SpaceGrowthTest, ThePageLimitHolds) {
  SpaceFixture f(GetParam());
  f.options.page_count_max = 2500;
  f.Create();
  absl::StatusOr<PageRun> run;
  while ((run = f.map->Allocate({7, 7}, SpaceUse::kOrdinary)).ok()) {
    ASSERT_LE(run->first.value + run->count, 2500U);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(run.status()));
}

// A small file's only group is damaged: the file grows into the next one only if one step reaches it.
TEST(SpaceGrowthDamageTest, GrowthLeavesADamagedLastGroupBehindOrIsRefused) {
  for (const bool reaches : {false, true}) {
    SpaceFixture f(512);
    f.Create();
    KEEL_EXPECT_OK(f.Checkpoint(SetOf(f.AllocateMany(1)), {}));
    f.file->FlipBit(f.SlotOffset(0, f.directory[0].slot) + 80, 1);
    f.options.growth_bytes_max = (reaches ? 4000 : 100) * 512;
    KEEL_EXPECT_OK(f.Open());
    const absl::StatusOr<PageRun> run = f.map->AllocateAny(1, SpaceUse::kOrdinary);
    if (reaches) {
      ASSERT_TRUE(run.ok()) << run.status();
      EXPECT_GE(run->first.value, PagesPerGroup(512));
    } else {
      EXPECT_TRUE(absl::IsDataLoss(run.status())) << run.status();
      EXPECT_EQ(f.map->page_count(), f.page_count);
    }
  }
}

}  // namespace
}  // namespace keel::pager
