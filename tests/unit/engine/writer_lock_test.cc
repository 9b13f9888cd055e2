// The writer lock: in order, with a limit, with names, and never waiting for oneself.

#include "engine/writer_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "tests/support/manual_clock.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

using engine::WriterLock;
using ::testing::HasSubstr;

constexpr absl::Duration kForever = absl::InfiniteDuration();

class WriterLockTest : public ::testing::Test {
 protected:
  // On a thread of its own, which ends with the lock held.
  absl::Status AcquireElsewhere(absl::Duration timeout, std::string_view label) {
    absl::Status status;
    std::thread([&] { status = lock_.Acquire(timeout, label); }).join();
    return status;
  }

  ManualClock clock_;
  WriterLock lock_{&clock_};
};

TEST_F(WriterLockTest, TheErrorSaysWhoHoldsItForHowLongAndHowMuchWasWaited) {
  KEEL_ASSERT_OK(AcquireElsewhere(kForever, "nightly import"));
  clock_.Sleep(absl::Seconds(90));
  const absl::Status status = lock_.Acquire(absl::ZeroDuration(), "me");
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_THAT(
      std::string(MessageOf(status)),
      HasSubstr("waited 0 for the writer lock: it is held by \"nightly import\" for 1m30s"));
  lock_.Release();
  KEEL_ASSERT_OK(AcquireElsewhere(kForever, ""));
  EXPECT_THAT(std::string(MessageOf(lock_.Acquire(absl::ZeroDuration(), "me"))),
              HasSubstr("held by one without a label for 0"));
}

TEST_F(WriterLockTest, OnesOwnIsRefusedAndNamed) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "mine"));
  const absl::Status status = lock_.Acquire(kForever, "again");
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("\"mine\""));
  // Whoever uses the transaction is the owner.
  std::thread([&] {
    lock_.SetOwner();
    EXPECT_TRUE(absl::IsFailedPrecondition(lock_.Acquire(kForever, "again")));
  }).join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(lock_.Acquire(absl::ZeroDuration(), "again")));
}

// What broke: the owner was known by the system's id of its thread, which the next thread may get.
TEST_F(WriterLockTest, AThreadIsNotTakenForOneThatHasEnded) {
  KEEL_ASSERT_OK(AcquireElsewhere(kForever, "of a thread that ended"));
  for (int i = 0; i < 20; ++i) {
    const absl::Status status = AcquireElsewhere(absl::ZeroDuration(), "another");
    ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  }
}

TEST_F(WriterLockTest, WhoLooksForAWhileHasItIfItIsFree) {
  for (const WriterLock::Use held : {WriterLock::Use::kTransaction, WriterLock::Use::kCommits}) {
    KEEL_ASSERT_OK(lock_.Acquire(kForever, "holder", held));
    EXPECT_FALSE(lock_.TryAcquire("me", WriterLock::Use::kCommits));
    EXPECT_FALSE(lock_.TryAcquireSoon("me", WriterLock::Use::kCommits));
    lock_.Release();
    EXPECT_TRUE(lock_.TryAcquireSoon("me", WriterLock::Use::kCommits));
    EXPECT_TRUE(absl::IsDeadlineExceeded(AcquireElsewhere(absl::ZeroDuration(), "another")));
    lock_.Release();
  }
  lock_.Fail(absl::UnavailableError("stopped"));
  EXPECT_FALSE(lock_.TryAcquireSoon("me", WriterLock::Use::kCommits));
}

// Several threads that get in line one after the other, and tell the order in which they have it.
class WriterLineTest : public WriterLockTest {
 protected:
  void GetInLine(WriterLock::Use use, char name, absl::Duration hold = absl::ZeroDuration()) {
    threads_.emplace_back([this, use, name, hold] {
      KEEL_EXPECT_OK(lock_.Acquire(kForever, "waiter", use));
      order_ += name;
      clock_.Sleep(hold);
      lock_.Release();
    });
    // Until it waits: the error of one that does not says how many do.
    const std::string wanted = absl::StrFormat("and %d wait", threads_.size() + 1);
    std::string message;
    while (message.find(wanted) == std::string::npos) {
      std::thread([&] {
        message = std::string(MessageOf(lock_.Acquire(absl::ZeroDuration(), "prober")));
      }).join();
    }
  }
  std::string LetThemGo() {
    lock_.Release();
    for (std::thread& thread : threads_) thread.join();
    return order_;
  }

 private:
  std::vector<std::thread> threads_;
  std::string order_;  // of who has the lock
};

TEST_F(WriterLineTest, W1_FirstComeFirstServed) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "first"));
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) GetInLine(WriterLock::Use::kTransaction, name);
  EXPECT_EQ(LetThemGo(), "abcde");
}

TEST_F(WriterLineTest, W1_TransactionsAndCommitsTakeTurns) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "first", WriterLock::Use::kTransaction));
  for (const char name : {'a', 'b', 'c', 'd'}) GetInLine(WriterLock::Use::kTransaction, name);
  for (const char name : {'X', 'Y'}) GetInLine(WriterLock::Use::kCommits, name);
  EXPECT_EQ(LetThemGo(), "XaYbcd");
}

TEST_F(WriterLineTest, W1_EachKindHasItAsLongAsTheOther) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "first", WriterLock::Use::kTransaction));
  for (const char name : {'a', 'b', 'c', 'd'}) {
    GetInLine(WriterLock::Use::kTransaction, name, absl::Milliseconds(4));
  }
  GetInLine(WriterLock::Use::kCommits, 'X', absl::Milliseconds(10));
  GetInLine(WriterLock::Use::kCommits, 'Y', absl::Milliseconds(1));
  GetInLine(WriterLock::Use::kCommits, 'Z', absl::Milliseconds(1));
  // Commits are ahead by 10, 6, 2, -2, -1 and 0 ms.
  EXPECT_EQ(LetThemGo(), "XabcYZd");
}

TEST_F(WriterLineTest, W1_OneLongTurnIsNotFollowedByAnother) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "first", WriterLock::Use::kTransaction));
  for (const char name : {'a', 'b', 'c', 'd'}) {
    GetInLine(WriterLock::Use::kTransaction, name, absl::Milliseconds(20));
  }
  GetInLine(WriterLock::Use::kCommits, 'X', absl::Minutes(10));
  GetInLine(WriterLock::Use::kCommits, 'Y');
  EXPECT_EQ(LetThemGo(), "XabcYd");
}

TEST_F(WriterLineTest, W1_WhatOneHadWhileNobodyElseWaitedIsNotCounted) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "alone", WriterLock::Use::kCommits));
  clock_.Sleep(absl::Milliseconds(40));
  lock_.Release();
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "first", WriterLock::Use::kTransaction));
  for (const char name : {'a', 'b'}) GetInLine(WriterLock::Use::kTransaction, name);
  GetInLine(WriterLock::Use::kCommits, 'X');
  EXPECT_EQ(LetThemGo(), "Xab");
}

TEST_F(WriterLockTest, AHolderOverItsLimitIsEndedByWhoeverWantsIt) {
  for (const bool own : {true, false}) {
    std::atomic<int> calls = 0;
    if (own) {
      KEEL_ASSERT_OK(lock_.Acquire(kForever, "slow"));
    } else {
      KEEL_ASSERT_OK(AcquireElsewhere(kForever, "slow"));
    }
    lock_.SetLimit(absl::Seconds(1), [&] {
      if (++calls < 3) return false;  // a call of the transaction is running
      lock_.Release();
      return true;
    });
    clock_.Sleep(absl::Milliseconds(999));
    EXPECT_FALSE(lock_.Acquire(absl::ZeroDuration(), "early").ok());
    EXPECT_EQ(calls, 0);
    clock_.Sleep(absl::Milliseconds(1));
    if (own) {
      for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(absl::IsFailedPrecondition(lock_.Acquire(kForever, "busy")));
      }
    }
    KEEL_EXPECT_OK(lock_.Acquire(kForever, "next"));
    EXPECT_EQ(calls, 3);
    lock_.Release();
  }
}

TEST_F(WriterLockTest, FailWakesWhoWaitsAndRefusesTheRest) {
  KEEL_ASSERT_OK(lock_.Acquire(kForever, "holder"));
  std::thread waiter([&] { EXPECT_TRUE(absl::IsUnavailable(lock_.Acquire(kForever, "waiter"))); });
  lock_.Fail(absl::UnavailableError("stopped"));
  waiter.join();
  lock_.Release();
  EXPECT_TRUE(absl::IsUnavailable(lock_.Acquire(kForever, "late")));
}

// --- of a database ---

class OwnThreadTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }
};

// Every way to write, on the thread that uses the exclusive transaction, or that it was moved to.
TEST_F(OwnThreadTest, EveryWriteBesideItsTransactionIsRefused) {
  const Keyspace there = *db_->OpenKeyspace("there");
  absl::StatusOr<Transaction> begun = db_->Begin({.label = "mine"});
  KEEL_ASSERT_OK(begun.status());
  Transaction transaction = *std::move(begun);
  const auto expect_refused = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("\"mine\""));
  };
  const auto expect_all_refused = [&] {
    KEEL_ASSERT_OK(transaction.Put("a", "1"));
    expect_refused(db_->Put("b", "1"));
    expect_refused(db_->Delete("b"));
    expect_refused(db_->DeleteRange(KeyRange::All()));
    WriteBatch batch;
    batch.Put("b", "1");
    expect_refused(db_->Write(batch).status());
    expect_refused(db_->PutIf("b", std::nullopt, "1").status());
    expect_refused(db_->Update("b", [](auto) { return std::optional<std::string>("1"); }));
    expect_refused(db_->OpenKeyspace("new").status());
    KEEL_EXPECT_OK(db_->OpenKeyspace("there").status());  // nothing to write
    expect_refused(db_->DropKeyspace("there"));
    expect_refused(db_->Begin().status());
    expect_refused(db_->Transact([](Transaction&) { return absl::OkStatus(); }));
    absl::StatusOr<Transaction> optimistic = db_->Begin({.concurrency = Concurrency::kOptimistic});
    KEEL_ASSERT_OK(optimistic.status());
    KEEL_ASSERT_OK(optimistic->Put("b", "1"));
    expect_refused(optimistic->Commit().status());
    // What needs no writer goes on.
    KEEL_EXPECT_OK(db_->Sync());
    KEEL_EXPECT_OK(db_->Checkpoint());
    EXPECT_EQ(*db_->Count(there), 0U);
  };
  expect_all_refused();
  std::thread(expect_all_refused).join();
  // The thread that it left may wait for it like any other.
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(db_->Begin({.lock_timeout = absl::Milliseconds(1)}).status()));
  KEEL_ASSERT_OK(transaction.Commit().status());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "1"}}));
}

}  // namespace
}  // namespace keel::testing
