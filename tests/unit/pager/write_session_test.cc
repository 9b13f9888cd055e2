// The writer's session: epochs and deaths of pages; on a full disk what it takes back, and what it leaves to deletes.

#include "pager/write_session.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/disk_full.h"
#include "tests/unit/pager/cache_fixture.h"
#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

class WriteSessionTest : public PageCacheTest {
 protected:
  WriteSessionTest() {
    space_.Create();
    space_.map->SetReserve(/*checkpoint_pages=*/5, /*delete_pages=*/40);
    space_.file->set_capacity(space_.page_count * kPageBytes);
    session_ = std::make_unique<WriteSession>(cache_.get(), space_.map.get(), epoch_,
                                              keel::NextEpoch(epoch_), kFrames);
  }

  // Takes every page that is for ordinary writes; the last one taken.
  PageRun FillUp() {
    PageRun last;
    for (;;) {
      const absl::StatusOr<PageRun> run = session_->CreateRun({1, 1});
      if (!run.ok()) {
        EXPECT_TRUE(IsDiskFull(run.status())) << run.status();
        return last;
      }
      last = *run;
    }
  }
  absl::Status Reserve(SpaceUse use, size_t pages) {
    session_->set_space_use(use);
    return session_->Reserve(pages);
  }

  SpaceFixture space_{kPageBytes, 500};
  std::unique_ptr<WriteSession> session_;
};

// Else a page made after it could have the number and the birth of one made before it.
TEST_F(WriteSessionTest, R2_MarksRollbacksAndPublicationsRaiseTheEpoch) {
  Epoch last = session_->current_epoch();
  const auto expect_raised = [&](const char* what) {
    EXPECT_GT(session_->current_epoch(), last) << what;
    last = session_->current_epoch();
  };
  const WriteSession::Mark mark = session_->SetMark();
  expect_raised("a mark");
  session_->RollbackTo(mark);
  expect_raised("a return to it");
  session_->Rollback();
  expect_raised("a rollback");
  const WriteSession::Publication publication = session_->Publish();
  EXPECT_EQ(publication.epoch, last);
  expect_raised("a publication");
}

// What died in a stretch that is undone did not die; what was born in it is free.
TEST_F(WriteSessionTest, R4_ARollbackForgetsDeathsAndFreesWhatWasBorn) {
  const auto create = [&] { return session_->CreateRun({1, 1}).value(); };
  const PageRun old = create();
  const Epoch birth = session_->current_epoch();
  EXPECT_TRUE(session_->Publish().deaths.empty());
  session_->DropRun(old, birth);
  session_->Rollback();
  EXPECT_TRUE(session_->Publish().deaths.empty());

  const PageRun base = create();
  const Epoch base_birth = session_->current_epoch();
  const WriteSession::Mark mark = session_->SetMark();
  create();
  session_->DropRun(base, base_birth);
  session_->DropRun(old, birth);
  EXPECT_EQ(cache_->retired(), 0U) << "the mark keeps them";
  session_->RollbackTo(mark);
  EXPECT_EQ(cache_->retired(), 1U) << "the one born since";
  session_->DropRun(old, birth);
  WriteSession::Publication publication = session_->Publish();
  const auto died = publication.deaths.TakeListed(10);
  EXPECT_EQ(died->first, old.first);
  EXPECT_EQ(died->birth, birth);
  EXPECT_TRUE(publication.deaths.empty());
}

// Nobody can come to keep the version that it belongs to (V6).
TEST_F(WriteSessionTest, R4_WhatNobodyKeepsIsFreeAtOnceWhereNobodyCanComeToKeepIt) {
  Reclaimer::Holder holder = Reclaimer::Holder::kNobody;
  session_->set_holder_of([&](Epoch) { return holder; });
  const auto published = [&] {
    const PageRun run = session_->CreateRun({1, 1}).value();
    const Epoch birth = session_->current_epoch();
    EXPECT_TRUE(session_->Publish().deaths.empty());
    return DeadPage{run.first, 1, birth};
  };
  const DeadPage first = published();
  {
    const WriteSession::Superseding superseding(session_.get(), /*so=*/false);
    session_->Drop(first.first, first.birth);
    EXPECT_EQ(cache_->retired(), 0U) << "somebody may come to keep it";
  }
  EXPECT_EQ(session_->Publish().deaths.pages(), 1U);
  const DeadPage second = published();
  {
    const WriteSession::Superseding superseding(session_.get(), /*so=*/true);
    session_->Drop(second.first, second.birth);
    EXPECT_EQ(cache_->retired(), 1U);
  }
  EXPECT_TRUE(session_->Publish().deaths.empty()) << "it would be freed twice";
  for (const auto kept : {Reclaimer::Holder::kUnread, Reclaimer::Holder::kReader}) {
    holder = kept;
    const DeadPage page = published();
    const WriteSession::Superseding superseding(session_.get(), /*so=*/true);
    session_->Drop(page.first, page.birth);
    EXPECT_EQ(cache_->retired(), 1U);
    EXPECT_EQ(session_->Publish().deaths.pages(), 1U);
  }
}

TEST_F(WriteSessionTest, FramesOfWhatNobodyReadsAreGivenBack) {
  constexpr Epoch kBirth{7};
  constexpr uint64_t kFirst = 200;
  constexpr uint64_t kPages = 70;
  constexpr uint64_t kInMemory = 30;
  Reclaimer::Holder holder = Reclaimer::Holder::kReader;
  session_->set_holder_of([&](Epoch) { return holder; });
  const auto drop_all = [&](uint64_t first) {
    for (uint64_t id = first; id < first + kInMemory; ++id) {
      PutOnDisk(PageId{id}, kBirth);
      PinGood(PageId{id}, kBirth);
    }
    const WriteSession::Superseding superseding(session_.get(), /*so=*/true);
    for (uint64_t id = first; id < first + kPages; ++id) session_->Drop(PageId{id}, kBirth);
    KEEL_EXPECT_OK(Reserve(SpaceUse::kOrdinary, 1));
  };
  drop_all(kFirst);
  EXPECT_EQ(cache_->stats().superseded, 0U) << "a snapshot reads them";
  holder = Reclaimer::Holder::kUnread;
  drop_all(kFirst + kPages);
  EXPECT_EQ(cache_->stats().superseded, kInMemory);
  EXPECT_EQ(session_->Publish().deaths.pages(), 2 * kPages) << "they stay where they are on disk";
  EXPECT_TRUE(IsResident(PageId{kFirst}));
  EXPECT_FALSE(IsResident(PageId{kFirst + kPages}));
}

TEST_F(WriteSessionTest, WhatADeleteTookFromTheReserveIsNotForOthers) {
  FillUp();
  KEEL_EXPECT_OK(Reserve(SpaceUse::kDelete, 3));
  EXPECT_TRUE(IsDiskFull(Reserve(SpaceUse::kOrdinary, 1)));
  EXPECT_FALSE(space_.map->BelowReserve());  // it was given back
  KEEL_EXPECT_OK(Reserve(SpaceUse::kDelete, 3));
  EXPECT_TRUE(space_.map->BelowReserve());
}

TEST_F(WriteSessionTest, WithRoomOneStockServesAll) {
  KEEL_EXPECT_OK(Reserve(SpaceUse::kDelete, 3));
  const uint64_t free = space_.map->stats().free_pages;
  KEEL_EXPECT_OK(Reserve(SpaceUse::kOrdinary, 3));
  EXPECT_EQ(space_.map->stats().free_pages, free);
}

TEST_F(WriteSessionTest, OnAFullDiskEveryRetiredPageIsTakenBack) {
  session_->DropRun(FillUp(), session_->current_epoch());
  ASSERT_EQ(cache_->retired(), 1U);
  const absl::StatusOr<PageRun> again = session_->CreateRun({1, 1});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(IsDiskFull(session_->CreateRun({1, 1}).status()));
  session_->DropRun(*again, session_->current_epoch());
  KEEL_EXPECT_OK(Reserve(SpaceUse::kOrdinary, 1));
}

// Who looks at such a page meanwhile (PageCache::ChangesOf) has to notice that it is being changed, and that it was.
TEST_F(WriteSessionTest, L2_WhatIsChangedInPlaceWhileWatchedIsMarked) {
  ASSERT_TRUE(Reserve(SpaceUse::kOrdinary, 4).ok());
  const MutablePage page = session_->Create(PageKind::kLeaf, 0, kTestKeyspace);
  const PageCache& cache = *cache_;
  const Sequence& changes = cache.ChangesOf(page.bytes);
  const auto change = [&] {
    const PageWant want{{page.id, page.birth}, kTestKeyspace, 0};
    EXPECT_EQ(session_->Change(session_->Pin(want).value()).bytes, page.bytes);
  };
  const uint64_t created = changes.Look();
  EXPECT_TRUE(Sequence::Settled(created));
  {
    const WriteSession::Watched watched(session_.get(), /*looks=*/false);
    change();
    EXPECT_TRUE(changes.Still(created)) << "nobody looks";
  }
  {
    const WriteSession::Watched watched(session_.get(), /*looks=*/true);
    EXPECT_TRUE(changes.Still(created)) << "not yet";
    change();
    EXPECT_FALSE(Sequence::Settled(changes.Look()));
    change();
    EXPECT_FALSE(Sequence::Settled(changes.Look()));
  }
  EXPECT_TRUE(Sequence::Settled(changes.Look()));
  EXPECT_FALSE(changes.Still(created));
  const uint64_t after = changes.Look();
  change();
  EXPECT_TRUE(changes.Still(after)) << "the scope has ended";
}

}  // namespace
}  // namespace keel::pager
