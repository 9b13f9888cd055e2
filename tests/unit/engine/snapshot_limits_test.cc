// Snapshots that are many, or live long: refused, warned of, expired. None of it on by default.

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/engine/sim_world.h"

namespace keel::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SnapshotLimitsTest : public SimWorldTest {
 protected:
  void OpenExpiring(absl::Duration age_max) {
    options_.snapshots.age_max = age_max;
    options_.snapshots.when_too_old = SnapshotLimits::WhenTooOld::kExpire;
    Open();
  }

  absl::StatusOr<Transaction> BeginOptimistic(std::string_view label = {}) {
    TransactionOptions options;
    options.concurrency = Concurrency::kOptimistic;
    options.label = label;
    return db_->Begin(options);
  }

  static void ExpectExpired(const absl::Status& status, std::string_view whose) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    EXPECT_THAT(std::string(MessageOf(status)),
                HasSubstr(absl::StrFormat("the snapshot of the %s has expired", whose)));
  }
};

TEST_F(SnapshotLimitsTest, NothingIsLimitedByDefault) {
  Open();
  std::vector<Snapshot> snapshots;
  snapshots.reserve(1000);
  for (int i = 0; i < 1000; ++i) snapshots.push_back(db_->GetSnapshot());
  Wait(absl::Hours(1000));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  for (const Snapshot& snapshot : snapshots) KEEL_ASSERT_OK(snapshot.status());
  const DatabaseStats stats = db_->Stats();
  EXPECT_EQ(stats.snapshot_totals.open, 1000U);
  EXPECT_EQ(stats.snapshots.size(), DatabaseStats::kOldestShown);
  EXPECT_GE(stats.snapshots.front().age, absl::Hours(1000));
  EXPECT_THAT(events_.Take(), IsEmpty());
}

TEST_F(SnapshotLimitsTest, TheirNumberIsBoundedWhateverTheirKind) {
  options_.snapshots.count_max = 3;
  Open();
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  std::optional<Snapshot> first = db_->GetSnapshot("the first");
  Wait(absl::Seconds(90));
  Cursor cursor = db_->NewCursor();
  absl::StatusOr<Transaction> transaction = BeginOptimistic();
  KEEL_ASSERT_OK(transaction.status());

  const auto expect_refused = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(MessageOf(status)),
                HasSubstr("3 snapshots are open, as many as SnapshotLimits::count_max allows; the "
                          "oldest is the snapshot \"the first\", which is 1m30"));
  };
  const Snapshot refused = db_->GetSnapshot();
  expect_refused(refused.status());
  expect_refused(refused.Get("a").status());
  expect_refused(refused.Count().status());
  const std::string_view key = "a";
  expect_refused(refused.MultiGet({&key, 1}).at(0).status());
  expect_refused(refused.NewCursor().status());
  EXPECT_EQ(refused.lsn(), Lsn());
  expect_refused(db_->NewCursor().status());
  expect_refused(db_->ForEach({}, KeyRange::All(), [](auto, auto) { return absl::OkStatus(); }));
  expect_refused(BeginOptimistic().status());
  EXPECT_EQ(db_->Stats().snapshot_totals.refused, 4U);

  // What is done meanwhile without one of one's own goes on: reads, writes, those that have theirs.
  EXPECT_EQ(GetText(*db_, "a"), "1");
  EXPECT_EQ(*db_->Count(), 1U);
  KEEL_ASSERT_OK(db_->Put("a", "2"));
  EXPECT_EQ(GetText(*first, "a"), "1");
  Cursor of_snapshot = first->NewCursor();
  of_snapshot.SeekToFirst();
  EXPECT_TRUE(of_snapshot.Valid());
  KEEL_ASSERT_OK(transaction->Put("b", "1"));
  KEEL_ASSERT_OK(transaction->Commit().status());
  KEEL_EXPECT_OK(db_->GetSnapshot().status());  // in the place of the transaction
  first.reset();                                // its cursor still has it
  const Snapshot third = db_->GetSnapshot();
  KEEL_EXPECT_OK(third.status());
  expect_refused(db_->GetSnapshot().status());
}

// Each thread has a list of its own (N3): who asks sees one, the oldest first; and any thread may let go.
TEST_F(SnapshotLimitsTest, SnapshotsOfManyThreadsAreOneListTheOldestFirst) {
  options_.snapshots.count_max = 20;
  Open();
  std::vector<Snapshot> snapshots;
  for (int i = 0; i < 20; ++i) {
    std::thread([&] { snapshots.push_back(db_->GetSnapshot(std::to_string(i))); }).join();
    Wait(absl::Seconds(1));
  }
  const DatabaseStats stats = db_->Stats();
  ASSERT_EQ(stats.snapshots.size(), DatabaseStats::kOldestShown);
  for (size_t i = 0; i < stats.snapshots.size(); ++i) {
    EXPECT_EQ(stats.snapshots[i].label, std::to_string(i));
  }
  EXPECT_THAT(std::string(MessageOf(db_->GetSnapshot().status())),
              HasSubstr("the oldest is the snapshot \"0\""));
  std::thread([&] { snapshots.erase(snapshots.begin(), snapshots.begin() + 5); }).join();
  EXPECT_EQ(db_->Stats().snapshot_totals.open, 15U);
  EXPECT_EQ(db_->Stats().snapshots.front().label, "5");
  for (int i = 0; i < 5; ++i) snapshots.push_back(db_->GetSnapshot());
  KEEL_EXPECT_OK(snapshots.back().status());
  EXPECT_FALSE(db_->GetSnapshot().status().ok());
}

TEST_F(SnapshotLimitsTest, TheBoundHoldsAmongThreads) {
  options_.snapshots.count_max = 3;
  Open();
  std::atomic<int> open = 0;
  std::atomic<uint64_t> refused = 0;
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        std::vector<Snapshot> mine;
        mine.push_back(db_->GetSnapshot());
        mine.push_back(db_->GetSnapshot());
        for (const Snapshot& snapshot : mine) {
          if (!snapshot.status().ok()) {
            refused.fetch_add(1);
          } else {
            EXPECT_LE(open.fetch_add(1), 2);
          }
        }
        for (const Snapshot& snapshot : mine) open.fetch_sub(snapshot.status().ok() ? 1 : 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(db_->Stats().snapshot_totals.refused, refused.load());
  EXPECT_EQ(db_->Stats().snapshot_totals.open, 0U);
}

// At kReadCommitted every call reads a newer snapshot, in the place of the one before.
TEST_F(SnapshotLimitsTest, ATransactionInsideTheBoundIsNeverRefused) {
  options_.snapshots.count_max = 1;
  Open();
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  options.isolation = Isolation::kReadCommitted;
  absl::StatusOr<Transaction> transaction = db_->Begin(options);
  KEEL_ASSERT_OK(transaction.status());
  for (int i = 0; i < 3; ++i) {
    KEEL_ASSERT_OK(db_->Put("a", absl::StrFormat("%d", i)));
    EXPECT_EQ(GetText(*transaction, "a"), absl::StrFormat("%d", i));
  }
  KEEL_ASSERT_OK(transaction->Put("b", "1"));
  KEEL_EXPECT_OK(transaction->Commit().status());
}

TEST_F(SnapshotLimitsTest, OldOnesAreWarnedOfOnce) {
  options_.snapshots.age_max = absl::Seconds(60);
  Open();
  const Snapshot old = db_->GetSnapshot("report");
  Wait(absl::Seconds(59));
  const absl::StatusOr<Transaction> transaction = BeginOptimistic("form");
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_THAT(events_.Take(), IsEmpty());
  Wait(absl::Seconds(2));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_THAT(events_.Take(), ElementsAre("old snapshot \"report\""));
  Wait(absl::Seconds(59));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_THAT(events_.Take(), ElementsAre("old transaction \"form\""));
  KEEL_EXPECT_OK(old.status());
  EXPECT_EQ(db_->Stats().snapshot_totals.warned, 2U);
}

TEST_F(SnapshotLimitsTest, WhoeverHoldsTooMuchIsWarnedOfHoweverYoung) {
  options_.snapshots.held_bytes_max = uint64_t{100} << 10;
  Open();
  Fill('a', 200);
  const Snapshot holder = db_->GetSnapshot("holder");
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_THAT(events_.Take(), IsEmpty());
  Fill('b', 200);
  const Snapshot young = db_->GetSnapshot("young");
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_THAT(events_.Take(), ElementsAre("old snapshot \"holder\""));
}

TEST_F(SnapshotLimitsTest, ExpiredOnesSayWhyAndGiveTheirPagesBack) {
  OpenExpiring(absl::Seconds(60));
  Fill('a', 500);
  const uint64_t file_pages = db_->Stats().pages.file_pages;
  const Snapshot snapshot = db_->GetSnapshot("report");
  Cursor of_snapshot = snapshot.NewCursor();
  of_snapshot.SeekToFirst();
  Cursor cursor = db_->NewCursor();
  cursor.SeekToFirst();
  absl::StatusOr<Transaction> transaction = BeginOptimistic("form");
  KEEL_ASSERT_OK(transaction.status());
  KEEL_ASSERT_OK(transaction->Put("a", "1"));
  Cursor of_transaction = transaction->NewCursor();
  of_transaction.SeekToLast();
  const absl::StatusOr<PinnedValue> pinned = snapshot.Get("k000007");
  Fill('b', 500);
  EXPECT_GT(db_->Stats().snapshots.at(0).bytes_held, uint64_t{400} << 10);
  Wait(absl::Seconds(61));
  const Snapshot young = db_->GetSnapshot("young");
  KEEL_ASSERT_OK(db_->RunBackgroundWork());

  EXPECT_THAT(events_.Take(), ElementsAre("expired snapshot \"report\"", "expired cursor \"\"",
                                          "expired transaction \"form\""));
  const DatabaseStats stats = db_->Stats();
  EXPECT_EQ(stats.snapshot_totals.open, 1U);
  EXPECT_EQ(stats.snapshot_totals.expired, 3U);
  EXPECT_EQ(stats.transaction_totals.optimistic, 0U);
  EXPECT_EQ(stats.snapshots.at(0).label, "young");
  ExpectExpired(snapshot.status(), "snapshot \"report\"");
  ExpectExpired(snapshot.Get("k000001").status(), "snapshot \"report\"");
  ExpectExpired(snapshot.Count().status(), "snapshot \"report\"");
  ExpectExpired(snapshot.NewCursor().status(), "snapshot \"report\"");
  ExpectExpired(transaction->Get("k000001").status(), "transaction \"form\"");
  ExpectExpired(transaction->Commit().status(), "transaction \"form\"");
  // What was handed out stays good until it moves.
  EXPECT_EQ(pinned->view(), Value('a'));
  for (Cursor* open : {&of_snapshot, &cursor, &of_transaction}) {
    ASSERT_TRUE(open->Valid());
    EXPECT_EQ(open->value(), Value('a'));
    open->Prev();
    EXPECT_FALSE(open->Valid());
  }
  ExpectExpired(of_snapshot.status(), "snapshot \"report\"");
  ExpectExpired(cursor.status(), "cursor");
  EXPECT_EQ(GetText(young, "k000001"), Value('b'));
  // The file does not grow with what is written from now on.
  Fill('c', 500);
  const uint64_t with_young = db_->Stats().pages.file_pages;
  for (int i = 0; i < 5; ++i) Fill(static_cast<char>('d' + i), 500);
  EXPECT_LE(db_->Stats().pages.file_pages, with_young + file_pages);
}

// In the middle of a leaf, where a step needs nothing but what is pinned: it is refused all the same.
TEST_F(SnapshotLimitsTest, AStepWithinALeafIsRefusedAfterExpiry) {
  OpenExpiring(absl::Seconds(60));
  for (int i = 0; i < 10; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "v"));
  for (const bool forward : {true, false}) {
    Cursor cursor = db_->NewCursor();
    cursor.Seek("k000005");
    cursor.Next();
    cursor.Prev();
    Wait(absl::Seconds(61));
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    ASSERT_TRUE(cursor.Valid());
    EXPECT_EQ(cursor.key(), "k000005");  // good until it moves
    EXPECT_EQ(cursor.value(), "v");
    forward ? cursor.Next() : cursor.Prev();
    EXPECT_FALSE(cursor.Valid());
    ExpectExpired(cursor.status(), "cursor");
    cursor.Seek("k000001");
    EXPECT_FALSE(cursor.Valid());
    ExpectExpired(cursor.status(), "cursor");
  }
}

TEST_F(SnapshotLimitsTest, ACursorsLargeValueIsGoneWithItsSnapshot) {
  OpenExpiring(absl::Seconds(60));
  KEEL_ASSERT_OK(db_->Put("large", std::string(100000, 'l')));
  absl::StatusOr<Transaction> transaction = BeginOptimistic("form");
  KEEL_ASSERT_OK(transaction.status());
  Cursor of_transaction = transaction->NewCursor();
  Cursor cursor = db_->NewCursor();
  for (Cursor* open : {&cursor, &of_transaction}) {
    open->SeekToFirst();
    ASSERT_TRUE(open->Valid());
  }
  Wait(absl::Seconds(61));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  for (Cursor* open : {&cursor, &of_transaction}) {
    EXPECT_EQ(open->value(), "");
    EXPECT_FALSE(open->Valid());
    ExpectExpired(open->status(), open == &cursor ? "cursor" : "transaction \"form\"");
  }
}

// Expiry, and the reuse of everything that it frees, in the middle of a call: that ends as if nothing had happened.
TEST_F(SnapshotLimitsTest, ACallThatIsRunningKeepsItsPagesToItsEnd) {
  OpenExpiring(absl::Seconds(60));
  Fill('a');
  const auto expire_and_reuse = [&] {
    Wait(absl::Seconds(61));
    KEEL_EXPECT_OK(db_->RunBackgroundWork());
    EXPECT_EQ(events_.Take().size(), 1U);
    Fill('c', 1500);
    Fill('d', 1500);
    KEEL_EXPECT_OK(db_->RunBackgroundWork());
  };
  for (const bool of_transaction : {false, true}) {
    Fill('a');
    std::optional<Snapshot> snapshot;
    std::optional<Transaction> transaction;
    if (of_transaction) {
      absl::StatusOr<Transaction> begun = BeginOptimistic();
      KEEL_ASSERT_OK(begun.status());
      transaction = *std::move(begun);
    } else {
      snapshot = db_->GetSnapshot();
    }
    const Reader& reader = of_transaction ? static_cast<const Reader&>(*transaction) : *snapshot;
    Fill('b');
    DuringTheNextRead(expire_and_reuse);
    std::vector<std::string> keys;
    for (int i = 0; i < kKeys; i += 7) keys.push_back(Numbered("k", i));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const auto values = reader.MultiGet(views);
    ASSERT_TRUE(DidRead());
    for (const auto& value : values) {
      ASSERT_TRUE(value.ok()) << value.status();
      ASSERT_EQ(value->view(), Value('a'));
    }
    EXPECT_TRUE(absl::IsDeadlineExceeded(reader.Get("k000001").status()));
    EXPECT_EQ(db_->Stats().snapshot_totals.open, 0U);
  }
}

TEST_F(SnapshotLimitsTest, ACommitThatIsRunningIsValidatedToItsEnd) {
  OpenExpiring(absl::Seconds(60));
  Fill('a');
  for (const bool conflict : {false, true}) {
    absl::StatusOr<Transaction> transaction = BeginOptimistic();
    KEEL_ASSERT_OK(transaction.status());
    for (int i = 0; i < kKeys; i += 10) {
      KEEL_ASSERT_OK(transaction->Get(Numbered("k", i)).status());
    }
    KEEL_ASSERT_OK(transaction->Put("mine", "1"));
    for (int i = 5; i < kKeys; i += 10) {
      KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "other", {Durability::kNone}));
    }
    if (conflict) KEEL_ASSERT_OK(db_->Put(Numbered("k", kKeys - 10), "other"));
    KEEL_ASSERT_OK(db_->Checkpoint());
    DuringTheNextRead([&] {
      Wait(absl::Seconds(61));
      KEEL_EXPECT_OK(db_->RunBackgroundWork());
      for (int i = 5; i < kKeys; i += 10) {
        KEEL_EXPECT_OK(db_->Put(Numbered("k", i), "again", {Durability::kNone}));
      }
      KEEL_EXPECT_OK(db_->Checkpoint());
    });
    const absl::Status status = transaction->Commit().status();
    ASSERT_TRUE(DidRead());
    EXPECT_EQ(status.code(), conflict ? absl::StatusCode::kAborted : absl::StatusCode::kOk)
        << status;
  }
}

TEST(SnapshotOptionsTest, LimitsMustBePositive) {
  TempDir temp;
  Options options;
  options.snapshots.age_max = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsInvalidArgument(Database::Open(temp.path() / "db", options).status()));
  options = {};
  options.async_lag_max = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsInvalidArgument(Database::Open(temp.path() / "db", options).status()));
}

using SnapshotLimitsThreadsTest = EngineTest;

// Many readers whose snapshots expire under them, while a writer uses again what they give back: every read is right
// or says that it has expired.
TEST_F(SnapshotLimitsThreadsTest, ReadersAreRightOrExpired) {
  options_.snapshots.held_bytes_max = uint64_t{64} << 10;
  options_.snapshots.when_too_old = SnapshotLimits::WhenTooOld::kExpire;
  options_.background = Background::kManual;
  Open();
  constexpr int kKeys = 300;
  const auto overwrite = [&](int round) {
    WriteBatch batch;
    for (int i = 0; i < kKeys; ++i) {
      batch.Put(Numbered("k", i), Numbered(std::string(500, 'v'), round));
    }
    KEEL_ASSERT_OK(db_->Write(batch, {Durability::kNone}).status());
  };
  overwrite(0);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> expired = 0;
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (int thread = 0; thread < 3; ++thread) {
    readers.emplace_back([&, thread] {
      while (!stop) {
        const Snapshot snapshot = db_->GetSnapshot();
        std::string first;
        absl::Status status;
        for (int i = 0; status.ok(); i = (i + 7) % kKeys) {
          if (stop) return;
          if (thread == 0) {
            status = snapshot.ForEach({}, KeyRange::All(),
                                      [&](std::string_view, std::string_view value) {
                                        if (first.empty()) first = value;
                                        EXPECT_EQ(value, first);
                                        return absl::OkStatus();
                                      });
            continue;
          }
          const absl::StatusOr<PinnedValue> value = snapshot.Get(Numbered("k", i));
          status = value.status();
          if (!value.ok()) break;
          if (first.empty()) first = value->ToString();
          EXPECT_EQ(value->view(), first);
        }
        ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
        ++expired;
      }
    });
  }
  for (int round = 1; round < 200 || expired < 20; ++round) {
    overwrite(round);
    if (round % 3 == 0) KEEL_EXPECT_OK(db_->RunBackgroundWork());
    if (round % 20 == 0) KEEL_EXPECT_OK(db_->Checkpoint());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace keel::testing
