// Exclusive transactions: rollback, savepoints, own reads, limits.

#include <string>
#include <thread>
#include <vector>

#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

class TransactionTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }

  Transaction Begin(const TransactionOptions& options = {}) {
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    return *std::move(transaction);
  }
};

TEST_F(TransactionTest, CommitMakesEverythingVisibleAtOnce) {
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  KEEL_ASSERT_OK(transaction.Put("b", "2"));
  EXPECT_EQ(GetText(transaction, "a"), "1");
  EXPECT_EQ(GetText(*db_, "a"), "NotFound");
  EXPECT_EQ(*transaction.Count(), 2U);
  const absl::StatusOr<Lsn> lsn = transaction.Commit();
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "1"}, {"b", "2"}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Put("c", "3")));
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Commit().status()));
}

TEST_F(TransactionTest, RollbackLeavesNothing) {
  KEEL_ASSERT_OK(db_->Put("a", "0"));
  const uint64_t free_before = db_->Stats().pages.free_pages;
  for (int round = 0; round < 20; ++round) {
    Transaction transaction = Begin();
    for (int i = 0; i < 500; ++i) {
      KEEL_ASSERT_OK(transaction.Put(Numbered("k", i), std::string(200, 'v')));
    }
    KEEL_ASSERT_OK(transaction.Put("a", "1"));
    if (round % 2 == 0) transaction.Rollback();
  }
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "0"}}));
  EXPECT_LE(free_before, db_->Stats().pages.free_pages + 4000);
}

TEST_F(TransactionTest, NestedSavepoints) {
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  const Savepoint first = transaction.SetSavepoint();
  KEEL_ASSERT_OK(transaction.Put("a", "2"));
  KEEL_ASSERT_OK(transaction.Put("b", "2"));
  const Savepoint second = transaction.SetSavepoint();
  KEEL_ASSERT_OK(transaction.Delete("a"));
  KEEL_ASSERT_OK(transaction.DeleteRange(KeyRange::All()));
  EXPECT_EQ(*transaction.Count(), 0U);
  KEEL_ASSERT_OK(transaction.RollbackTo(second));
  EXPECT_EQ(ReadAll(transaction), (Contents{{"a", "2"}, {"b", "2"}}));
  KEEL_ASSERT_OK(transaction.RollbackTo(second));  // it stays
  KEEL_ASSERT_OK(transaction.Put("c", "3"));
  KEEL_ASSERT_OK(transaction.RollbackTo(first));
  EXPECT_EQ(ReadAll(transaction), (Contents{{"a", "1"}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.RollbackTo(second)));
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.RollbackTo(Savepoint{UINT64_MAX})));
  KEEL_ASSERT_OK(transaction.Put("d", "4"));
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "1"}, {"d", "4"}}));
}

// What broke: each transaction numbered its own from 1, and took another's for one of them.
TEST_F(TransactionTest, ASavepointOfAnotherTransactionIsRefused) {
  for (const Concurrency concurrency : {Concurrency::kExclusive, Concurrency::kOptimistic}) {
    absl::StatusOr<Transaction> one = db_->Begin({.concurrency = concurrency});
    KEEL_ASSERT_OK(one.status());
    const Savepoint of_one = one->SetSavepoint();
    one->Rollback();
    absl::StatusOr<Transaction> two = db_->Begin({.concurrency = concurrency});
    KEEL_ASSERT_OK(two.status());
    const Savepoint of_two = two->SetSavepoint();
    KEEL_ASSERT_OK(two->Put("k", "1"));
    EXPECT_TRUE(absl::IsFailedPrecondition(two->RollbackTo(of_one)));
    EXPECT_TRUE(absl::IsFailedPrecondition(two->RollbackTo(Savepoint{0})));
    EXPECT_EQ(GetText(*two, "k"), "1");
    KEEL_EXPECT_OK(two->RollbackTo(of_two));
    EXPECT_EQ(GetText(*two, "k"), "NotFound");
  }
}

TEST_F(TransactionTest, G6_SavepointsAreBounded) {
  options_.memory_bytes = uint64_t{4} << 20;
  Reopen();
  for (const Concurrency concurrency : {Concurrency::kExclusive, Concurrency::kOptimistic}) {
    absl::StatusOr<Transaction> transaction = db_->Begin({.concurrency = concurrency});
    KEEL_ASSERT_OK(transaction.status());
    KEEL_ASSERT_OK(transaction->Put("a", "1"));
    const Savepoint first = transaction->SetSavepoint();
    KEEL_ASSERT_OK(transaction->Put("a", "2"));
    Savepoint last = first;
    int more = 0;
    for (; last != Savepoint{0} && more < 1000000; ++more) last = transaction->SetSavepoint();
    EXPECT_LT(more, 1000000);
    EXPECT_GT(more, 200);
    const absl::Status refused = transaction->RollbackTo(last);
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    KEEL_EXPECT_OK(transaction->RollbackTo(first));  // gives their memory back
    EXPECT_EQ(GetText(*transaction, "a"), "1");
    KEEL_EXPECT_OK(transaction->Commit().status());
  }
}

TEST_F(TransactionTest, SeveralKeyspacesAtomically) {
  const Keyspace one = *db_->OpenKeyspace("one");
  const Keyspace two = *db_->OpenKeyspace("two");
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put(one, "k", "1"));
  KEEL_ASSERT_OK(transaction.Put(two, "k", "2"));
  EXPECT_EQ(*db_->Count(one), 0U);
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(GetText(*db_, "k", one), "1");
  EXPECT_EQ(GetText(*db_, "k", two), "2");
}

TEST_F(TransactionTest, CursorFollowsOwnChanges) {
  for (int i = 0; i < 10; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "v"));
  Transaction transaction = Begin();
  Cursor cursor = transaction.NewCursor();
  std::vector<std::string> seen;
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    seen.emplace_back(cursor.key());
    KEEL_ASSERT_OK(transaction.Delete(cursor.key()));
    if (cursor.key() == "k000003") KEEL_ASSERT_OK(transaction.Put("k000003x", "new"));
  }
  KEEL_ASSERT_OK(cursor.status());
  EXPECT_EQ(seen.size(), 11U);
  EXPECT_EQ(*transaction.Count(), 0U);
  transaction.Rollback();
  cursor.SeekToFirst();
  EXPECT_FALSE(cursor.Valid());
  EXPECT_TRUE(absl::IsFailedPrecondition(cursor.status()));
}

TEST_F(TransactionTest, ValuesMayPointIntoPinnedPages) {
  const std::string value(700, 'a');
  KEEL_ASSERT_OK(db_->Put("k", value));
  Transaction transaction = Begin();
  const absl::StatusOr<PinnedValue> pinned = transaction.Get("k");
  for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK(transaction.Put(Numbered("c", i), pinned->view()));
  KEEL_ASSERT_OK(transaction.Put("k", "b"));
  EXPECT_EQ(pinned->view(), value);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(GetText(transaction, Numbered("c", i)), value);
  ASSERT_TRUE(transaction.Commit().ok());
}

// The same where the page is the transaction's own, which it may change in place: not while it is pinned (R1).
TEST_F(TransactionTest, R1_ValuesMayPointIntoOwnPinnedPages) {
  const std::string value(700, 'a');
  Transaction transaction = Begin();
  for (int i = 0; i < 50; ++i) {
    KEEL_ASSERT_OK(transaction.Put("k", value));
    const absl::StatusOr<PinnedValue> pinned = transaction.Get("k");
    KEEL_ASSERT_OK(transaction.Put("a", std::string(static_cast<size_t>(i) * 10, 'x')));
    KEEL_ASSERT_OK(transaction.Put("k", "b"));
    KEEL_ASSERT_OK(transaction.Put(Numbered("c", i), pinned->view()));
    EXPECT_EQ(pinned->view(), value);
    EXPECT_EQ(GetText(transaction, Numbered("c", i)), value);
  }
  ASSERT_TRUE(transaction.Commit().ok());
}

// A cursor's key and value stay good until it moves, whatever the transaction does to their page; and may be what is
// put.
TEST_F(TransactionTest, R1_ACursorsValueStaysGoodUntilItMoves) {
  Transaction transaction = Begin();
  const std::string value(700, 'a');
  for (int i = 0; i < 20; ++i) KEEL_ASSERT_OK(transaction.Put(Numbered("k", i), value));
  Cursor cursor = transaction.NewCursor();
  int seen = 0;
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next(), ++seen) {
    const std::string_view key = cursor.key();
    const std::string_view held = cursor.value();
    KEEL_ASSERT_OK(transaction.Put(key, held.substr(0, 650)));
    KEEL_ASSERT_OK(transaction.Delete(key));
    KEEL_ASSERT_OK(transaction.Put(Numbered("a", seen), std::string(700, 'x')));
    EXPECT_EQ(key, Numbered("k", seen));
    EXPECT_EQ(held, value);
    KEEL_ASSERT_OK(transaction.Put(Numbered("c", seen), held));
  }
  KEEL_ASSERT_OK(cursor.status());
  EXPECT_EQ(seen, 20);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(GetText(transaction, Numbered("c", i)), value);
  ASSERT_TRUE(transaction.Commit().ok());
}

TEST_F(TransactionTest, OwnThreadsSecondWriteIsRefused) {
  Transaction transaction = Begin({.label = "mine"});
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("a", "1")));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Begin().status()));
  std::thread other([&] {
    TransactionOptions options;
    options.lock_timeout = absl::Milliseconds(10);
    const absl::Status status = db_->Begin(options).status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(status));
    EXPECT_THAT(std::string(MessageOf(status)), ::testing::HasSubstr("mine"));
  });
  other.join();
}

TEST_F(TransactionTest, TimeLimitEndsAnIdleTransactionForWhoeverWaits) {
  TransactionOptions options;
  options.time_limit = absl::Milliseconds(20);
  Transaction transaction = Begin(options);
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  std::thread other([&] { KEEL_EXPECT_OK(db_->Put("b", "2")); });
  other.join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(transaction.Put("a", "2")));
  EXPECT_EQ(ReadAll(*db_), (Contents{{"b", "2"}}));
}

TEST_F(TransactionTest, TransactCommitsOrRollsBack) {
  KEEL_ASSERT_OK(db_->Transact([](Transaction& t) { return t.Put("a", "1"); }));
  const absl::Status refused = db_->Transact([](Transaction& t) {
    KEEL_RETURN_IF_ERROR(t.Put("a", "2"));
    return absl::CancelledError("no");
  });
  EXPECT_EQ(refused.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(GetText(*db_, "a"), "1");
}

TEST_F(TransactionTest, StreamsWhatOutgrowsAFrame) {
  options_.checkpoint_log_bytes = uint64_t{16} << 20;
  Reopen();
  {
    Transaction transaction = Begin();
    for (int i = 0; i < 4000; ++i) {
      KEEL_ASSERT_OK(transaction.Put(Numbered("k", i), std::string(500, 'a')));
    }
    const Savepoint savepoint = transaction.SetSavepoint();
    for (int i = 0; i < 4000; ++i) {
      KEEL_ASSERT_OK(transaction.Put(Numbered("m", i), std::string(500, 'b')));
    }
    KEEL_ASSERT_OK(transaction.RollbackTo(savepoint));
    KEEL_ASSERT_OK(transaction.Put("end", "1"));
    ASSERT_TRUE(transaction.Commit().ok());
  }
  EXPECT_EQ(*db_->Count(), 4001U);
  {
    Transaction transaction = Begin();
    for (int i = 0; i < 4000; ++i) {
      KEEL_ASSERT_OK(transaction.Put(Numbered("n", i), std::string(500, 'a')));
    }
  }
  // A rolled-back stream does not stay in the log for ever.
  KEEL_ASSERT_OK(db_->Sync());
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_LT(db_->Stats().log.bytes_since_checkpoint, uint64_t{1} << 20);
  KEEL_ASSERT_OK(db_->Put("after", "1"));
  EXPECT_EQ(*db_->Count(), 4002U);
}

// Its own pages are frozen in time, so that they can be written out while it goes on (R2).
TEST_F(TransactionTest, G6_MayBeLargerThanTheMemory) {
  options_.memory_bytes = uint64_t{4} << 20;
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  Reopen();
  Transaction transaction = Begin();
  for (int i = 0; i < 20000; ++i) {
    // From both ends, so that the same few pages are not all that is ever touched.
    const int key = i % 2 == 0 ? i : 20000 - i;
    KEEL_ASSERT_OK(transaction.Put(Numbered("k", key), std::string(500, 'a')));
  }
  EXPECT_EQ(*transaction.Count(), 20000U);
  EXPECT_GT(db_->Stats().memory.pages_written, 1000U);
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(*db_->Count(), 20000U);
}

}  // namespace
}  // namespace keel::testing
