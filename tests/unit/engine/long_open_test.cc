// A transaction that is left open for long: others go on, file and memory stay bounded, and Stats names it.

#include <optional>
#include <string>
#include <thread>

#include "tests/unit/engine/sim_world.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

class LongOpenTest : public SimWorldTest {
 protected:
  absl::StatusOr<Transaction> Begin(Concurrency concurrency, std::string_view label) {
    TransactionOptions options;
    options.concurrency = concurrency;
    options.label = label;
    return db_->Begin(options);
  }
  uint64_t FilePages() { return db_->Stats().pages.file_pages; }

  static constexpr int kFew = 500;
};

TEST_F(LongOpenTest, G7_AnOptimisticOneRetainsOnlyWhatItSees) {
  Open();
  Fill('a', kFew);
  const uint64_t live = FilePages() - db_->Stats().pages.free_pages;
  absl::StatusOr<Transaction> forgotten = Begin(Concurrency::kOptimistic, "forgotten form");
  KEEL_ASSERT_OK(forgotten.status());
  EXPECT_EQ(GetText(*forgotten, "k000003"), Value('a'));
  KEEL_ASSERT_OK(forgotten->Put("mine", "1"));
  for (int i = 0; i < 5; ++i) Fill(static_cast<char>('b' + i), kFew);
  const uint64_t file_pages = FilePages();
  const DatabaseStats::Memory memory = db_->Stats().memory;
  for (int hour = 0; hour < 24; ++hour) {
    Wait(absl::Hours(1));
    Fill(static_cast<char>('b' + hour), kFew);
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    // Others come and go beside it.
    absl::StatusOr<Transaction> other = Begin(Concurrency::kOptimistic, "other");
    KEEL_ASSERT_OK(other.status());
    KEEL_ASSERT_OK(other->Put("other", absl::StrFormat("%d", hour)));
    KEEL_ASSERT_OK(other->Commit().status());
    EXPECT_EQ(*db_->Count(KeyRange::Prefix("k")), uint64_t{kFew});
    ASSERT_LE(db_->Stats().snapshots.at(0).pages_held, live);
  }
  EXPECT_LE(FilePages(), file_pages + 64) << "the file grows with the time that it is open";
  EXPECT_EQ(db_->Stats().memory.frames, memory.frames);
  EXPECT_LE(db_->Stats().memory.table_bytes, memory.table_bytes + memory.table_bytes / 4 + 65536);

  const DatabaseStats stats = db_->Stats();
  ASSERT_EQ(stats.transactions.size(), 1U);
  const DatabaseStats::TransactionInfo& culprit = stats.transactions[0];
  EXPECT_EQ(culprit.label, "forgotten form");
  EXPECT_EQ(culprit.concurrency, Concurrency::kOptimistic);
  EXPECT_EQ(culprit.changes, 1U);
  EXPECT_GE(culprit.age, absl::Hours(24));
  EXPECT_GT(culprit.bytes_held, uint64_t{kFew} * kValueBytes);
  EXPECT_GT(culprit.memory_bytes, 0U);
  EXPECT_EQ(stats.snapshots.at(0).kind, SnapshotKind::kTransaction);
  EXPECT_EQ(stats.snapshots.at(0).label, "forgotten form");
  EXPECT_EQ(stats.snapshots.at(0).bytes_held, culprit.bytes_held);
  // And so does the warning that comes of it.
  ASSERT_EQ(stats.health.issues.size(), 1U);
  EXPECT_EQ(stats.health.issues[0].kind, HealthIssue::Kind::kOldSnapshot);
  EXPECT_THAT(stats.health.issues[0].message, HasSubstr("forgotten form"));

  // It still sees what it saw, and loses when it comes back.
  EXPECT_EQ(GetText(*forgotten, "k000004"), Value('a'));
  EXPECT_TRUE(absl::IsAborted(forgotten->Commit().status()));
  EXPECT_EQ(db_->Stats().snapshot_totals.open, 0U);
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_LT(db_->Stats().pages.dead_pages_held, live / 4);
}

TEST_F(LongOpenTest, AnExclusiveOneHoldsUpWritersAloneAndIsNamed) {
  Open();
  Fill('a', kFew);
  absl::StatusOr<Transaction> forgotten = Begin(Concurrency::kExclusive, "forgotten import");
  KEEL_ASSERT_OK(forgotten.status());
  for (int i = 0; i < 100; ++i) {
    KEEL_ASSERT_OK(forgotten->Put(Numbered("k", i), Value('x')));
  }
  const uint64_t file_pages = FilePages();
  for (int hour = 0; hour < 24; ++hour) {
    Wait(absl::Hours(1));
    std::thread([&] {  // as any other thread
      EXPECT_EQ(GetText(*db_, "k000003"), Value('a'));
      EXPECT_EQ(*db_->GetSnapshot().Count(), uint64_t{kFew});
      KEEL_EXPECT_OK(db_->Checkpoint());
      KEEL_EXPECT_OK(db_->RunBackgroundWork());
      TransactionOptions options;
      options.concurrency = Concurrency::kOptimistic;
      options.lock_timeout = absl::ZeroDuration();
      absl::StatusOr<Transaction> other = db_->Begin(options);
      KEEL_ASSERT_OK(other.status());
      EXPECT_EQ(GetText(*other, "k000003"), Value('a'));
      KEEL_ASSERT_OK(other->Put("other", "1"));
      const absl::Status status = other->Commit().status();
      EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
      EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("held by \"forgotten import\" for"));
    })
        .join();
  }
  EXPECT_EQ(FilePages(), file_pages);
  const DatabaseStats stats = db_->Stats();
  ASSERT_EQ(stats.transactions.size(), 1U);
  const DatabaseStats::TransactionInfo& culprit = stats.transactions[0];
  EXPECT_EQ(culprit.label, "forgotten import");
  EXPECT_EQ(culprit.concurrency, Concurrency::kExclusive);
  EXPECT_EQ(culprit.changes, 100U);
  EXPECT_GE(culprit.age, absl::Hours(24));
  EXPECT_GT(culprit.bytes_held, uint64_t{100} * kValueBytes);
  KEEL_ASSERT_OK(forgotten->Commit().status());
  EXPECT_EQ(db_->Stats().transaction_totals.exclusive, 0U);
  EXPECT_EQ(GetText(*db_, "k000003"), Value('x'));
}

// The lists are short, whatever is open; the oldest come first, and the totals count all.
TEST_F(LongOpenTest, G6_OnlyTheOldestAreListed) {
  Open();
  std::vector<Transaction> transactions;
  for (int i = 0; i < 40; ++i) {
    absl::StatusOr<Transaction> transaction =
        Begin(Concurrency::kOptimistic, absl::StrFormat("number %d", i));
    KEEL_ASSERT_OK(transaction.status());
    transactions.push_back(*std::move(transaction));
    Wait(absl::Seconds(1));
  }
  transactions.erase(transactions.begin(), transactions.begin() + 3);
  const DatabaseStats stats = db_->Stats();
  EXPECT_EQ(stats.transaction_totals.optimistic, 37U);
  ASSERT_EQ(stats.transactions.size(), DatabaseStats::kOldestShown);
  for (size_t i = 0; i < stats.transactions.size(); ++i) {
    EXPECT_EQ(stats.transactions[i].label, absl::StrFormat("number %d", i + 3));
    EXPECT_EQ(stats.snapshots.at(i).label, stats.transactions[i].label);
  }
}

}  // namespace
}  // namespace keel::testing
