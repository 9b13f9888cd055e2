#include "pager/page_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace keel::pager {
namespace {

std::vector<uint64_t> IdsOf(const PageSet& set) {
  std::vector<uint64_t> ids;
  set.ForEach([&](PageId id) { ids.push_back(id.value); });
  return ids;
}

TEST(PageSetTest, InsertAndEraseTellWhetherTheSetChanged) {
  PageSet set;
  EXPECT_TRUE(set.Insert(PageId{63}));
  EXPECT_FALSE(set.Insert(PageId{63}));
  EXPECT_TRUE(set.Insert(PageId{64}));
  EXPECT_EQ(set.size(), 2U);
  EXPECT_EQ(set.Highest(), PageId{64});
  EXPECT_FALSE(set.Erase(PageId{62}));
  EXPECT_TRUE(set.Erase(PageId{63}));
  EXPECT_FALSE(set.Contains(PageId{63}));
  EXPECT_TRUE(set.Erase(PageId{64}));
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.memory_bytes(), 0U);
}

TEST(PageSetTest, RunsCrossWords) {
  for (uint64_t first = 60; first < 70; ++first) {
    for (uint64_t count = 0; count < 200; ++count) {
      PageSet set;
      set.InsertRun(PageId{first}, count);
      std::vector<uint64_t> expected;
      for (uint64_t i = 0; i < count; ++i) expected.push_back(first + i);
      ASSERT_EQ(IdsOf(set), expected);
      ASSERT_EQ(set.size(), count);
    }
  }
}

TEST(PageSetTest, DenseRunsAreCompressed) {
  PageSet set;
  set.InsertRun(PageId{1000}, 1 << 20);
  EXPECT_LE(set.memory_bytes(), size_t{1 << 20} / 2);
}

// Against std::set, with random operations.
TEST(PageSetTest, BehavesLikeASet) {
  std::mt19937_64 random(testing::TestSeed());
  for (int round = 0; round < 200; ++round) {
    const uint64_t range = 1 + random() % 2000;
    PageSet set;
    std::set<uint64_t> model;
    for (int step = 0; step < 100; ++step) {
      const uint64_t id = random() % range;
      const uint64_t count = random() % 100;
      switch (random() % 6) {
        case 0:
          ASSERT_EQ(set.Insert(PageId{id}), model.insert(id).second);
          break;
        case 1:
          ASSERT_EQ(set.Erase(PageId{id}), model.erase(id) == 1);
          break;
        case 2:
          set.InsertRun(PageId{id}, count);
          for (uint64_t i = 0; i < count; ++i) model.insert(id + i);
          break;
        case 3: {
          PageSet out;
          const uint64_t moved = set.MoveSome(count, &out);
          ASSERT_EQ(moved, std::min<uint64_t>(count, model.size()));
          std::vector<uint64_t> expected;
          for (uint64_t i = 0; i < moved; ++i) {
            expected.push_back(*model.begin());
            model.erase(model.begin());
          }
          ASSERT_EQ(IdsOf(out), expected);
          ASSERT_EQ(out.size(), moved);
          break;
        }
        case 4: {
          PageSet other;
          for (uint64_t i = 0; i < count; ++i) {
            const uint64_t another = random() % range;
            other.Insert(PageId{another});
            model.insert(another);
          }
          set.Absorb(std::move(other));
          ASSERT_TRUE(other.empty());  // NOLINT(bugprone-use-after-move): as promised
          break;
        }
        default:
          ASSERT_EQ(set.Contains(PageId{id}), model.contains(id));
      }
      ASSERT_EQ(set.size(), model.size());
    }
    ASSERT_EQ(IdsOf(set), std::vector<uint64_t>(model.begin(), model.end()));
  }
}

}  // namespace
}  // namespace keel::pager
