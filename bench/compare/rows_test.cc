#include "bench/compare/rows.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/seed.h"

namespace keel::compare {
namespace {

TEST(RowsTest, KeysAreInTheOrderOfTheirSlots) {
  EXPECT_EQ(Key(0).view(), "0000000000000000");
  EXPECT_EQ(Key(123).view(), "0000000000000123");
  EXPECT_LT(Key(99).view(), Key(100).view());
}

TEST(RowsTest, EveryRowHasASlotOfItsOwn) {
  constexpr uint64_t kCount = 1000;
  const Rows rows(kCount, 100, testing::TestSeed());
  std::set<uint64_t> sorted;
  std::set<uint64_t> random;
  for (uint64_t n = 0; n < kCount; ++n) {
    sorted.insert(rows.SortedSlot(n));
    random.insert(rows.RandomSlot(n));
  }
  EXPECT_EQ(sorted.size(), kCount);
  EXPECT_EQ(sorted, random);
  for (uint64_t n = kCount; n < 3 * kCount; ++n) {
    EXPECT_TRUE(random.insert(rows.RandomSlot(n)).second) << n;
  }
}

TEST(RowsTest, ValuesTellWhetherTheyAreRight) {
  const Rows rows(1000, 100, testing::TestSeed());
  std::string value;
  rows.Fill(17, 4, &value);
  EXPECT_EQ(value.size(), 100u);
  EXPECT_TRUE(rows.Check(17, value));
  EXPECT_EQ(Rows::VersionOf(value), 4u);
  EXPECT_FALSE(rows.Check(18, value));
  EXPECT_FALSE(rows.Check(17, value.substr(1)));
  EXPECT_FALSE(rows.Check(17, ""));
  for (size_t at = 0; at < value.size(); ++at) {
    std::string wrong = value;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    EXPECT_FALSE(rows.Check(17, wrong)) << at;
  }
}

}  // namespace
}  // namespace keel::compare
