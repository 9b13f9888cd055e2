// What Aborted tells about the commit that won: exactly which where one can be told, else bounds that hold.

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <map>
#include <random>
#include <string>

#include "engine/commit_history.h"
#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

class WinnerTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }

  Transaction Begin(Isolation isolation = Isolation::kSerializable) {
    TransactionOptions options;
    options.concurrency = Concurrency::kOptimistic;
    options.isolation = isolation;
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    return *std::move(transaction);
  }

  // Commits a put under a label; where the commit ends.
  Lsn PutAs(std::string_view label, Keyspace keyspace, std::string_view key,
            std::string_view value) {
    TransactionOptions options;
    options.label = label;
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    KEEL_EXPECT_OK(transaction->Put(keyspace, key, value));
    const absl::StatusOr<Lsn> lsn = transaction->Commit();
    EXPECT_TRUE(lsn.ok()) << lsn.status();
    return lsn.value_or(Lsn());
  }

  uint64_t NewestCommit() { return db_->Stats().commits.number; }

  std::string Lost(Transaction& transaction) {
    const absl::Status status = transaction.Commit().status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    return std::string(MessageOf(status));
  }
};

TEST_F(WinnerTest, TheOnlyCommitSinceIsNamedExactly) {
  for (const Isolation isolation : {Isolation::kSerializable, Isolation::kSnapshot}) {
    Transaction loser = Begin(isolation);
    GetText(loser, "key");
    KEEL_ASSERT_OK(loser.Put("key", "mine"));
    const Lsn lsn = PutAs("nightly import", {}, "key", absl::StrCat(static_cast<int>(isolation)));
    EXPECT_THAT(Lost(loser),
                HasSubstr(absl::StrCat("by commit ", NewestCommit(),
                                       " (\"nightly import\", ends at LSN ", lsn.value, ")")));
  }
}

TEST_F(WinnerTest, LaterCommitsToOtherPagesDoNotBlurIt) {
  const Keyspace other = *db_->OpenKeyspace("other");
  KEEL_ASSERT_OK(db_->Put("key", "old"));
  Transaction changed = Begin();
  Transaction deleted = Begin();
  EXPECT_EQ(GetText(changed, "key"), "old");
  EXPECT_EQ(*deleted.Count(), 1U);
  KEEL_ASSERT_OK(changed.Put("x", "1"));
  KEEL_ASSERT_OK(deleted.Put("x", "1"));
  PutAs("the winner", {}, "key2", "new");
  const uint64_t winner = NewestCommit();
  PutAs("the winner", {}, "key", "new");
  for (int i = 0; i < 10; ++i) PutAs("another", other, "key", absl::StrCat(i));
  EXPECT_THAT(Lost(changed), HasSubstr(absl::StrFormat(
                                 "by one of the commits %d to %d (the last of them: \"the winner\"",
                                 winner, winner + 1)));
  EXPECT_THAT(Lost(deleted), HasSubstr(absl::StrFormat("one of the commits %d to %d (the last",
                                                       winner, winner + 1)));
}

TEST_F(WinnerTest, AKeyspaceThatIsGoneIsTheWorkOfOneOfTheCommits) {
  const Keyspace gone = *db_->OpenKeyspace("gone");
  Transaction loser = Begin();
  EXPECT_EQ(GetText(loser, "key", gone), "NotFound");
  KEEL_ASSERT_OK(loser.Put("x", "1"));
  KEEL_ASSERT_OK(db_->DropKeyspace("gone"));
  EXPECT_THAT(Lost(loser),
              HasSubstr(absl::StrFormat(
                  "was dropped meanwhile by commit %d (\"dropping a keyspace\"", NewestCommit())));
}

TEST_F(WinnerTest, BeyondWhatIsRememberedTheBoundsStillHold) {
  Transaction loser = Begin(Isolation::kSnapshot);
  KEEL_ASSERT_OK(loser.Put("key", "mine"));
  const uint64_t before = NewestCommit();
  for (size_t i = 0; i < engine::CommitHistory::kCommitsMax + 50; ++i) {
    KEEL_ASSERT_OK(db_->Put(i == 0 ? "key" : "other", absl::StrCat(i), {Durability::kNone}));
  }
  EXPECT_THAT(Lost(loser), HasSubstr(absl::StrFormat("one of the commits %d to %d", before + 1,
                                                     NewestCommit())));
}

// Whatever is told, the key was written by a commit of the range, and by no later one.
TEST_F(WinnerTest, TheRangeHoldsWhateverIsWritten) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937_64 random(seed);
  const std::vector<Keyspace> keyspaces = {
      {}, *db_->OpenKeyspace("one"), *db_->OpenKeyspace("two")};
  int exact = 0;
  for (int round = 0; round < 100; ++round) {
    const std::string key = Numbered("k", static_cast<int>(random() % 300));
    const Keyspace keyspace = keyspaces[random() % keyspaces.size()];
    Transaction loser = Begin();
    GetText(loser, key, keyspace);
    KEEL_ASSERT_OK(loser.Put("mine", "x"));
    uint64_t first = 0;
    uint64_t last = 0;
    const int commits = 1 + static_cast<int>(random() % 8);
    for (int i = 0; i < commits || last == 0; ++i) {
      const bool hit = random() % 4 == 0;
      const std::string written = hit ? key : Numbered("k", static_cast<int>(random() % 300));
      const Keyspace where = hit ? keyspace : keyspaces[random() % keyspaces.size()];
      const bool deletes = random() % 4 == 0;
      const bool changes = !deletes || GetText(*db_, written, where) != "NotFound";
      if (deletes) {
        KEEL_ASSERT_OK(db_->Delete(where, written, {Durability::kNone}));
      } else {
        KEEL_ASSERT_OK(db_->Put(where, written, absl::StrCat(round, ":", i, std::string(100, 'v')),
                                {Durability::kNone}));
      }
      if (changes && written == key && where == keyspace) {
        last = NewestCommit();
        if (first == 0) first = last;
      }
    }
    const absl::Status status = loser.Commit().status();
    if (status.ok()) continue;  // what was absent was deleted
    const std::string message(MessageOf(status));
    uint64_t from = 0;
    uint64_t to = 0;
    const size_t one = message.find("by commit ");
    const size_t several = message.find("by one of the commits ");
    if (one != std::string::npos) {
      ASSERT_EQ(std::sscanf(message.c_str() + one, "by commit %lu", &from), 1) << message;
      to = from;
      ++exact;
    } else {
      ASSERT_NE(several, std::string::npos) << message;
      ASSERT_EQ(
          std::sscanf(message.c_str() + several, "by one of the commits %lu to %lu", &from, &to), 2)
          << message;
    }
    EXPECT_LE(from, first) << message;
    EXPECT_GE(to, last) << message;
  }
  EXPECT_GT(exact, 0);
}

TEST(CommitHistoryTest, WhatIsForgottenIsNotGuessed) {
  engine::CommitHistory history(CommitNumber{10});
  const auto add = [&](uint64_t number) {
    history.Add(CommitNumber{number}, Lsn{number * 100}, Epoch{number * 2}, absl::Seconds(number),
                absl::StrCat("label", number));
  };
  const auto describe = [&](uint64_t born, uint64_t before, uint64_t after) {
    return history.DescribeMaker(Epoch{born}, CommitNumber{before}, CommitNumber{after});
  };
  for (uint64_t number = 11; number <= 14; ++number) add(number);
  // Born at or before the version of commit 11: perhaps long before.
  EXPECT_EQ(describe(22, 10, 14),
            "one of the commits 11 to 14 (the last of them: \"label14\", ends at LSN 1400)");
  EXPECT_EQ(describe(24, 11, 14), "commit 12 (\"label12\", ends at LSN 1200)");
  EXPECT_EQ(describe(25, 10, 14),
            "one of the commits 11 to 13 (the last of them: \"label13\", ends at LSN 1300)");
  EXPECT_EQ(describe(99, 13, 14), "commit 14 (\"label14\", ends at LSN 1400)");
  EXPECT_EQ(describe(99, 14, 15), "commit 15");
  add(14);  // a version without a commit of its own
  EXPECT_EQ(describe(28, 13, 14), "commit 14 (\"label14\", ends at LSN 1400)");
  add(20);  // many at once: what lies between is not known
  EXPECT_EQ(describe(28, 12, 20),
            "one of the commits 13 to 20 (the last of them: \"label20\", ends at LSN 2000)");
}

}  // namespace
}  // namespace keel::testing
