// Versions that are counted while they are visible and become keepers when they are not: VersionReaders, and what the
// registry makes of them.

#include "engine/version_readers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "engine/version.h"
#include "engine/version_registry.h"
#include "pager/guard.h"
#include "tests/support/seed.h"

namespace keel::testing {
namespace {

using engine::Version;
using engine::VersionKeeper;
using engine::VersionReaders;
using engine::VersionRegistry;

TEST(VersionReadersTest, W1_WhoComesBeforeCloseIsCountedByIt) {
  VersionReaders readers;
  EXPECT_TRUE(readers.Enter());
  EXPECT_TRUE(readers.Enter());
  EXPECT_FALSE(readers.Leave());
  EXPECT_EQ(readers.count(), 1U);
  EXPECT_TRUE(readers.Close());
  EXPECT_TRUE(readers.closed());
  EXPECT_FALSE(readers.Enter());
  EXPECT_FALSE(readers.Leave());
  EXPECT_TRUE(readers.Leave());
  EXPECT_TRUE(readers.Settle());
  EXPECT_FALSE(readers.Settle());
}

TEST(VersionReadersTest, WhatNobodyReadsIsNotKept) {
  VersionReaders readers;
  EXPECT_TRUE(readers.Enter());
  EXPECT_FALSE(readers.Leave());
  EXPECT_FALSE(readers.Close());
  EXPECT_FALSE(readers.Enter());
  EXPECT_FALSE(readers.Leave());
  EXPECT_FALSE(readers.Settle());
}

// Who is refused may be the last to leave, and then has it settled.
TEST(VersionReadersTest, W2_OnlySettleDecidesThatNobodyIsIn) {
  VersionReaders readers;
  EXPECT_TRUE(readers.Enter());
  EXPECT_TRUE(readers.Close());
  EXPECT_FALSE(readers.Enter());
  EXPECT_FALSE(readers.Leave());  // the reader; the refused one is still in
  EXPECT_TRUE(readers.Leave());
  EXPECT_FALSE(readers.Enter());
  EXPECT_FALSE(readers.Settle());
  EXPECT_TRUE(readers.Leave());
  EXPECT_TRUE(readers.Settle());
}

class VersionKeepersTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const Version> MakeVersion(uint64_t n) {
    return MakeVersion(MakeEpoch(1, n), n);
  }
  static std::shared_ptr<const Version> MakeVersion(Epoch epoch, uint64_t lsn) {
    return std::make_shared<const Version>(epoch, Lsn{lsn}, CommitNumber{lsn}, engine::TreeState{});
  }
  void Show(const std::shared_ptr<const Version>& version) {
    registry_.Publish(version, {});
    registry_.AdvanceVisible(version->lsn);
  }

  std::shared_ptr<pager::GuardDomain> guards_ = pager::GuardDomain::Create();
  VersionRegistry registry_{MakeVersion(5), nullptr, guards_.get()};
};

TEST_F(VersionKeepersTest, V7_AReaderKeepsItsVersionWhenAnotherOneTakesItsPlace) {
  VersionKeeper reader = registry_.KeepVisible();
  ASSERT_TRUE(reader);
  EXPECT_EQ(registry_.KeptVersions(9).size(), 0U);
  Show(MakeVersion(7));
  ASSERT_EQ(registry_.KeptVersions(9).size(), 1U);
  EXPECT_EQ(registry_.KeptVersions(9).front().epoch, MakeEpoch(1, 5));
  EXPECT_EQ(registry_.KeptVersions(9).front().readers, 1U);
  VersionKeeper moved = std::move(reader);
  EXPECT_FALSE(reader);  // NOLINT(bugprone-use-after-move): what it is then is promised
  EXPECT_EQ(moved->epoch, MakeEpoch(1, 5));
  EXPECT_EQ(registry_.KeepVisible()->epoch, MakeEpoch(1, 7));
  moved = VersionKeeper();
  EXPECT_EQ(registry_.KeptVersions(9).size(), 0U);
}

TEST_F(VersionKeepersTest, WhatIsReleasedCanBeLookedAtAsLongAsTheKeeper) {
  VersionKeeper reader = registry_.KeepVisible();
  Show(MakeVersion(7));
  reader.Release();
  EXPECT_EQ(registry_.KeptVersions(9).size(), 0U);
  for (uint64_t n = 8; n < 300; ++n) Show(MakeVersion(n));  // more than wait for guards
  EXPECT_EQ(reader->epoch, MakeEpoch(1, 5));
  EXPECT_EQ(reader->lsn, Lsn{5});
}

// As Database::Impl::StopLogging makes them.
TEST_F(VersionKeepersTest, TwoVersionsOfOneEpochAreKeptEachForItself) {
  std::optional<VersionKeeper> first = registry_.KeepVisible();
  Show(MakeVersion(MakeEpoch(1, 5), 6));
  std::optional<VersionKeeper> second = registry_.KeepVisible();
  EXPECT_EQ((*second)->lsn, Lsn{6});
  Show(MakeVersion(8));
  EXPECT_EQ(registry_.KeptVersions(9).size(), 2U);
  first.reset();
  ASSERT_EQ(registry_.KeptVersions(9).size(), 1U);
  EXPECT_EQ(registry_.KeptVersions(9).front().lsn, Lsn{6});
  second.reset();
  EXPECT_EQ(registry_.KeptVersions(9).size(), 0U);
}

// Readers come and go while version after version takes the last one's place. A reader's own is never given up before it,
// and in the end nothing is kept.
TEST_F(VersionKeepersTest, V7_ReadersRaceWithWhatTakesTheirVersionsPlace) {
  constexpr uint64_t kVersions = 20'000;
  std::atomic<bool> over = false;
  std::atomic<uint64_t> kept = 0;
  std::vector<std::thread> readers;
  for (int n = 0; n < 3; ++n) {
    readers.emplace_back([&, seed = TestSeed() + static_cast<uint64_t>(n)] {
      std::mt19937_64 random(seed);
      std::vector<VersionKeeper> mine;
      while (!over.load()) {
        if (mine.size() < random() % 4) {
          mine.push_back(registry_.KeepVisible());
          EXPECT_TRUE(mine.back());
          kept.fetch_add(1);
        } else if (!mine.empty()) {
          const VersionKeeper& one = mine[random() % mine.size()];
          EXPECT_EQ(one->number.value, one->lsn.value);
          mine.erase(mine.begin());
        }
      }
    });
  }
  for (uint64_t n = 6; n < 6 + kVersions || kept.load() < 100; ++n) Show(MakeVersion(n));
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(registry_.KeptVersions(9).size(), 0U);
  EXPECT_GE(kept.load(), 100U);
}

}  // namespace
}  // namespace keel::testing
