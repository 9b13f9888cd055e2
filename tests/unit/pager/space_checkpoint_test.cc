// What checkpoints make durable, what crashes and errors leave of it, and damage (M1, M3, M5, R8).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <span>
#include <string>

#include "tests/support/seed.h"
#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;

class SpaceCheckpointTest : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Geometries, SpaceCheckpointTest, ::testing::Values(512U, 4096U, 65536U));

TEST_P(SpaceCheckpointTest, M1ThePersistedMapHoldsExactlyWhatIsReachable) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(300);
  const PageSet born = SetOf({pages.begin(), pages.begin() + 200});
  KEEL_EXPECT_OK(f.Checkpoint(born, {}));
  f.ExpectPersisted(born);
  EXPECT_TRUE(*f.map->InLiveMap(pages[250]));

  const PageSet died = SetOf({pages.begin(), pages.begin() + 100});
  const PageSet born_later = SetOf({pages.begin() + 200, pages.begin() + 250});
  KEEL_EXPECT_OK(f.Checkpoint(born_later, died));
  const PageSet reachable = SetOf({pages.begin() + 100, pages.begin() + 250});
  f.ExpectPersisted(reachable);
  EXPECT_TRUE(*f.map->InLiveMap(pages[0])) << "what a snapshot may still hold stays in use";

  KEEL_EXPECT_OK(f.Open());
  f.ExpectPersisted(reachable);
  EXPECT_FALSE(*f.map->InLiveMap(pages[0])) << "a crash leaks nothing";
  EXPECT_FALSE(*f.map->InLiveMap(pages[299]));
  KEEL_EXPECT_OK(f.map->LoadAll());
}

TEST_P(SpaceCheckpointTest, BitmapsLoadOnFirstUse) {
  SpaceFixture f(GetParam());
  f.Create();
  KEEL_EXPECT_OK(f.Checkpoint(SetOf(f.AllocateMany(10)), {}));
  f.file->ClearCalls();
  KEEL_EXPECT_OK(f.Open());
  EXPECT_EQ(f.file->CountCalls(MemoryFile::Call::Kind::kRead), 0U);
  f.AllocateOne();
  EXPECT_EQ(f.file->CountCalls(MemoryFile::Call::Kind::kRead), 1U);
}

TEST_P(SpaceCheckpointTest, S1APageThatTheLastCheckpointReachesCannotBeGivenBack) {
  for (const bool loaded : {true, false}) {
    SpaceFixture f(GetParam());
    f.Create();
    const std::vector<PageId> pages = f.AllocateMany(100);
    KEEL_EXPECT_OK(f.Checkpoint(SetOf(pages), {}));
    if (!loaded) {
      KEEL_EXPECT_OK(f.Open());
    }
    f.map->Free(PageRun{pages[30], 1});
    EXPECT_TRUE(absl::IsDataLoss(f.map->damage()));
    EXPECT_EQ(f.map->stats().free_pages, 0U);
  }
}

TEST_P(SpaceCheckpointTest, M3AChangedGroupGoesIntoTheOtherSlot) {
  SpaceFixture f(GetParam());
  f.Create();
  for (int i = 0; i < 5; ++i) {
    const uint8_t before = f.directory.empty() ? 1 : f.directory[0].slot;
    KEEL_EXPECT_OK(f.Checkpoint(SetOf(f.AllocateMany(3)), {}));
    EXPECT_EQ(f.directory[0].slot, 1 - before);
    const GroupEntry unchanged = f.directory[0];
    KEEL_EXPECT_OK(f.Checkpoint({}, {}));
    EXPECT_EQ(f.directory[0], unchanged) << "nothing changed, nothing is written";
  }
}

// Every subset of the blocks that an attempt wrote: N's directory always verifies, and says the same.
TEST_P(SpaceCheckpointTest, M3ACrashInACheckpointLeavesTheLastOneWhole) {
  SpaceFixture f(GetParam());
  f.Create();
  const PageSet first = SetOf(f.AllocateMany(40));
  KEEL_EXPECT_OK(f.Checkpoint(first, {}));
  for (int attempt = 0; attempt < 3; ++attempt) {  // failed ones go into the same slot again
    ASSERT_TRUE(
        f.map->WriteCheckpoint(Generation{++f.generation}, SetOf(f.AllocateMany(40)), {}).ok());
    f.map->FinishCheckpoint(false);
  }
  const size_t blocks = f.file->UnsyncedBlocks(512).size();
  ASSERT_GT(blocks, 0U);
  std::mt19937_64 random(testing::TestSeed());
  const size_t cases = blocks <= 8 ? size_t{1} << blocks : 256;
  for (size_t i = 0; i < cases; ++i) {
    size_t subset = blocks <= 8 ? i : random();
    const std::unique_ptr<MemoryFile> after =
        f.file->AfterCrash(512, [&](const MemoryFile::Unsynced& block) {
          const size_t version = (subset & 1) * (1 + random() % block.versions);
          subset >>= 1;
          return version;
        });
    SpaceFixture g(GetParam(), f.page_count);
    g.file->set_capacity(0);
    absl::StatusOr<std::unique_ptr<SpaceMap>> opened =
        SpaceMap::Open(after.get(), f.page_count, f.directory, f.options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    g.map = *std::move(opened);
    KEEL_EXPECT_OK(g.map->LoadAll());
    if (i < 4 || GetParam() == 512) g.ExpectPersisted(first);
  }
}

TEST_P(SpaceCheckpointTest, AFailedAttemptChangesNothingAndCanBeMadeAgain) {
  SpaceFixture f(GetParam());
  f.Create();
  const PageSet first = SetOf(f.AllocateMany(40));
  KEEL_EXPECT_OK(f.Checkpoint(first, {}));
  const std::vector<GroupEntry> before = f.directory;
  const PageSet second = SetOf(f.AllocateMany(40));

  f.file->set_fault([](const MemoryFile::Call& call) {
    return call.kind == MemoryFile::Call::Kind::kWrite ? absl::UnavailableError("injected")
                                                       : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsUnavailable(f.Checkpoint(second, first)));
  f.map->FinishCheckpoint(false);
  f.file->set_fault(nullptr);
  f.ExpectPersisted(first);
  EXPECT_EQ(f.directory, before);

  KEEL_EXPECT_OK(f.Checkpoint(second, first));
  f.ExpectPersisted(second);
  KEEL_EXPECT_OK(f.Open());
  f.ExpectPersisted(second);
}

TEST_P(SpaceCheckpointTest, AContradictionNeverBecomesDurable) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(10);
  const PageSet first = SetOf(pages);
  KEEL_EXPECT_OK(f.Checkpoint(first, {}));
  const auto refused = [&](const PageSet& born, const PageSet& died) {
    const absl::Status status = f.map->WriteCheckpoint(Generation{9}, born, died).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return std::string(status.message());
  };
  const PageId free_page{pages.back().value + 50};
  EXPECT_THAT(refused(first, {}), HasSubstr("born, and there already"));
  EXPECT_THAT(refused({}, SetOf(std::vector{free_page})), HasSubstr("died, but was not in use"));
  EXPECT_THAT(refused({}, SetOf(std::vector{PageId{0}})), HasSubstr("died, but was not in use"));
  EXPECT_THAT(refused(SetOf(std::vector{free_page}), {}), HasSubstr("handed to nobody"));
  EXPECT_THAT(refused(SetOf(std::vector{PageId{kMaxPageId}}), {}), HasSubstr("beyond the end"));
  f.ExpectPersisted(first);
}

// R8: every byte of the slot counts, and the other slot, whole and older, never does.
TEST_P(SpaceCheckpointTest, R8ADamagedSlotGivesNothingAndTheOtherIsNotUsedInstead) {
  std::mt19937_64 random(testing::TestSeed());
  for (uint64_t round = 0; round < 60; ++round) {
    SpaceFixture f(GetParam());
    f.Create();
    const std::vector<PageId> pages = f.AllocateMany(60);
    const PageSet some = SetOf({pages.begin(), pages.begin() + 20});
    KEEL_EXPECT_OK(f.Checkpoint(some, {}));
    KEEL_EXPECT_OK(f.Checkpoint(SetOf({pages.begin() + 20, pages.end()}), {}));
    const uint64_t byte = round < 8 ? round * 8 : random() % GetParam();
    f.file->FlipBit(f.SlotOffset(0, f.directory[0].slot) + byte, static_cast<int>(random() % 8));

    const GroupEntry entry = f.directory[0];
    KEEL_EXPECT_OK(f.Open());
    const absl::Status status = f.map->InPersistedMap(pages[0]).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("/memory/keel.data: map of group 0"));
    EXPECT_EQ(f.map->damage(), status);
    EXPECT_EQ(f.map->stats().free_pages, 0U);
    EXPECT_TRUE(absl::IsDataLoss(f.map->InLiveMap(pages[0]).status()));

    // M5: what died in it stays in use, its entry stays, nothing is born in it.
    f.map->Free(some);
    KEEL_EXPECT_OK(f.Checkpoint({}, some));
    EXPECT_EQ(f.directory[0], entry);
    EXPECT_TRUE(absl::IsDataLoss(
        f.map->WriteCheckpoint(Generation{99}, SetOf(std::vector{PageId{100}}), {}).status()));
  }
}

// R8: the current slot's write was lost, and what stands there is whole, but of an older checkpoint.
TEST_P(SpaceCheckpointTest, R8ALostWriteOfASlotIsDamage) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(60);
  for (const PageId page : {pages[0], pages[1]}) {
    KEEL_EXPECT_OK(f.Checkpoint(SetOf(std::vector{page}), {}));
  }
  std::string old = f.file->Contents(f.SlotOffset(0, 0), GetParam());
  KEEL_EXPECT_OK(f.Checkpoint(SetOf(std::vector{pages[2]}), {}));
  ASSERT_EQ(f.directory[0].slot, 0);
  KEEL_EXPECT_OK(f.file->Write(f.SlotOffset(0, 0), std::as_bytes(std::span(old))));
  KEEL_EXPECT_OK(f.Open());
  const absl::Status status = f.map->LoadAll();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("generation 1, the directory says 3"));
}

TEST_P(SpaceCheckpointTest, AReadThatFailsOnceIsReadAgainAndOneThatKeepsFailingIsNoDamage) {
  SpaceFixture f(GetParam());
  f.Create();
  const PageSet born = SetOf(f.AllocateMany(10));
  KEEL_EXPECT_OK(f.Checkpoint(born, {}));
  int failures = 1;
  f.file->set_fault([&](const MemoryFile::Call& call) {
    const bool fails = call.kind == MemoryFile::Call::Kind::kRead && failures-- > 0;
    return fails ? absl::UnavailableError("injected") : absl::OkStatus();
  });
  KEEL_EXPECT_OK(f.Open());
  f.ExpectPersisted(born);
  KEEL_EXPECT_OK(f.Open());
  failures = 1000;
  EXPECT_TRUE(absl::IsUnavailable(f.map->InPersistedMap(PageId{1}).status()));
  failures = 0;
  f.ExpectPersisted(born);
  KEEL_EXPECT_OK(f.map->damage());
  EXPECT_GT(f.map->stats().free_pages, 0U);
}

TEST_P(SpaceCheckpointTest, RebuildEndsDamageAndTheNextCheckpointWritesIt) {
  SpaceFixture f(GetParam());
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(60);
  const PageSet reachable = SetOf({pages.begin(), pages.begin() + 20});
  KEEL_EXPECT_OK(f.Checkpoint(reachable, {}));
  f.file->FlipBit(f.SlotOffset(0, f.directory[0].slot) + 70, 3);
  KEEL_EXPECT_OK(f.Open());
  EXPECT_TRUE(absl::IsDataLoss(f.map->LoadAll()));
  const uint8_t slot = f.directory[0].slot;

  f.map->Rebuild(reachable, SetOf(std::vector{pages[30]}));
  KEEL_EXPECT_OK(f.map->damage());
  f.ExpectPersisted(reachable);
  EXPECT_TRUE(*f.map->InLiveMap(pages[30]));
  KEEL_EXPECT_OK(f.Checkpoint({}, {}));
  EXPECT_EQ(f.directory[0].slot, 1 - slot);
  KEEL_EXPECT_OK(f.Open());
  KEEL_EXPECT_OK(f.map->LoadAll());
  f.ExpectPersisted(reachable);
  EXPECT_FALSE(*f.map->InLiveMap(pages[30]));
}

TEST(SpaceGroupsTest, ManyGroupsComeAndGoThroughCheckpoints) {
  SpaceFixture f(512);
  f.options.growth_bytes_max = uint64_t{512} * 2000;
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(12 * PagesPerGroup(512));
  EXPECT_GE(f.map->stats().groups, 12U);
  const PageSet low = SetOf(std::vector{pages[1], pages[2]});
  EXPECT_EQ(f.map->DirectoryEntries(low), 1U);
  KEEL_EXPECT_OK(f.Checkpoint(low, {}));
  EXPECT_EQ(f.directory.size(), 1U);
  KEEL_EXPECT_OK(f.Open());
  f.ExpectPersisted(low);
  std::vector<PageId> again = f.AllocateMany(12 * PagesPerGroup(512));
  PageSet born = SetOf({again.begin() + 5000, again.end()});
  const uint64_t entries = f.map->DirectoryEntries(born);
  KEEL_EXPECT_OK(f.Checkpoint(born, low));
  EXPECT_EQ(f.directory.size(), entries);
  KEEL_EXPECT_OK(f.Open());
  f.ExpectPersisted(born);
  const PageSet middle = SetOf({again.begin() + 20000, again.begin() + 24000});
  KEEL_EXPECT_OK(f.Checkpoint({}, middle));
  middle.ForEach([&](PageId page) { born.Erase(page); });
  KEEL_EXPECT_OK(f.Open());
  f.ExpectPersisted(born);
  KEEL_EXPECT_OK(f.map->LoadAll());
}

TEST(SpaceGroupsTest, ADamagedGroupLeavesTheOthersAtWork) {
  SpaceFixture f(512);
  f.Create();
  const std::vector<PageId> pages = f.AllocateMany(3 * PagesPerGroup(512));
  KEEL_EXPECT_OK(f.Checkpoint(SetOf(pages), {}));
  f.file->FlipBit(f.SlotOffset(1, f.directory[1].slot) + 100, 0);
  KEEL_EXPECT_OK(f.Open());
  KEEL_EXPECT_OK(f.Checkpoint({}, SetOf(pages)));
  f.map->Free(SetOf(pages));
  std::set<uint64_t> groups;
  for (size_t i = 0; i < 3 * PagesPerGroup(512); ++i) {
    groups.insert(f.layout.GroupOf(f.AllocateOne()));
  }
  EXPECT_FALSE(groups.contains(1));
  EXPECT_TRUE(groups.contains(0) && groups.contains(2) && groups.contains(3));
  EXPECT_TRUE(absl::IsDataLoss(f.map->damage()));
}

TEST(SpaceGroupsTest, ADirectoryOfMoreGroupsThanTheFileHasIsRefused) {
  SpaceFixture f(512);
  f.Create();
  f.directory.resize(2);
  EXPECT_TRUE(absl::IsDataLoss(f.Open()));
}

}  // namespace
}  // namespace keel::pager
