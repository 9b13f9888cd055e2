#include "base/types.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace keel {
namespace {

TEST(TypesTest, AnEpochIsIncarnationThenCounter) {
  const Epoch epoch = MakeEpoch(3, 5);
  EXPECT_EQ(epoch.value, (uint64_t{3} << 40) + 5);
  EXPECT_EQ(IncarnationOf(epoch), 3U);
  EXPECT_EQ(NextEpoch(epoch), MakeEpoch(3, 6));
  EXPECT_LT(MakeEpoch(3, (uint64_t{1} << 40) - 1), MakeEpoch(4, 0));
}

TEST(TypesTest, IdsAreOrderedByValue) {
  EXPECT_LT(PageId{1}, PageId{2});
  EXPECT_EQ(KeyspaceId{0}, kDefaultKeyspace);
  EXPECT_LT((DatabaseId{1, 9}), (DatabaseId{2, 0}));
}

TEST(CheckDeathTest, ABrokenInvariantAbortsAndNamesItself) {
  KEEL_CHECK(1 + 1 == 2);
  EXPECT_DEATH(KEEL_CHECK(1 + 1 == 3), "types_test.cc:[0-9]+: invariant violated: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace keel
