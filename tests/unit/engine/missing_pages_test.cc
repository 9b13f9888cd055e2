#include "engine/missing_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace keel::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

MissingPage Key(size_t key, uint64_t page) { return {key, {{PageId{page}, Epoch{7}}, {}, 0}}; }

std::vector<uint64_t> Ids(std::span<const pager::PageWant> wants) {
  std::vector<uint64_t> ids;
  for (const pager::PageWant& want : wants) ids.push_back(want.reference.id.value);
  return ids;
}

std::vector<size_t> KeysOf(const MissingPages& pages, size_t at) {
  std::vector<size_t> keys;
  pages.ForKeys(at, [&](size_t key) { keys.push_back(key); });
  return keys;
}

TEST(MissingPagesTest, HoldsEachPageOnceAndAllItsKeys) {
  MissingPages pages(10);
  EXPECT_TRUE(pages.Add(Key(4, 100)));
  EXPECT_TRUE(pages.Add(Key(2, 70)));
  EXPECT_TRUE(pages.Add(Key(9, 100)));
  EXPECT_THAT(Ids(pages.From(0)), ElementsAre(100, 70));
  EXPECT_TRUE(pages.Add(Key(1, 80)));
  EXPECT_TRUE(pages.Add(Key(0, 100)));
  EXPECT_THAT(Ids(pages.From(2)), ElementsAre(80));
  EXPECT_THAT(KeysOf(pages, 0), UnorderedElementsAre(4, 9, 0));
  EXPECT_THAT(KeysOf(pages, 1), ElementsAre(2));
  EXPECT_THAT(KeysOf(pages, 2), ElementsAre(1));
}

TEST(MissingPagesTest, TakesNoFurtherPageButKeysOfThoseItHas) {
  MissingPages pages(2);
  EXPECT_TRUE(pages.Add(Key(0, 100)));
  EXPECT_TRUE(pages.Add(Key(1, 101)));
  EXPECT_FALSE(pages.Add(Key(2, 102)));
  EXPECT_TRUE(pages.Add(Key(3, 101)));
  EXPECT_FALSE(pages.Add(Key(2, 102)));
  EXPECT_EQ(pages.size(), 2U);
  EXPECT_THAT(KeysOf(pages, 1), UnorderedElementsAre(1, 3));
}

}  // namespace
}  // namespace keel::engine
