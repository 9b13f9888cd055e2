// Commits that wait for the writer together are applied and logged as one group, and each gets its own answer.

#include <absl/strings/str_format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

// Holds the writer while others line up behind it, in the order in which they were begun.
class Line {
 public:
  explicit Line(Database* database) : database_(*database), holder_(database->Begin()) {
    KEEL_EXPECT_OK(holder_.status());
  }
  ~Line() { Go(); }

  void Add(std::function<void()> commit) {
    // The first of the line leaves it only with the writer lock, which is held here.
    threads_.emplace_back(std::move(commit));
    while (database_.Stats().commits.waiting != threads_.size()) std::this_thread::yield();
  }
  // Lets the line go, and waits until all have been answered.
  void Go() {
    holder_->Rollback();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  Database& database_;
  absl::StatusOr<Transaction> holder_;
  std::vector<std::thread> threads_;
};

class GroupCommitTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }
};

TEST_F(GroupCommitTest, WhoWaitsTogetherIsCommittedTogether) {
  options_.background =
      Background::kManual;  // whose threads may flush what has been appended so far
  Reopen();
  const DatabaseStats before = db_->Stats();
  std::vector<absl::Status> answers(20, absl::UnknownError("none"));
  {
    Line line(db_.get());
    for (size_t i = 0; i < answers.size(); ++i) {
      line.Add([&, i] { answers[i] = db_->Put(Numbered("key", static_cast<int>(i)), "value"); });
    }
    line.Go();
  }
  for (const absl::Status& answer : answers) KEEL_EXPECT_OK(answer);
  const DatabaseStats after = db_->Stats();
  EXPECT_EQ(after.commits.grouped - before.commits.grouped, 20U);
  EXPECT_EQ(after.commits.groups - before.commits.groups, 1U);
  EXPECT_EQ(after.commits.number - before.commits.number, 20U);
  EXPECT_EQ(after.log.records - before.log.records, 20U);
  EXPECT_EQ(after.log.syncs - before.log.syncs, 1U);
  EXPECT_EQ(ReadAll(*db_).size(), 20U);
  Reopen();
  EXPECT_EQ(ReadAll(*db_).size(), 20U);
}

TEST_F(GroupCommitTest, G2_AMemberThatFailsHalfWayLeavesNoTraceAndTheOthersAreCommitted) {
  const absl::StatusOr<Keyspace> doomed = db_->OpenKeyspace("doomed");
  KEEL_ASSERT_OK(doomed.status());
  KEEL_ASSERT_OK(db_->DropKeyspace("doomed"));
  for (const int failing : {0, 2, 4}) {
    SCOPED_TRACE(failing);
    KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::All()));
    std::vector<absl::Status> answers(5, absl::UnknownError("none"));
    WriteBatch batch;
    batch.Put("half", "way");
    batch.Put(*doomed, "no", "where");
    {
      Line line(db_.get());
      for (int i = 0; i < 5; ++i) {
        line.Add([&, i] {
          answers[static_cast<size_t>(i)] =
              i == failing ? db_->Write(batch).status() : db_->Put(Numbered("key", i), "value");
        });
      }
      line.Go();
    }
    for (int i = 0; i < 5; ++i) {
      const absl::Status& answer = answers[static_cast<size_t>(i)];
      EXPECT_EQ(answer.ok(), i != failing) << answer;
      EXPECT_EQ(GetText(*db_, Numbered("key", i)), i == failing ? "NotFound" : "value");
    }
    EXPECT_TRUE(absl::IsNotFound(answers[static_cast<size_t>(failing)]));
    EXPECT_EQ(GetText(*db_, "half"), "NotFound");
  }
}

TEST_F(GroupCommitTest, SeveralFailuresStillLeaveTheOthers) {
  const absl::StatusOr<Keyspace> doomed = db_->OpenKeyspace("doomed");
  KEEL_ASSERT_OK(doomed.status());
  KEEL_ASSERT_OK(db_->DropKeyspace("doomed"));
  WriteBatch batch;
  batch.Put("half", "way");
  batch.Put(*doomed, "no", "where");
  std::vector<absl::Status> answers(12, absl::UnknownError("none"));
  {
    Line line(db_.get());
    for (int i = 0; i < 12; ++i) {
      line.Add([&, i] {
        answers[static_cast<size_t>(i)] =
            i % 3 == 0 ? db_->Write(batch).status() : db_->Put(Numbered("key", i), "value");
      });
    }
    line.Go();
  }
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(answers[static_cast<size_t>(i)].ok(), i % 3 != 0);
    EXPECT_EQ(GetText(*db_, Numbered("key", i)), i % 3 == 0 ? "NotFound" : "value");
  }
  EXPECT_EQ(GetText(*db_, "half"), "NotFound");
}

TEST_F(GroupCommitTest, EachSeesThoseBeforeIt) {
  std::vector<absl::Status> answers(10, absl::UnknownError("none"));
  {
    Line line(db_.get());
    for (size_t i = 0; i < answers.size(); ++i) {
      line.Add(
          [&, i] { answers[i] = db_->PutIf("key", std::nullopt, std::to_string(i)).status(); });
    }
    line.Go();
  }
  KEEL_EXPECT_OK(answers[0]);
  for (size_t i = 1; i < answers.size(); ++i) EXPECT_TRUE(absl::IsAborted(answers[i]));
  EXPECT_EQ(GetText(*db_, "key"), "0");
}

// What one of a group was refused for must be there: not the change of another one that was itself taken back.
TEST_F(GroupCommitTest, G1a_NobodyIsRefusedForWhatWasTakenBack) {
  const absl::StatusOr<Keyspace> doomed = db_->OpenKeyspace("doomed");
  KEEL_ASSERT_OK(doomed.status());
  KEEL_ASSERT_OK(db_->DropKeyspace("doomed"));
  WriteBatch batch;
  batch.Put("key", "half way");
  batch.Put(*doomed, "no", "where");
  absl::Status half = absl::UnknownError("none");
  absl::Status put = absl::UnknownError("none");
  {
    Line line(db_.get());
    line.Add([&] { half = db_->Write(batch).status(); });
    line.Add([&] { put = db_->PutIf("key", std::nullopt, "mine").status(); });
    line.Go();
  }
  EXPECT_TRUE(absl::IsNotFound(half)) << half;
  KEEL_EXPECT_OK(put);
  EXPECT_EQ(GetText(*db_, "key"), "mine");
}

TEST_F(GroupCommitTest, G9_OptimisticTransactionsOfOneGroupConflict) {
  KEEL_ASSERT_OK(db_->Put("n", "0"));
  constexpr int kThreads = 6;
  std::vector<Transaction> transactions;
  for (int i = 0; i < kThreads; ++i) {
    absl::StatusOr<Transaction> begun = db_->Begin({.concurrency = Concurrency::kOptimistic});
    KEEL_ASSERT_OK(begun.status());
    transactions.push_back(*std::move(begun));
    EXPECT_EQ(GetText(transactions.back(), "n"), "0");
    KEEL_ASSERT_OK(transactions.back().Put("n", std::to_string(i + 1)));
  }
  std::vector<absl::Status> answers(kThreads, absl::UnknownError("none"));
  {
    Line line(db_.get());
    for (size_t i = 0; i < transactions.size(); ++i) {
      line.Add([&, i] { answers[i] = transactions[i].Commit().status(); });
    }
    line.Go();
  }
  KEEL_EXPECT_OK(answers[0]);
  for (size_t i = 1; i < answers.size(); ++i)
    EXPECT_TRUE(absl::IsAborted(answers[i])) << answers[i];
  EXPECT_EQ(GetText(*db_, "n"), "1");
}

// Returns once so many threads wait for the writer lock; the calling one holds it.
void AwaitWaiters(Database* database, int count) {
  const std::string told = absl::StrFormat("and %d wait for it", count + 1);  // who asks waits too
  std::string message;
  while (message.find(told) == std::string::npos) {
    std::thread([&] {
      message =
          std::string(database->Begin({.lock_timeout = absl::ZeroDuration()}).status().message());
    }).join();
  }
}

// However many transactions wait, all commits that wait go between the first two of them.
TEST_F(GroupCommitTest, W1_CommitsNeedNotWaitForEveryTransaction) {
  absl::StatusOr<Transaction> holder = db_->Begin();
  KEEL_ASSERT_OK(holder.status());
  std::vector<std::string> seen(3);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < seen.size(); ++i) {
    threads.emplace_back([&, i] {
      absl::StatusOr<Transaction> begun = db_->Begin();
      KEEL_ASSERT_OK(begun.status());
      seen[i] = GetText(*begun, "a") + GetText(*begun, "b") + GetText(*begun, "c");
    });
    AwaitWaiters(db_.get(), static_cast<int>(i) + 1);
  }
  for (const char* key : {"a", "b", "c"}) {
    threads.emplace_back([&, key] { KEEL_EXPECT_OK(db_->Put(key, key)); });
    while (db_->Stats().commits.waiting + seen.size() != threads.size()) std::this_thread::yield();
  }
  AwaitWaiters(db_.get(), 4);
  holder->Rollback();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(seen, ::testing::Each("abc"));
}

TEST_F(GroupCommitTest, OneWhoseTimeIsOverWhileItWaitsIsNotCommitted) {
  absl::StatusOr<Transaction> begun =
      db_->Begin({.concurrency = Concurrency::kOptimistic, .lock_timeout = absl::Milliseconds(1)});
  KEEL_ASSERT_OK(begun.status());
  KEEL_ASSERT_OK(begun->Put("late", "value"));
  absl::Status first = absl::UnknownError("none");
  absl::Status late = absl::UnknownError("none");
  {
    Line line(db_.get());
    line.Add([&] { first = db_->Put("first", "value"); });
    std::thread([&] { late = begun->Commit().status(); }).join();  // the second in line
    line.Go();
  }
  KEEL_EXPECT_OK(first);
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(std::string(late.message()), HasSubstr("held by"));
  EXPECT_EQ(GetText(*db_, "late"), "NotFound");
}

TEST_F(GroupCommitTest, AThreadThatHoldsTheWriterIsRefused) {
  absl::StatusOr<Transaction> begun = db_->Begin();
  KEEL_ASSERT_OK(begun.status());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("key", "value")));
  KEEL_EXPECT_OK(begun->Commit().status());
}

TEST_F(GroupCommitTest, CloseAnswersEveryoneInLine) {
  std::vector<absl::Status> answers(5, absl::UnknownError("none"));
  absl::StatusOr<Transaction> holder = db_->Begin();
  KEEL_ASSERT_OK(holder.status());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] { answers[i] = db_->Put("key", "value"); });
    while (db_->Stats().commits.waiting != i + 1) std::this_thread::yield();
  }
  KEEL_EXPECT_OK(db_->Close());
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& answer : answers) {
    EXPECT_TRUE(answer.ok() || absl::IsFailedPrecondition(answer)) << answer;
  }
  skip_check_ = true;
}

class GroupCommitFailureTest : public FailingDiskTest {};

TEST_F(GroupCommitFailureTest, G4_AFailedFlushIsUnknownToTheWholeGroup) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Fail(Syncs(io::SyncPurpose::kLogFlush), kForever);
  std::vector<absl::Status> answers(4, absl::UnknownError("none"));
  {
    Line line(db_.get());
    for (size_t i = 0; i < answers.size(); ++i) {
      line.Add([&, i] { answers[i] = db_->Put(Numbered("key", static_cast<int>(i)), "value"); });
    }
    line.Go();
  }
  for (const absl::Status& answer : answers) EXPECT_TRUE(absl::IsUnknown(answer)) << answer;
  ExpectStopped();
}

// Threads that write until a sync of the log fails, while another one flushes, so that a flush may begin amid a group.
class FailedFlushAmidGroups : public ::testing::Test {
 protected:
  struct Answer {
    std::string key;
    Durability durability;
    absl::Status status;
    bool seen = false;  // behind the answer
  };

  void Write(int thread) {
    for (int i = 0;; ++i) {
      const Durability durability = thread % 2 == 0 ? Durability::kSync : Durability::kNone;
      const std::string key = Numbered(Numbered("key", thread), i);
      const absl::Status status = db_->Put(key, "value", {durability});
      const bool seen = db_->Get(key).ok();
      std::lock_guard lock(mutex_);
      answers_.push_back({key, durability, status, seen});
      if (!status.ok()) return;
    }
  }
  void RunThreads() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) threads.emplace_back([this, i] { Write(i); });
    threads.emplace_back([this] {
      while (db_->Sync().ok()) {
      }
    });
    for (std::thread& thread : threads) thread.join();
  }

  void PlayRound(std::mt19937_64& random) {
    MemoryFileSystem disk;
    Options options;
    options.file_system = &disk;
    options.background = Background::kManual;
    options.memory_bytes = uint64_t{4} << 20;
    auto opened = Database::Open("/db", options);
    KEEL_ASSERT_OK(opened.status());
    db_ = *std::move(opened);
    answers_.clear();
    disk.set_fault([left = random() % 30](const Call& call) mutable {
      const bool flush =
          call.kind == Call::Kind::kSync && call.purpose == io::SyncPurpose::kLogFlush;
      if (!flush || left-- > 0) return absl::OkStatus();
      left = 0;
      return absl::UnavailableError("injected failure");
    });
    RunThreads();
    for (const Answer& answer : answers_) {
      if (!absl::IsUnknown(answer.status)) continue;
      EXPECT_EQ(db_->Get(answer.key).ok(), answer.seen) << answer.key << " has been shown since";
    }
    const auto after = disk.AfterCrash(random, wal::CrashChoice::kEverything);
    db_.reset();
    options.file_system = after.get();
    ExpectAsAnswered(options);
  }
  void ExpectAsAnswered(const Options& options) {
    const auto recovered = Database::Open("/db", options);
    KEEL_ASSERT_OK(recovered.status());
    for (const auto& [key, durability, status, seen] : answers_) {
      const bool there = (*recovered)->Get(key).ok();
      if (status.ok() && durability == Durability::kSync) {
        EXPECT_TRUE(there) << key;
      } else if (absl::IsUnavailable(status)) {
        EXPECT_FALSE(there) << key << ": " << status;
      }
    }
  }

  std::unique_ptr<Database> db_;
  std::mutex mutex_;
  std::vector<Answer> answers_;
};

TEST_F(FailedFlushAmidGroups, G4_WhatWasCertainlyNotDoneIsNotOnTheDisk) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 200 && !HasFailure(); ++round) PlayRound(random);
}

}  // namespace
}  // namespace keel::testing
