// The way of a lookup past the latch (engine/way_among_changes.h), with what other threads do done in between.

#include "engine/way_among_changes.h"

#include "tests/unit/pager/cache_fixture.h"

namespace keel::engine {
namespace {

using pager::ReadGuard;

constexpr PageId kOlder{100};
constexpr PageId kYoung{101};
constexpr PageId kChild{102};

class WayAmongChangesTest : public pager::PageCacheTest {
 protected:
  WayAmongChangesTest() {
    MakePage(kOlder);
    older_birth_ = epoch_;
    NextEpoch();
    MakePage(kYoung);
    MakePage(kChild);
  }

  // A way that begins at a root of the current epoch.
  WayAmongChanges Begin() {
    WayAmongChanges way(*cache_);
    way.Begin({.epoch = epoch_, .changes = &root_, .count = root_.Look()});
    return way;
  }
  static bool Is(const std::byte* page, PageId id, Epoch birth, uint64_t revision = 0) {
    return page != nullptr && pager::IsTestPage({page, kPageBytes}, id, birth, revision);
  }
  // The page as it is in the cache.
  std::byte* Live(PageId id) { return const_cast<std::byte*>(cache_->Find(id)); }
  void Change(PageId id, uint64_t revision) {
    cache_->ChangesOf(Live(id)).BeginChange();
    pager::FillTestPage({Live(id), kPageBytes}, id, epoch_, revision);
    cache_->ChangesOf(Live(id)).EndChange();
  }

  Sequence root_;
  Epoch older_birth_;
};

TEST_F(WayAmongChangesTest, L1_OlderPagesAreReadInPlaceYoungOnesCopied) {
  const ReadGuard guard(*guards_);
  WayAmongChanges way = Begin();
  const std::byte* const older = way.Page(kOlder, older_birth_);
  EXPECT_EQ(older, cache_->Find(kOlder));
  EXPECT_FALSE(way.copied(reinterpret_cast<const char*>(older)));
  const std::byte* const young = way.Page(kYoung, epoch_);
  EXPECT_TRUE(way.copied(reinterpret_cast<const char*>(young)));
  EXPECT_TRUE(Is(young, kYoung, epoch_));
  EXPECT_FALSE(way.moved());
}

// Freed before the guard was entered, and its id given to a page that is being made.
TEST_F(WayAmongChangesTest, L1_AnotherPageAtTheIdOfAnOlderOneIsNotRead) {
  cache_->Retire(kOlder, 1);
  Ready();
  MakePage(kOlder);
  const ReadGuard guard(*guards_);
  WayAmongChanges way = Begin();
  ASSERT_NE(cache_->Find(kOlder), nullptr);
  EXPECT_EQ(way.Page(kOlder, older_birth_), nullptr);
  EXPECT_TRUE(way.moved());
}

// One that is simply not in memory can be read from the file.
TEST_F(WayAmongChangesTest, L1_AnOlderPageMayBeMissingAYoungOneNot) {
  cache_->Retire(kOlder, 1);
  cache_->Retire(kChild, 1);
  const ReadGuard guard(*guards_);
  WayAmongChanges way = Begin();
  EXPECT_EQ(way.Page(kOlder, older_birth_), nullptr);
  EXPECT_FALSE(way.moved());
  EXPECT_EQ(way.Page(kChild, epoch_), nullptr);
  EXPECT_TRUE(way.moved());
}

TEST_F(WayAmongChangesTest, L1_APageThatIsBeingChangedIsNotRead) {
  const ReadGuard guard(*guards_);
  cache_->ChangesOf(Live(kYoung)).BeginChange();
  WayAmongChanges way = Begin();
  EXPECT_EQ(way.Page(kYoung, epoch_), nullptr);
  EXPECT_TRUE(way.moved());
  cache_->ChangesOf(Live(kYoung)).EndChange();
}

TEST_F(WayAmongChangesTest, L1_WhatLedToAPageIsLookedAtAfterIt) {
  const ReadGuard guard(*guards_);
  WayAmongChanges way = Begin();
  ASSERT_NE(way.Page(kYoung, epoch_), nullptr);
  Change(kYoung, 1);
  EXPECT_EQ(way.Page(kChild, epoch_), nullptr);
  EXPECT_TRUE(way.moved());
}

TEST_F(WayAmongChangesTest, L1_AChangedRootIsNoticedToo) {
  const ReadGuard guard(*guards_);
  WayAmongChanges way = Begin();
  root_.BeginChange();
  root_.EndChange();
  EXPECT_EQ(way.Page(kYoung, epoch_), nullptr);
  EXPECT_TRUE(way.moved());
}

// A copy is of one moment, whatever comes after; but it says nothing of what there is then.
TEST_F(WayAmongChangesTest, L1_ALaterChangeLeavesTheCopyAsItWas) {
  const ReadGuard guard(*guards_);
  WayAmongChanges way = Begin();
  const std::byte* const young = way.Page(kYoung, epoch_);
  EXPECT_FALSE(way.moved());
  Change(kYoung, 7);
  EXPECT_TRUE(Is(young, kYoung, epoch_));
  EXPECT_TRUE(way.moved());
}

}  // namespace
}  // namespace keel::engine
