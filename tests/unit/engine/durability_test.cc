// What is visible and not yet durable: how much there may be, the figures of it, and who is told when it is over.

#include <latch>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/commit_history.h"
#include "engine/durable_callbacks.h"
#include "tests/support/seed.h"
#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DurabilityTest : public FailingDiskTest {
 protected:
  Lsn PutNone(std::string_view key) {
    WriteBatch batch;
    batch.Put(key, "v");
    const absl::StatusOr<Lsn> lsn = db_->Write(batch, {Durability::kNone});
    EXPECT_TRUE(lsn.ok()) << lsn.status();
    return lsn.value_or(Lsn());
  }
  // Notes its name and what it was told.
  void Register(Lsn lsn, std::string_view name) {
    KEEL_EXPECT_OK(
        db_->OnDurable(lsn, [this, name = std::string(name)](const absl::Status& status) {
          told_.push_back(absl::StrFormat("%s %s", name, absl::StatusCodeToString(status.code())));
        }));
  }
  std::vector<std::string> Told() { return std::exchange(told_, {}); }
  DatabaseStats::Commits Commits() { return db_->Stats().commits; }

  std::vector<std::string> told_;
};

// --- callbacks ---

TEST_F(DurabilityTest, CallbacksComeInOrderWhenItIsDurable) {
  const Lsn first = PutNone("a");
  const Lsn second = PutNone("b");
  Register(second, "second");
  Register(first, "first");
  Register(second, "second again");
  EXPECT_EQ(Commits().durable_callbacks, 3U);
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_LT(db_->durable_lsn(), first);
  KEEL_ASSERT_OK(db_->RunBackgroundWork());  // makes it durable, though nobody else would
  EXPECT_GE(db_->durable_lsn(), second);
  EXPECT_THAT(Told(), ElementsAre("first OK", "second OK", "second again OK"));
  EXPECT_EQ(Commits().durable_callbacks, 0U);
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(DurabilityTest, OnlyThoseThatAreDurableAreCalled) {
  const Lsn first = PutNone("a");
  Register(first, "first");
  KEEL_ASSERT_OK(db_->WaitDurable(first));
  EXPECT_THAT(Told(), ElementsAre("first OK"));
  const Lsn second = PutNone("b");
  Register(second, "second");
  Register(first, "late");  // is durable: but never within OnDurable
  EXPECT_THAT(Told(), IsEmpty());
  KEEL_ASSERT_OK(db_->WaitDurable(first));
  EXPECT_THAT(Told(), ElementsAre("late OK"));
  KEEL_ASSERT_OK(db_->Sync());
  EXPECT_THAT(Told(), ElementsAre("second OK"));
  Register(PutNone("c"), "third");
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_THAT(Told(), ElementsAre("third OK"));
}

TEST_F(DurabilityTest, BeyondTheLastCommitIsRefused) {
  const Lsn lsn = PutNone("a");
  const absl::Status status = db_->OnDurable(Lsn{lsn.value + 1}, [](const absl::Status&) {});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->OnDurable(lsn, [](const absl::Status&) {})));
}

TEST_F(DurabilityTest, CallbacksMayUseTheDatabaseButNotCloseIt) {
  absl::Status closed;
  const auto work = [&](const absl::Status& status) {
    KEEL_EXPECT_OK(status);
    KEEL_EXPECT_OK(db_->Put("b", "from a callback"));
    KEEL_EXPECT_OK(db_->Sync());
    Register(PutNone("c"), "of a callback");
    KEEL_EXPECT_OK(db_->Sync());
    EXPECT_THAT(Told(), IsEmpty()) << "one at a time";
    closed = db_->Close();
  };
  KEEL_ASSERT_OK(db_->OnDurable(PutNone("a"), work));
  KEEL_ASSERT_OK(db_->Sync());
  EXPECT_TRUE(absl::IsFailedPrecondition(closed));
  EXPECT_THAT(Told(), ElementsAre("of a callback OK"));
  EXPECT_EQ(GetText(*db_, "b"), "from a callback");
}

TEST_F(DurabilityTest, G4_AfterAFailedSyncTheyAreToldSo) {
  const Lsn durable = PutNone("kept");
  KEEL_ASSERT_OK(db_->Sync());
  Register(durable, "durable");
  Register(PutNone("a"), "handed over");
  Fail(Syncs(io::SyncPurpose::kLogFlush), kForever);
  EXPECT_FALSE(db_->Sync().ok());
  EXPECT_THAT(Told(), ElementsAre("durable OK", "handed over UNKNOWN"));
  Register(durable, "later");
  EXPECT_FALSE(db_->RunBackgroundWork().ok());
  EXPECT_THAT(Told(), ElementsAre("later OK"));
}

TEST_F(DurabilityTest, CloseCallsWhatIsLeft) {
  Register(PutNone("a"), "waiting");
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_THAT(Told(), ElementsAre("waiting OK"));
}

// What broke: once closing had begun it said what the last checkpoint holds, to callbacks too, which were told of more.
TEST_F(DurabilityTest, WhatWasToldToBeDurableIsNotTakenBackByClosing) {
  const Lsn synced = PutNone("a");
  KEEL_ASSERT_OK(db_->Sync());
  EXPECT_GE(db_->durable_lsn(), synced);
  const Lsn last = PutNone("b");
  bool called = false;
  const auto tell = [&](const absl::Status& status) {
    called = true;
    KEEL_EXPECT_OK(status);
    EXPECT_GE(db_->durable_lsn(), last);
  };
  KEEL_ASSERT_OK(db_->OnDurable(last, tell));
  Fail(DataWrites(), kForever);  // no checkpoint
  EXPECT_FALSE(db_->Close().ok());
  EXPECT_TRUE(called);
  EXPECT_GE(db_->durable_lsn(), last);
}

// The log works, but the database has stopped: what is not durable yet is not made so by Close.
TEST_F(DurabilityTest, G4_CloseOfAStoppedDatabaseSaysThatItIsUnknown) {
  Fail(Syncs(io::SyncPurpose::kDataGrowth), kForever);
  Lsn lsn;
  for (int i = 0; State() != HealthState::kStopped; ++i) {
    ASSERT_LT(i, 5000);
    WriteBatch batch;
    batch.Put(Numbered("k", i), std::string(900, 'v'));
    const absl::StatusOr<Lsn> written = db_->Write(batch, {Durability::kNone});
    if (written.ok()) lsn = *written;
  }
  Register(lsn, "left");
  ASSERT_LT(db_->durable_lsn(), lsn);
  EXPECT_FALSE(db_->Close().ok());
  EXPECT_THAT(Told(), ElementsAre("left UNKNOWN"));
}

TEST_F(DurabilityTest, G6_NoMoreWaitThanMay) {
  engine::DurableCallbacks callbacks;
  for (size_t i = 0; i < engine::DurableCallbacks::kWaitingMax; ++i) {
    KEEL_ASSERT_OK(callbacks.Add(Lsn{i}, [](const absl::Status&) {}));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(callbacks.Add(Lsn{1}, [](const absl::Status&) {})));
  callbacks.Run([](Lsn lsn) -> std::optional<absl::Status> {
    if (lsn.value == 0) return absl::OkStatus();
    return std::nullopt;
  });
  KEEL_EXPECT_OK(callbacks.Add(Lsn{1}, [](const absl::Status&) {}));
  callbacks.Finish([](Lsn) { return absl::OkStatus(); });
  EXPECT_TRUE(callbacks.empty());
}

TEST_F(DurabilityTest, OfADatabaseThatIsOpenForReadingOnlyEverythingIsDurable) {
  KEEL_ASSERT_OK(db_->Close());
  options_.read_only = true;
  Open();
  Register(db_->durable_lsn(), "there");
  EXPECT_THAT(Told(), ElementsAre("there OK"));
  // No thread of the database waits for what it calls, so it may close it.
  absl::Status closed = absl::UnknownError("not called");
  KEEL_EXPECT_OK(
      db_->OnDurable(db_->durable_lsn(), [&](const absl::Status&) { closed = db_->Close(); }));
  KEEL_EXPECT_OK(closed);
}

class DurabilityThreadsTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }
};

TEST_F(DurabilityThreadsTest, AThreadOfTheDatabaseCalls) {
  for (int round = 0; round < 3; ++round) {
    WriteBatch batch;
    batch.Put("a", absl::StrFormat("%d", round));
    const absl::StatusOr<Lsn> lsn = db_->Write(batch, {Durability::kNone});
    KEEL_ASSERT_OK(lsn.status());
    std::latch called(1);  // the thread sanitizer does not see into absl::Notification
    const auto tell = [&, caller = std::this_thread::get_id()](const absl::Status& status) {
      KEEL_EXPECT_OK(status);
      EXPECT_NE(std::this_thread::get_id(), caller);
      EXPECT_GE(db_->durable_lsn(), *lsn);
      called.count_down();
    };
    KEEL_ASSERT_OK(db_->OnDurable(*lsn, tell));
    called.wait();
  }
}

TEST_F(DurabilityThreadsTest, EveryCallbackOfManyThreadsComesOnceAndAlone) {
  int called = 0;  // no atomic: callbacks come one at a time
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int n = 0; n < 200; ++n) {
        WriteBatch batch;
        batch.Put(Numbered("k", thread), Numbered("v", n));
        const Durability durability = n % 10 == 0 ? Durability::kSync : Durability::kAsync;
        const absl::StatusOr<Lsn> lsn = db_->Write(batch, {durability});
        KEEL_ASSERT_OK(lsn.status());
        const auto tell = [&, at = *lsn](const absl::Status& status) {
          KEEL_EXPECT_OK(status);
          EXPECT_LE(at, db_->durable_lsn());
          ++called;
        };
        KEEL_ASSERT_OK(db_->OnDurable(*lsn, tell));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_EQ(called, 800);
  Open();
}

// --- lag ---

TEST_F(DurabilityTest, FiguresOfWhatIsVisibleAndNotDurable) {
  EXPECT_EQ(Commits().undurable, 0U);
  for (int i = 0; i < 3; ++i) {
    PutNone("a");
    Wait(absl::Seconds(1));
  }
  const DatabaseStats::Commits commits = Commits();
  EXPECT_EQ(commits.undurable, 3U);
  EXPECT_EQ(commits.undurable_bytes, commits.visible.value - commits.durable.value);
  EXPECT_GT(commits.undurable_bytes, 0U);
  EXPECT_GE(commits.undurable_age, absl::Seconds(3));
  EXPECT_LT(commits.undurable_age, absl::Seconds(4));
  KEEL_ASSERT_OK(db_->Sync());
  EXPECT_EQ(Commits().undurable, 0U);
  EXPECT_EQ(Commits().undurable_bytes, 0U);
  EXPECT_EQ(Commits().undurable_age, absl::ZeroDuration());
  Wait(absl::Seconds(5));
  PutNone("a");
  EXPECT_EQ(Commits().undurable, 1U);
  EXPECT_LT(Commits().undurable_age, absl::Seconds(1));
}

TEST_F(DurabilityTest, AsyncCommitsWaitWhenTooMuchLogIsNotDurable) {
  options_.async_lag_bytes_max = uint64_t{64} << 10;
  Open();
  const std::string value(1000, 'v');
  for (int i = 0; i < 500; ++i) {
    KEEL_ASSERT_OK(db_->Put("a", value, {Durability::kAsync}));
    ASSERT_LE(Commits().undurable_bytes, uint64_t{64} << 10);
  }
  EXPECT_GE(Commits().async_waits, 5U);
  EXPECT_LE(Commits().async_waits, 50U);
  // Those that promise nothing never wait.
  KEEL_ASSERT_OK(db_->Sync());
  const uint64_t waits = Commits().async_waits;
  const Lsn durable = db_->durable_lsn();
  for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK(db_->Put("a", value, {Durability::kNone}));
  EXPECT_EQ(db_->durable_lsn(), durable);
  EXPECT_GT(Commits().undurable_bytes, uint64_t{64} << 10);
  // But count for the next one that does.
  KEEL_ASSERT_OK(db_->Put("a", value, {Durability::kAsync}));
  EXPECT_EQ(Commits().undurable, 0U);
  EXPECT_EQ(Commits().async_waits, waits + 1);
}

TEST_F(DurabilityTest, AsyncCommitsWaitWhenOneIsNotDurableForTooLong) {
  options_.async_lag_max = absl::Seconds(3);
  Open();
  KEEL_ASSERT_OK(db_->Put("a", "1", {Durability::kAsync}));
  Wait(absl::Seconds(2));
  KEEL_ASSERT_OK(db_->Put("a", "2", {Durability::kAsync}));
  EXPECT_EQ(Commits().undurable, 2U);
  Wait(absl::Seconds(2));
  KEEL_ASSERT_OK(db_->Put("a", "3", {Durability::kAsync}));
  EXPECT_EQ(Commits().undurable, 0U);
  EXPECT_EQ(Commits().async_waits, 1U);
  Wait(absl::Seconds(10));
  KEEL_ASSERT_OK(db_->Put("a", "4", {Durability::kAsync}));
  EXPECT_EQ(Commits().undurable, 1U);
}

TEST_F(DurabilityTest, G4_AnAsyncCommitThatWaitsInVainIsUnknown) {
  options_.async_lag_max = absl::Seconds(3);
  Open();
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  KEEL_ASSERT_OK(db_->Put("a", "1", {Durability::kAsync}));
  Wait(absl::Seconds(4));
  Fail(Syncs(io::SyncPurpose::kLogFlush), kForever);
  EXPECT_EQ(db_->Put("a", "2", {Durability::kAsync}).code(), absl::StatusCode::kUnknown);
  ExpectStopped();
}

// --- the history of commits ---

TEST(CommitHistoryLagTest, ExactAsLongAsItRemembers) {
  engine::CommitHistory history(CommitNumber{0});
  for (uint64_t n = 1; n <= 1000; ++n) {
    history.Add(CommitNumber{n}, Lsn{n * 10}, Epoch{n}, absl::Seconds(n), "");
  }
  for (const uint64_t durable : {0U, 1U, 500U, 999U}) {
    const auto behind = history.Behind(Lsn{durable * 10 + 5}, CommitNumber{1000});
    EXPECT_EQ(behind.commits, 1000 - durable);
    EXPECT_EQ(behind.oldest, absl::Seconds(durable + 1));
    EXPECT_EQ(history.Behind(Lsn{durable * 10}, CommitNumber{durable}).commits, 0U);
  }
  EXPECT_EQ(history.Behind(Lsn{10000}, CommitNumber{1000}).commits, 0U);
  history.Add(CommitNumber{1001}, Lsn{10010}, Epoch{1001}, absl::Seconds(5000), "");
  EXPECT_EQ(history.Behind(Lsn{10000}, CommitNumber{1001}).oldest, absl::Seconds(5000));
}

// However many are visible and not durable: bounds from above, and close ones. (A bound that only grew would make
// every kAsync commit of a busy database wait.)
TEST(CommitHistoryLagTest, BoundsHoldBeyondWhatItRemembers) {
  std::mt19937_64 random(TestSeed());
  for (const uint64_t lag : {3000U, 100000U}) {
    engine::CommitHistory history(CommitNumber{0});
    for (uint64_t n = 1; n <= 400000; ++n) {
      history.Add(CommitNumber{n}, Lsn{n * 10}, Epoch{n}, absl::Microseconds(n * 10), "");
      if (n < lag || random() % 1000 != 0) continue;
      const uint64_t durable = n - lag;
      const auto behind = history.Behind(Lsn{durable * 10}, CommitNumber{n});
      ASSERT_GE(behind.commits, lag);
      ASSERT_LE(behind.oldest, absl::Microseconds((durable + 1) * 10));
      const absl::Duration slack = absl::Milliseconds(lag > 10000 ? 4 : 2);
      ASSERT_GE(behind.oldest, absl::Microseconds(durable * 10) - slack) << n;
      ASSERT_LE(behind.commits, lag + static_cast<uint64_t>(slack / absl::Microseconds(10))) << n;
    }
  }
}

}  // namespace
}  // namespace keel::testing
