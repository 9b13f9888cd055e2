#include "engine/working_roots.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace keel::engine {
namespace {

pager::TreeRoot RootOf(uint64_t page, uint8_t level = 1) {
  return {.reference = {PageId{page}, Epoch{page + 1}, /*entries=*/7}, .level = level};
}

constexpr Epoch kNow{90};
constexpr KeyspaceId kOne{1};

TEST(WorkingRootsTest, WR1_OnlyWhatIsShownIsSeen) {
  WorkingRoots roots;
  EXPECT_FALSE(roots.any());
  EXPECT_FALSE(roots.Look(kOne).has_value());
  EXPECT_FALSE(roots.Look(KeyspaceId{0}).has_value());
  roots.Note(kOne, RootOf(3));
  EXPECT_FALSE(roots.Look(kOne).has_value()) << "it was noted, and never shown";
  roots.Show(kOne, RootOf(4, 2), kNow);
  EXPECT_TRUE(roots.any());
  ASSERT_TRUE(roots.Look(kOne).has_value());
  EXPECT_EQ(roots.Look(kOne)->root.reference.id, PageId{4});
  EXPECT_EQ(roots.Look(kOne)->root.reference.birth, Epoch{5});
  EXPECT_EQ(roots.Look(kOne)->root.level, 2);
  EXPECT_EQ(roots.Look(kOne)->epoch, kNow);
  EXPECT_FALSE(roots.Look(KeyspaceId{17}).has_value()) << "a neighbour in the same place";
  roots.Clear();
  EXPECT_FALSE(roots.any());
  EXPECT_FALSE(roots.Look(kOne).has_value());
}

TEST(WorkingRootsTest, WR1_AnotherRootIsNoticedByWhoSawTheFirst) {
  WorkingRoots roots;
  roots.Show(kOne, RootOf(4), kNow);
  const auto seen = roots.Look(kOne);
  ASSERT_TRUE(seen.has_value());
  roots.Note(kOne, RootOf(4));
  roots.Show(kOne, RootOf(4), kNow);
  EXPECT_TRUE(seen->changes->Still(seen->count)) << "nothing has changed";
  roots.Note(kOne, RootOf(5));
  EXPECT_FALSE(seen->changes->Still(seen->count));
  EXPECT_EQ(roots.Look(kOne)->root.reference.id, PageId{5});
  const auto again = roots.Look(kOne);
  roots.Clear();
  EXPECT_FALSE(again->changes->Still(again->count));
}

TEST(WorkingRootsTest, WR2_WhoeverHasLookedIsAskedForOnce) {
  WorkingRoots roots;
  EXPECT_FALSE(roots.Look(kOne).has_value());
  EXPECT_FALSE(roots.TakeLooked()) << "nothing was shown";
  roots.Show(kOne, RootOf(4), kNow);
  EXPECT_FALSE(roots.TakeLooked());
  EXPECT_TRUE(roots.Look(kOne).has_value());
  EXPECT_TRUE(roots.TakeLooked());
  EXPECT_FALSE(roots.TakeLooked());
}

TEST(WorkingRootsTest, WR1_WhatIsSeenIsOfOneMoment) {
  constexpr uint64_t kPages = 200'000;
  WorkingRoots roots;
  roots.Show(kOne, RootOf(2), kNow);
  std::atomic<bool> over = false;
  std::thread reader([&] {
    uint64_t last = 0;
    bool going = true;
    while (going) {
      going = !over.load();  // once more after the end: then it must succeed
      const auto seen = roots.Look(kOne);
      if (!seen) continue;
      last = seen->root.reference.id.value;
      ASSERT_EQ(seen->root.reference.birth.value, last + 1);
    }
    EXPECT_EQ(last, kPages - 1);
  });
  for (uint64_t page = 3; page < kPages; ++page) roots.Note(kOne, RootOf(page));
  over = true;
  reader.join();
}

}  // namespace
}  // namespace keel::engine
