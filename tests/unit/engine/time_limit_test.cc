// Transactions that live too long: rolled back from outside, whoever they belong to and whatever they do.

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/engine/sim_world.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

class TimeLimitTest : public SimWorldTest {
 protected:
  Transaction Begin(Concurrency concurrency, Isolation isolation = Isolation::kSerializable) {
    TransactionOptions options;
    options.concurrency = concurrency;
    options.isolation = isolation;
    options.time_limit = absl::Seconds(10);
    options.label = "slow one";
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    return *std::move(transaction);
  }

  static void ExpectTimedOut(const absl::Status& status) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    EXPECT_THAT(std::string(MessageOf(status)),
                HasSubstr("\"slow one\" outlived its time limit of 10s"));
  }
};

TEST_F(TimeLimitTest, AnIdleExclusiveOneIsRolledBackInTheBackground) {
  Open();
  Transaction transaction = Begin(Concurrency::kExclusive);
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  Cursor cursor = transaction.NewCursor();
  cursor.SeekToFirst();
  Wait(absl::Seconds(9));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(db_->Stats().transaction_totals.exclusive, 1U);
  Wait(absl::Seconds(1));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  const DatabaseStats stats = db_->Stats();
  EXPECT_EQ(stats.transaction_totals.exclusive, 0U);
  EXPECT_EQ(stats.transaction_totals.timed_out, 1U);
  EXPECT_TRUE(stats.transactions.empty());
  KEEL_EXPECT_OK(db_->Put("b", "2"));
  ExpectTimedOut(transaction.Put("a", "2"));
  ExpectTimedOut(transaction.Get("a").status());
  ExpectTimedOut(transaction.Commit().status());
  cursor.Next();
  ExpectTimedOut(cursor.status());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"b", "2"}}));
}

TEST_F(TimeLimitTest, WhoeverWantsTheWriterLockEndsIt) {
  Open();
  for (const bool own_thread : {true, false}) {
    Transaction transaction = Begin(Concurrency::kExclusive);
    KEEL_ASSERT_OK(transaction.Put("a", "1"));
    Wait(absl::Seconds(10));
    const auto put = [&] { KEEL_EXPECT_OK(db_->Put("b", "2")); };
    own_thread ? put() : std::thread(put).join();
    ExpectTimedOut(transaction.Put("a", "2"));
    EXPECT_EQ(ReadAll(*db_), (Contents{{"b", "2"}}));
  }
}

TEST_F(TimeLimitTest, AnIdleOptimisticOneLetsGoOfItsSnapshotThoughCursorsHaveIt) {
  Open();
  for (const Isolation isolation :
       {Isolation::kSerializable, Isolation::kSnapshot, Isolation::kReadCommitted}) {
    Fill('a', 200);
    Transaction transaction = Begin(Concurrency::kOptimistic, isolation);
    KEEL_ASSERT_OK(transaction.Put("a", "1"));
    KEEL_ASSERT_OK(db_->Put("large", std::string(50000, 'l')));
    std::vector<Cursor> cursors;
    for (int i = 0; i < 3; ++i) {
      cursors.push_back(transaction.NewCursor({}, KeyRange("k", "m")));
      cursors.back().SeekToFirst();
      EXPECT_EQ(cursors.back().key(), "k000000");
      Fill(static_cast<char>('b' + i), 200);  // another version for the next one at kReadCommitted
    }
    EXPECT_GT(db_->Stats().snapshots.at(0).bytes_held, 0U);
    Wait(absl::Seconds(11));
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    EXPECT_EQ(db_->Stats().snapshot_totals.open, 0U);
    EXPECT_EQ(db_->Stats().transaction_totals.optimistic, 0U);
    ExpectTimedOut(transaction.Get("a").status());
    ExpectTimedOut(transaction.Commit().status());
    for (Cursor& cursor : cursors) {
      ASSERT_TRUE(cursor.Valid());
      EXPECT_EQ(cursor.value().size(), kValueBytes);  // what it stands on stays good
      cursor.Next();
      EXPECT_FALSE(cursor.Valid());
      ExpectTimedOut(cursor.status());
    }
    EXPECT_EQ(GetText(*db_, "a"), "NotFound");
  }
}

// What is running is not disturbed: nobody waits for it, and its next call finds out.
TEST_F(TimeLimitTest, ACallThatIsRunningEndsAsIfNothingHadHappened) {
  Open();
  Fill('a');
  for (const Concurrency concurrency : {Concurrency::kExclusive, Concurrency::kOptimistic}) {
    Transaction transaction = Begin(concurrency);
    KEEL_ASSERT_OK(transaction.Put("a", "1"));
    DuringTheNextRead([&] {
      Wait(absl::Seconds(11));
      KEEL_EXPECT_OK(db_->RunBackgroundWork());
      EXPECT_EQ(db_->Stats().transactions.size(), 1U);
      EXPECT_EQ(db_->Stats().transactions.at(0).label, "slow one");
      if (concurrency == Concurrency::kOptimistic) return;
      // It is tried to end it, but not waited for longer than asked.
      TransactionOptions impatient;
      impatient.lock_timeout = absl::ZeroDuration();
      EXPECT_TRUE(absl::IsDeadlineExceeded(db_->Begin(impatient).status()));
    });
    for (int i = 0; i < kKeys && !DidRead(); i += 100) {
      const absl::StatusOr<PinnedValue> value = transaction.Get(Numbered("k", i));
      ASSERT_TRUE(value.ok()) << value.status();
      EXPECT_EQ(value->view(), Value('a'));
    }
    ASSERT_TRUE(DidRead());
    ExpectTimedOut(transaction.Get("k000000").status());
    EXPECT_EQ(db_->Stats().transactions.size(), 0U);
  }
}

TEST_F(TimeLimitTest, WithinTheLimitNothingHappens) {
  Open();
  Transaction transaction = Begin(Concurrency::kExclusive);
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  Wait(absl::Seconds(9));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  KEEL_ASSERT_OK(transaction.Commit().status());
  Wait(absl::Seconds(9));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Put("a", "2")));
  EXPECT_EQ(db_->Stats().transaction_totals.timed_out, 0U);
  EXPECT_EQ(GetText(*db_, "a"), "1");
}

using TimeLimitThreadsTest = EngineTest;

// Nobody waits for the writer lock, and nobody calls.
TEST_F(TimeLimitThreadsTest, AThreadOfTheDatabaseEndsThem) {
  Open();
  std::vector<Transaction> transactions;
  for (const Concurrency concurrency : {Concurrency::kExclusive, Concurrency::kOptimistic}) {
    TransactionOptions options;
    options.concurrency = concurrency;
    options.time_limit = absl::Milliseconds(20);
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    KEEL_ASSERT_OK(transaction.status());
    transactions.push_back(*std::move(transaction));
  }
  while (db_->Stats().transaction_totals.timed_out < 2) std::this_thread::yield();
  for (Transaction& transaction : transactions) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(transaction.Put("a", "1")));
  }
}

// A limit that ends transactions in the middle of what many threads do: no call fails otherwise, no change is left
// behind by one that did not commit.
TEST_F(TimeLimitThreadsTest, LimitsAmongManyThreads) {
  Open();
  std::atomic<uint64_t> committed = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int n = 0; n < 100; ++n) {
        TransactionOptions options;
        options.concurrency =
            (n + thread) % 2 == 0 ? Concurrency::kExclusive : Concurrency::kOptimistic;
        options.time_limit = absl::Milliseconds(1 + n % 3);
        absl::StatusOr<Transaction> transaction = db_->Begin(options);
        ASSERT_TRUE(transaction.ok()) << transaction.status();
        absl::Status status;
        for (int i = 0; i < 5 && status.ok(); ++i) {
          status = transaction->Put(absl::StrFormat("t%dn%03di%d", thread, n, i), "v");
          if (n % 3 == 0) std::this_thread::yield();
        }
        if (status.ok()) status = transaction->Commit({Durability::kNone}).status();
        if (status.ok()) committed += 5;
        ASSERT_TRUE(status.ok() || absl::IsDeadlineExceeded(status)) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*db_->Count(), committed);
  EXPECT_EQ(db_->Stats().transaction_totals.exclusive, 0U);
  EXPECT_EQ(db_->Stats().transaction_totals.optimistic, 0U);
}

}  // namespace
}  // namespace keel::testing
