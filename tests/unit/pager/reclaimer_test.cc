#include "pager/reclaimer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
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

DeadPage Dead(uint64_t id, uint64_t birth) { return {PageId{id}, 1, Epoch{birth}}; }

// The shortest schedule that loses an acknowledged commit when deaths are examined at publication: two
// group commits, the first not yet visible. Page L1, born in W1 (11), is dropped by W2 (12) while 10 is
// visible; no keeper has 11 <= epoch < 12, and yet W1 is about to become visible.
TEST(ReclaimerTest, R4ADeathWaitsUntilItsVersionIsVisible) {
  Reclaimer reclaimer;
  PageSet freed;
  reclaimer.AddKeeper(Epoch{10});  // the durable checkpoint

  // W1 becomes visible: only now its own deaths are queued; W2's are not.
  reclaimer.AddDeaths(Epoch{11}, {Dead(1, 5)});
  reclaimer.Examine(100, &freed);
  EXPECT_TRUE(freed.empty()) << "the checkpoint holds L";
  reclaimer.AddKeeper(Epoch{11});  // a snapshot of W1 can still be had: L1 is there

  // W2 becomes visible: L1 dies, and the snapshot holds it.
  reclaimer.AddDeaths(Epoch{12}, {Dead(2, 11)});
  reclaimer.Examine(100, &freed);
  EXPECT_TRUE(freed.empty());
  reclaimer.ReleaseKeeper(Epoch{11}, &freed);
  EXPECT_EQ(IdsOf(freed), std::vector<uint64_t>{2});
  reclaimer.ReleaseKeeper(Epoch{10}, &freed);
  EXPECT_EQ(IdsOf(freed), (std::vector<uint64_t>{1, 2}));
}

TEST(ReclaimerTest, KeepersAreCounted) {
  Reclaimer reclaimer;
  PageSet freed;
  reclaimer.AddKeeper(Epoch{5});
  reclaimer.AddDeaths(Epoch{6}, {Dead(1, 2)});
  reclaimer.Examine(1, &freed);
  reclaimer.AddKeeper(Epoch{5});  // not the visible version's any more, but kept already
  reclaimer.ReleaseKeeper(Epoch{5}, &freed);
  EXPECT_TRUE(freed.empty());
  EXPECT_EQ(reclaimer.Keepers(), std::vector<Epoch>{Epoch{5}});
  reclaimer.ReleaseKeeper(Epoch{5}, &freed);
  EXPECT_EQ(freed.size(), 1U);
  EXPECT_TRUE(reclaimer.Keepers().empty());
}

TEST(ReclaimerTest, AKeeperOfAnEpochThatDeathsHavePassedIsRefused) {
  Reclaimer reclaimer;
  reclaimer.AddDeaths(Epoch{6}, {Dead(1, 2)});
  EXPECT_DEATH(reclaimer.AddKeeper(Epoch{5}), "invariant violated");
}

// Two checkpoints, the last one and the one in progress, with a snapshot between them.
TEST(ReclaimerTest, WhatIsKeptForRecoveryAloneIsToldOnce) {
  using enum Reclaimer::Purpose;
  using Holder = Reclaimer::Holder;
  Reclaimer reclaimer;
  PageSet freed;
  Reclaimer::Unread unread;
  reclaimer.AddKeeper(Epoch{10}, kRecovery);
  reclaimer.AddKeeper(Epoch{20}, kReading);
  reclaimer.AddKeeper(Epoch{20}, kRecovery);
  EXPECT_EQ(reclaimer.HolderOf(Epoch{5}, Epoch{15}), Holder::kUnread);
  EXPECT_EQ(reclaimer.HolderOf(Epoch{5}, Epoch{20}), Holder::kUnread);
  EXPECT_EQ(reclaimer.HolderOf(Epoch{5}, Epoch{21}), Holder::kReader);
  EXPECT_EQ(reclaimer.HolderOf(Epoch{11}, Epoch{20}), Holder::kNobody);
  EXPECT_EQ(reclaimer.HolderOf(Epoch{21}, Epoch{30}), Holder::kNobody);

  reclaimer.ReleaseKeeper(Epoch{20}, &freed, kReading);
  reclaimer.AddDeaths(Epoch{30},
                      {Dead(1, 5), Dead(2, 15), Dead(3, 25), {PageId{100}, 8, Epoch{5}}});
  reclaimer.Examine(100, &freed, &unread);
  EXPECT_EQ(IdsOf(freed), std::vector<uint64_t>{3});
  EXPECT_THAT(unread, ::testing::ElementsAre(PageId{1}, PageId{2})) << "runs have no frames";

  unread.clear();
  reclaimer.AddKeeper(Epoch{40}, kReading);
  reclaimer.AddDeaths(Epoch{50}, {Dead(4, 15), Dead(5, 35)});
  reclaimer.Examine(100, &freed, &unread);
  EXPECT_TRUE(unread.empty()) << "the snapshot reads them";
}

TEST(ReclaimerTest, AKeeperIsReleasedForWhatItWasAddedFor) {
  using enum Reclaimer::Purpose;
  Reclaimer reclaimer;
  PageSet freed;
  reclaimer.AddKeeper(Epoch{10}, kRecovery);
  EXPECT_DEATH(reclaimer.ReleaseKeeper(Epoch{10}, &freed, kReading), "invariant violated");
}

TEST(ReclaimerTest, ExaminationIsBoundedWithinRunsToo) {
  Reclaimer reclaimer;
  PageSet freed;
  reclaimer.AddDeaths(Epoch{6}, {{PageId{100}, 1000, Epoch{2}}, {PageId{5}, 1, Epoch{2}}});
  EXPECT_EQ(reclaimer.unexamined(), 1001U);
  EXPECT_EQ(reclaimer.Examine(300, &freed), 300U);
  EXPECT_EQ(freed.size(), 300U);
  EXPECT_EQ(reclaimer.unexamined(), 701U);
  EXPECT_EQ(reclaimer.Examine(10000, &freed), 701U);
  EXPECT_EQ(freed.size(), 1001U);
  EXPECT_EQ(reclaimer.Examine(10000, &freed), 0U);
}

TEST(ReclaimerTest, OneOldKeeperOverAMillionRewrittenPagesStaysCompressed) {
  constexpr uint64_t kPages = 1'000'000;
  Reclaimer reclaimer;
  PageSet freed;
  reclaimer.AddKeeper(Epoch{1});
  std::vector<uint64_t> order(kPages);
  for (uint64_t i = 0; i < kPages; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(testing::TestSeed()));
  for (uint64_t i = 0; i < kPages;) {
    DeathList deaths;
    for (int j = 0; j < 1000; ++j) deaths.push_back(Dead(1000 + order[i++], 1));
    reclaimer.AddDeaths(Epoch{1 + i}, std::move(deaths));
    reclaimer.Examine(1000, &freed);
  }
  EXPECT_EQ(reclaimer.HeldBy(Epoch{1}).alone, kPages);
  EXPECT_LE(reclaimer.memory_bytes(), kPages / 2);
  reclaimer.ReleaseKeeper(Epoch{1}, &freed);
  EXPECT_EQ(freed.size(), kPages);
  EXPECT_EQ(reclaimer.held(), 0U);
}

// What the rule says, page by page.
class Model {
 public:
  struct Page {
    uint64_t id, birth, death;
  };

  bool IsHeld(const Page& page) const { return Holders(page) > 0; }
  size_t Holders(const Page& page) const {
    return static_cast<size_t>(std::count_if(keepers_.begin(), keepers_.end(), [&](const auto& k) {
      return page.birth <= k.first && k.first < page.death;
    }));
  }
  static bool AliveAt(const Page& page, uint64_t epoch) {
    return page.birth <= epoch && epoch < page.death;
  }

  // Ids that are dead, examined, and held by nobody any more.
  std::vector<uint64_t> TakeFree() {
    std::vector<uint64_t> ids;
    std::erase_if(dead_, [&](const Page& page) {
      if (IsHeld(page)) return false;
      ids.push_back(page.id);
      return true;
    });
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::map<uint64_t, int> keepers_;
  std::vector<Page> dead_;  // examined
};

// A random life: versions are published and become visible later, in groups; snapshots and checkpoints of
// the visible version come and go in any order.
class ReclaimerLife {
 public:
  explicit ReclaimerLife(uint64_t seed) : random_(seed) {}

  void Run() {
    for (int step = 0; step < 60 && !::testing::Test::HasFatalFailure(); ++step) {
      Step();
      Compare();
    }
  }

 private:
  struct Version {
    uint64_t epoch;
    DeathList listed;  // in the order in which they will be examined
    DeadPages deaths;
  };

  void Step() {
    switch (random_() % 8) {
      case 0:
      case 1:
        return Publish();
      case 2:
      case 3:
        return MoveVisible();
      case 4:
        return Keep();
      case 5:
      case 6:
        return Release();
      default:
        return Checkpoint();
    }
  }

  // A new working version: some pages die, some are born.
  void Publish() {
    epoch_ += 1 + random_() % 3;
    Version version{epoch_, {}, {}};
    for (uint64_t i = random_() % 4; i > 0 && !alive_.empty(); --i) {
      const auto victim = std::next(alive_.begin(), static_cast<long>(random_() % alive_.size()));
      version.listed.push_back(Dead(victim->first, victim->second));
      alive_.erase(victim);
    }
    for (uint64_t i = random_() % 4; i > 0; --i) alive_[next_id_++] = epoch_;
    version.deaths = version.listed;
    if (random_() % 2 == 0) Compact(&version);
    published_.push_back(std::move(version));
  }

  // As a large transaction does, which knows only who keeps what, or will come to.
  void Compact(Version* version) {
    std::vector<Epoch> epochs{Epoch{visible_}};
    for (const auto& [epoch, count] : model_.keepers_) epochs.push_back(Epoch{epoch});
    for (const Version& published : published_) epochs.push_back(Epoch{published.epoch});
    std::ranges::sort(epochs);
    version->deaths.Compact(epochs);
    const auto place = [&](const DeadPage& page) {
      return std::pair(*std::ranges::lower_bound(epochs, page.birth), page.first);
    };
    std::ranges::sort(version->listed, {}, place);
  }

  // Publications up to some point become visible; their deaths are queued, in portions examined.
  void MoveVisible() {
    for (uint64_t i = 1 + random_() % 3; i > 0 && !published_.empty(); --i) {
      Version version = std::move(published_.front());
      published_.erase(published_.begin());
      visible_ = version.epoch;
      for (const DeadPage& page : version.listed) {
        queued_.push_back({page.first.value, page.birth.value, version.epoch});
      }
      reclaimer_.AddDeaths(Epoch{version.epoch}, std::move(version.deaths));
    }
    Examine(random_() % 5);
  }

  void Examine(uint64_t pages) {
    pages = reclaimer_.Examine(pages, &freed_);
    model_.dead_.insert(model_.dead_.end(), queued_.begin(),
                        queued_.begin() + static_cast<long>(pages));
    queued_.erase(queued_.begin(), queued_.begin() + static_cast<long>(pages));
  }

  void Keep() {
    reclaimer_.AddKeeper(Epoch{visible_});
    ++model_.keepers_[visible_];
  }

  void Release() {
    if (model_.keepers_.empty()) return;
    const auto keeper =
        std::next(model_.keepers_.begin(), static_cast<long>(random_() % model_.keepers_.size()));
    const bool checkpoint = keeper->first == checkpoint_ || keeper->first == attempt_;
    if (checkpoint && keeper->second <= 2) return;
    reclaimer_.ReleaseKeeper(Epoch{keeper->first}, &freed_);
    if (--keeper->second == 0) model_.keepers_.erase(keeper);
  }

  // A checkpoint of the visible version begins; or ends, while versions have moved on.
  void Checkpoint() {
    if (attempt_ == 0) {
      Keep();
      attempt_ = visible_;
    } else {
      EndCheckpoint();
    }
  }

  // What died since the last one is told, then that one is released.
  void EndCheckpoint() {
    Examine(UINT64_MAX);
    if (checkpoint_ != 0) {
      std::vector<uint64_t> expected;
      for (const Model::Page& page : model_.dead_) {
        if (Model::AliveAt(page, checkpoint_) && page.death <= attempt_) {
          expected.push_back(page.id);
        }
      }
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(IdsOf(reclaimer_.DiedBetween(Epoch{checkpoint_}, Epoch{attempt_})), expected);
      reclaimer_.ReleaseKeeper(Epoch{checkpoint_}, &freed_);
      if (--model_.keepers_[checkpoint_] == 0) model_.keepers_.erase(checkpoint_);
    }
    checkpoint_ = std::exchange(attempt_, 0);
  }

  void Compare() {
    ASSERT_EQ(IdsOf(freed_), model_.TakeFree());
    freed_.clear();
    ASSERT_EQ(reclaimer_.held(), model_.dead_.size());
    ASSERT_EQ(reclaimer_.unexamined(), queued_.size());
    ASSERT_EQ(reclaimer_.Keepers().size(), model_.keepers_.size());
    for (const auto& [epoch, count] : model_.keepers_) {
      Reclaimer::Held expected;
      for (const Model::Page& page : model_.dead_) {
        if (!Model::AliveAt(page, epoch)) continue;
        ++(model_.Holders(page) == 1 ? expected.alone : expected.shared);
      }
      const Reclaimer::Held held = reclaimer_.HeldBy(Epoch{epoch});
      ASSERT_EQ(held.alone, expected.alone);
      ASSERT_EQ(held.shared, expected.shared);
    }
  }

  std::mt19937_64 random_;
  Reclaimer reclaimer_;
  PageSet freed_;
  Model model_;
  std::vector<Model::Page> queued_;  // dead, not yet examined
  std::vector<Version> published_;   // not yet visible
  std::map<uint64_t, uint64_t> alive_;
  uint64_t epoch_ = 1;
  uint64_t visible_ = 1;
  uint64_t checkpoint_ = 0;  // the last durable one, 0: none
  uint64_t attempt_ = 0;     // the one in progress
  uint64_t next_id_ = 1;
};

TEST(ReclaimerTest, R4HoldsForRandomSchedules) {
  const uint64_t seed = testing::TestSeed();
  for (uint64_t i = 0; i < 20'000; ++i) {
    SCOPED_TRACE("schedule " + std::to_string(i));
    ReclaimerLife(seed + i).Run();
    if (HasFatalFailure()) return;
  }
}

// A tree of a million pages of many ages, all of it replaced at random: births and ids one by one would take 24 MiB.
TEST(DeadPagesTest, G6_TheDeathsOfALargeTreeAreSmall) {
  constexpr uint64_t kPages = 1'000'000;
  DeadPages dead;
  size_t most = 0;
  for (uint64_t i = 0; i < kPages; ++i) {
    const uint64_t id = i * 7919 % kPages;
    dead.Add(Dead(id, 1 + id % 5000));
    if (dead.listed() >= 4096) dead.Compact({Epoch{100}, Epoch{4000}, Epoch{5000}});
    most = std::max(most, dead.memory_bytes());
  }
  EXPECT_EQ(dead.pages(), kPages);
  EXPECT_LT(most, size_t{2} << 20);
  PageSet old;
  dead.CollectBornUpTo(Epoch{100}, &old);
  EXPECT_EQ(old.size(), kPages / 50);
}

}  // namespace
}  // namespace keel::pager
