// Transactions that the log cannot take: they are not logged, and their commit is a checkpoint.

#include <atomic>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

// checkpoint_log_bytes is 1 MiB.
class LargeTransactionTest : public FailingDiskTest {
 protected:
  static constexpr int kLarge = 3000;  // keys of a transaction that takes 3 MiB
  static std::string Value() { return std::string(1000, 'v'); }

  Transaction Begin() {
    absl::StatusOr<Transaction> transaction = db_->Begin({.label = "the large one"});
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    return *std::move(transaction);
  }
  static absl::Status PutMany(Transaction& transaction, std::string_view name, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      KEEL_RETURN_IF_ERROR(transaction.Put(Numbered(name, i), Value()));
    }
    return absl::OkStatus();
  }

  // What a loss of power leaves, with everything that was not synced gone.
  void LosePower() {
    std::mt19937_64 random(1);
    OpenOn(disk().AfterCrash(random, wal::CrashChoice::kNothing));
  }
  MemoryFileSystem& disk() { return image_ == nullptr ? disk_ : *image_; }

  uint64_t LogBytes() { return db_->Stats().log.bytes_since_checkpoint; }
  uint64_t Generation() { return db_->Stats().checkpoints.generation; }
};

TEST_F(LargeTransactionTest, CommitsByACheckpoint) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  const uint64_t number = db_->Stats().commits.number;
  const uint64_t generation = Generation();
  const Snapshot before = db_->GetSnapshot();
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  EXPECT_EQ(*transaction.Count(), uint64_t{kLarge} + 1);
  EXPECT_EQ(GetText(transaction, Numbered("k", 0)), Value());
  EXPECT_EQ(*db_->Count(), 1U);
  EXPECT_EQ(db_->Stats().commits.number, number);
  EXPECT_LE(LogBytes(), 2 * options_.checkpoint_log_bytes);
  const absl::StatusOr<Lsn> lsn = transaction.Commit();
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  EXPECT_GT(Generation(), generation);
  EXPECT_EQ(db_->Stats().commits.number, number + 1);
  EXPECT_GT(*lsn, before.lsn());
  EXPECT_GE(db_->durable_lsn(), *lsn);
  KEEL_EXPECT_OK(db_->WaitDurable(*lsn));
  EXPECT_EQ(db_->GetSnapshot().lsn(), *lsn);
  EXPECT_EQ(*db_->Count(), uint64_t{kLarge} + 1);
  EXPECT_EQ(*before.Count(), 1U);
  EXPECT_LT(LogBytes(), uint64_t{64} << 10);
  ExpectSound();

  // The log goes on behind it without a gap.
  KEEL_ASSERT_OK(db_->Put("after", "1"));
  LosePower();
  EXPECT_EQ(db_->recovery_report().transactions_replayed, 1U);
  EXPECT_EQ(*db_->Count(), uint64_t{kLarge} + 2);
  ExpectSound();
}

// With the record of it as the last thing in the log, and without it.
TEST_F(LargeTransactionTest, G1_IsDurableWhenItReturnsUnderEveryDurability) {
  for (const Durability durability : {Durability::kSync, Durability::kAsync, Durability::kNone}) {
    const std::string name = absl::StrFormat("%d-", static_cast<int>(durability));
    KEEL_ASSERT_OK(db_->Put(name, "1", {Durability::kNone}));
    Transaction transaction = Begin();
    KEEL_ASSERT_OK(PutMany(transaction, name, 0, kLarge));
    ASSERT_TRUE(transaction.Commit({durability}).ok());
    LosePower();
    EXPECT_EQ(*db_->Count({}, KeyRange::Prefix(name)), uint64_t{kLarge} + 1);
    EXPECT_EQ(db_->recovery_report().transactions_replayed, 0U);
    ExpectSound();
  }
}

TEST_F(LargeTransactionTest, ARollbackLeavesNothingAndGivesEverythingBack) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  uint64_t file_pages = 0;
  for (int round = 0; round < 8; ++round) {
    {
      Transaction transaction = Begin();
      KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
      KEEL_ASSERT_OK(transaction.Delete("kept"));
      if (round % 2 == 0) transaction.Rollback();
    }
    EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
    KEEL_ASSERT_OK(db_->Checkpoint());
    EXPECT_LT(LogBytes(), uint64_t{64} << 10);
    ExpectSound();
    if (round == 0) file_pages = db_->Stats().pages.file_pages;
    EXPECT_LE(db_->Stats().pages.file_pages, file_pages * 5 / 4);
  }
  KEEL_ASSERT_OK(db_->Put("after", "1"));
  LosePower();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"after", "1"}, {"kept", "1"}}));
}

TEST_F(LargeTransactionTest, SavepointsBeforeAndAfterLoggingStopped) {
  for (int i = 0; i < 50; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("old", i), Value()));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("first", "1"));
  const Savepoint early = transaction.SetSavepoint();
  KEEL_ASSERT_OK(PutMany(transaction, "a", 0, kLarge));
  const Savepoint late = transaction.SetSavepoint();
  KEEL_ASSERT_OK(transaction.DeleteRange(KeyRange::All()));
  EXPECT_EQ(*transaction.Count(), 0U);
  KEEL_ASSERT_OK(transaction.RollbackTo(late));
  EXPECT_EQ(*transaction.Count(), uint64_t{kLarge} + 51);
  KEEL_ASSERT_OK(PutMany(transaction, "b", 0, kLarge));
  KEEL_ASSERT_OK(transaction.RollbackTo(late));
  KEEL_ASSERT_OK(transaction.RollbackTo(early));
  EXPECT_EQ(*transaction.Count(), 51U);
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.RollbackTo(late)));
  KEEL_ASSERT_OK(PutMany(transaction, "c", 0, 10));
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(*db_->Count(), 61U);
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), 61U);
  EXPECT_EQ(GetText(*db_, "first"), "1");
  ExpectSound();
}

// Rolled back to before the switch, it is small again, but not logged.
TEST_F(LargeTransactionTest, AnEmptyOneCommits) {
  Transaction transaction = Begin();
  const Savepoint start = transaction.SetSavepoint();
  KEEL_ASSERT_OK(PutMany(transaction, "a", 0, kLarge));
  KEEL_ASSERT_OK(transaction.RollbackTo(start));
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(*db_->Count(), 0U);
  KEEL_ASSERT_OK(db_->Put("after", "1"));
  LosePower();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"after", "1"}}));
}

// R3, K4: checkpoints of the visible version go on meanwhile. Each may cut the log, and none may know a page of it.
TEST_F(LargeTransactionTest, R3_CheckpointsMeanwhileKnowNothingOfIt) {
  for (int i = 0; i < 500; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("old", i), Value()));
  Transaction transaction = Begin();
  for (int part = 0; part < 6; ++part) {
    KEEL_ASSERT_OK(PutMany(transaction, "k", part * 500, (part + 1) * 500));
    KEEL_ASSERT_OK(transaction.Delete(Numbered("old", part)));
    KEEL_ASSERT_OK(db_->Checkpoint());
    ExpectSound();
    std::mt19937_64 random(1);
    const auto image = disk_.AfterCrash(random, wal::CrashChoice::kEverything);
    Options options = options_;
    options.file_system = image.get();
    options.listener = nullptr;
    const auto copy = Database::Open("/db", options);
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ(*(*copy)->Count(), 500U);
    const auto report = (*copy)->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
  }
  EXPECT_LT(LogBytes(), uint64_t{64} << 10);  // what it had streamed was cut off
  ASSERT_TRUE(transaction.Commit().ok());
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), 500U - 6 + 3000);
  EXPECT_EQ(GetText(*db_, Numbered("k", 2999)), Value());
  ExpectSound();
}

TEST_F(LargeTransactionTest, OneThatOverwritesEverythingFreesWhatItReplaced) {
  Transaction first = Begin();
  KEEL_ASSERT_OK(PutMany(first, "k", 0, kLarge));
  ASSERT_TRUE(first.Commit().ok());
  uint64_t file_pages = 0;
  for (int round = 0; round < 5; ++round) {
    Transaction transaction = Begin();
    for (int i = 0; i < kLarge; ++i) {
      KEEL_ASSERT_OK(
          transaction.Put(Numbered("k", i), std::string(1000, static_cast<char>('a' + round))));
    }
    ASSERT_TRUE(transaction.Commit().ok());
    ExpectSound();
    const uint64_t now = db_->Stats().pages.file_pages;
    if (round == 1) file_pages = now;
    EXPECT_TRUE(round <= 1 || now <= file_pages + 64) << now << " pages, not " << file_pages;
  }
  LosePower();
  EXPECT_EQ(GetText(*db_, Numbered("k", kLarge - 1)), std::string(1000, 'e'));
}

TEST_F(LargeTransactionTest, ASnapshotKeepsWhatItReplaces) {
  for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "old"));
  const Snapshot before = db_->GetSnapshot();
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  const Snapshot during = db_->GetSnapshot();
  ASSERT_TRUE(transaction.Commit().ok());
  const Snapshot after = db_->GetSnapshot();
  for (int i = 0; i < 50; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("later", i), Value()));
  KEEL_ASSERT_OK(db_->Checkpoint());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(GetText(before, Numbered("k", i)), "old");
    EXPECT_EQ(GetText(during, Numbered("k", i)), "old");
    EXPECT_EQ(GetText(after, Numbered("k", i)), Value());
  }
}

TEST_F(LargeTransactionTest, KeyspacesMadeAndDroppedBesideItKeepTheirPlace) {
  const Keyspace other = *db_->OpenKeyspace("other");
  Transaction transaction = Begin();
  for (int i = 0; i < kLarge; ++i) {
    KEEL_ASSERT_OK(transaction.Put(other, Numbered("k", i), Value()));
  }
  ASSERT_TRUE(transaction.Commit().ok());
  KEEL_ASSERT_OK(db_->OpenKeyspace("third").status());
  LosePower();
  EXPECT_EQ(*db_->Count(*db_->OpenKeyspace("other")), uint64_t{kLarge});
  EXPECT_EQ(db_->ListKeyspaces().size(), 3U);
}

// A single value, or a batch, may be more than the log takes.
TEST_F(LargeTransactionTest, LargeValuesAndBatchesGoTheSameWay) {
  const std::string value(5 << 20, 'x');
  KEEL_ASSERT_OK(db_->Put("huge", value));
  EXPECT_LT(LogBytes(), uint64_t{64} << 10);
  WriteBatch batch;
  for (int i = 0; i < kLarge; ++i) batch.Put(Numbered("k", i), Value());
  ASSERT_TRUE(db_->Write(batch).ok());
  EXPECT_LT(LogBytes(), uint64_t{64} << 10);
  LosePower();
  EXPECT_EQ(GetText(*db_, "huge"), value);
  EXPECT_EQ(*db_->Count(), uint64_t{kLarge} + 1);
  ExpectSound();
}

TEST_F(LargeTransactionTest, CloseEndsAnOpenOne) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  {
    Transaction transaction = Begin();
    KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
    KEEL_ASSERT_OK(db_->Close());
    EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Put("x", "1")));
    EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Commit().status()));
  }
  Open();
  EXPECT_TRUE(db_->recovery_report().clean);
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
  ExpectSound();
}

TEST_F(LargeTransactionTest, WithThreadsCheckpointsAndReadersGoOn) {
  options_.background = Background::kThreads;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  for (int i = 0; i < 200; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "old"));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const Snapshot snapshot = db_->GetSnapshot();
      const uint64_t count = *snapshot.Count();
      EXPECT_TRUE(count == 200 || count == kLarge) << count;
      const std::string expected = count == 200 ? "old" : Value();
      for (int i = 0; i < 200; i += 40) EXPECT_EQ(GetText(snapshot, Numbered("k", i)), expected);
    }
  });
  std::thread checkpoints([&] {
    while (!done) KEEL_EXPECT_OK(db_->Checkpoint());
  });
  for (int round = 0; round < 3; ++round) {
    Transaction transaction = Begin();
    KEEL_EXPECT_OK(PutMany(transaction, "k", 0, kLarge));
    if (round < 2) continue;
    EXPECT_TRUE(transaction.Commit().ok());
  }
  done = true;
  reader.join();
  checkpoints.join();
  ExpectSound();
}

// --- a full disk ---

// Runs something in another thread when a checkpoint has ended: for that of a large transaction, when it is durable, and
// not yet visible.
class BetweenDurableAndVisible final : public EventListener {
 public:
  void Arm(std::function<void()> work) { work_ = std::move(work); }
  void OnCheckpointEnd(const CheckpointEnd& /*event*/) override {
    if (work_ == nullptr) return;
    std::thread(std::exchange(work_, nullptr)).join();
  }

 private:
  std::function<void()> work_;
};

// A checkpoint of what is visible would name a version without the commit: power lost then would take it back.
TEST_F(LargeTransactionTest, G1_NoCheckpointTakesItBackBeforeItIsVisible) {
  BetweenDurableAndVisible between;
  KEEL_ASSERT_OK(db_->Close());
  options_.listener = &between;
  Open();
  for (int i = 0; i < 500; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("old", i), Value()));
  KEEL_ASSERT_OK(db_->Checkpoint());
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  for (int i = 0; i < 400; ++i) KEEL_ASSERT_OK(transaction.Delete(Numbered("old", i)));
  uint64_t seen = 0;
  between.Arm([&] {
    seen = *db_->Count();
    KEEL_EXPECT_OK(db_->Checkpoint());
    ExpectSound();  // with the map of one version and the trees of another nothing is called damage
  });
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(seen, 500U) << "the work was to be done before it was visible";
  EXPECT_EQ(*db_->Count(), uint64_t{kLarge} + 100);
  LosePower();
  EXPECT_EQ(*db_->Count(), uint64_t{kLarge} + 100);
  ExpectSound();
  db_.reset();  // before its listener
}

TEST_F(LargeTransactionTest, G5_AFullDiskDuringItLosesNothing) {
  for (int i = 0; i < 300; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("old", i), Value()));
  KEEL_ASSERT_OK(db_->Checkpoint());
  const Contents before = ReadAll(*db_);
  {
    Transaction transaction = Begin();
    KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
    disk_.set_capacity(disk_.used());
    absl::Status status;
    int put = kLarge;
    while (status.ok() && put < 100000) status = transaction.Put(Numbered("k", put++), Value());
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(ReadAll(*db_), before);
    KEEL_EXPECT_OK(transaction.Delete(Numbered("k", 7)));
    EXPECT_EQ(*transaction.Count(), static_cast<uint64_t>(put) - 2 + 300);
  }
  // All its pages are there for others.
  for (int i = 0; i < kLarge; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("n", i), Value()));
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), 300U + kLarge);
}

// What was put before the disk was full is not lost for that: it can be committed.
TEST_F(LargeTransactionTest, G5_CommitsOnAFullDisk) {
  for (int i = 0; i < 300; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("old", i), Value()));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  disk_.set_capacity(disk_.used());
  int put = kLarge;
  while (put < 100000 && transaction.Put(Numbered("k", put), Value()).ok()) ++put;
  const absl::StatusOr<Lsn> lsn = transaction.Commit();
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), 300U + static_cast<uint64_t>(put));
  ExpectSound();
}

TEST_F(LargeTransactionTest, G5_AFullDiskAtItsCommitIsARollback) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  Fail(DataWrites(), kForever, absl::StatusCode::kResourceExhausted);
  const absl::StatusOr<Lsn> lsn = transaction.Commit();
  EXPECT_TRUE(absl::IsResourceExhausted(lsn.status())) << lsn.status();
  Heal();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
  const uint64_t file_pages = db_->Stats().pages.file_pages;
  Transaction again = Begin();
  KEEL_ASSERT_OK(PutMany(again, "k", 0, kLarge));
  ASSERT_TRUE(again.Commit().ok());
  EXPECT_LE(db_->Stats().pages.file_pages, file_pages + 256);  // the first one's were there again
  ExpectSound();
}

// --- failures of the disk at its commit ---

// Which answer each failed call leads to; what is there after reopening must be one of the two states.
struct FailureCase {
  io::SyncPurpose purpose;
  absl::StatusCode code;  // of the commit
};

class FailedCommitTest : public LargeTransactionTest,
                         public ::testing::WithParamInterface<FailureCase> {};

TEST_P(FailedCommitTest, G4_AnswersWhatIsKnown) {
  const auto& [purpose, code] = GetParam();
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  Fail(Syncs(purpose), 1);
  const absl::StatusOr<Lsn> lsn = transaction.Commit();
  EXPECT_EQ(lsn.status().code(), code) << lsn.status();
  ExpectStopped();
  const uint64_t seen = *db_->Count();
  EXPECT_EQ(seen, lsn.ok() ? kLarge + 1U : 1U);  // nothing is shown of one that did not answer OK
  EXPECT_EQ(GetText(*db_, Numbered("k", kLarge / 2)), lsn.ok() ? Value() : "NotFound");
  for (const wal::CrashChoice choice : {wal::CrashChoice::kNothing, wal::CrashChoice::kEverything,
                                        wal::CrashChoice::kRandom, wal::CrashChoice::kTorn}) {
    std::mt19937_64 random(7);
    OpenOn(disk_.AfterCrash(random, choice));
    const uint64_t there = *db_->Count();
    const bool known = code != absl::StatusCode::kUnknown;
    EXPECT_TRUE(known ? there == seen : there == 1U || there == kLarge + 1U) << there;
    EXPECT_EQ(GetText(*db_, "kept"), "1");
    ExpectSound();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Syncs, FailedCommitTest,
    ::testing::Values(
        // Pages: the superblock was not begun, so it is certainly not committed.
        FailureCase{io::SyncPurpose::kCheckpointPages, absl::StatusCode::kUnavailable},
        FailureCase{io::SyncPurpose::kSuperblock, absl::StatusCode::kUnknown}));

// The superblock is durable, the record in the log is not: it is committed, and is shown; nothing else is.
TEST_F(LargeTransactionTest, G4_AFailedLogBehindTheSuperblockDoesNotUndoIt) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(PutMany(transaction, "k", 0, kLarge));
  bool superblock = false;
  disk_.set_fault([&](const Call& call) {
    superblock |= Syncs(io::SyncPurpose::kSuperblock)(call);
    return superblock && call.name.starts_with("segment-") ? absl::UnavailableError("injected")
                                                           : absl::OkStatus();
  });
  const absl::StatusOr<Lsn> lsn = transaction.Commit();
  EXPECT_TRUE(lsn.ok()) << lsn.status();
  ExpectStopped();
  EXPECT_EQ(*db_->Count(), kLarge + 1U);
  Heal();
  LosePower();
  EXPECT_EQ(*db_->Count(), kLarge + 1U);
  ExpectSound();
}

TEST_F(LargeTransactionTest, G4_AFailedLogBeforeItsCommitEndsIt) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  KEEL_ASSERT_OK(db_->Put("kept too", "1", {Durability::kNone}));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("x", "1"));
  Fail(LogWrites(), kForever);
  absl::Status status = PutMany(transaction, "k", 0, kLarge);
  if (status.ok()) status = transaction.Commit().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  transaction.Rollback();
  ExpectStopped();
  Heal();
  LosePower();
  EXPECT_EQ(GetText(*db_, "kept"), "1");
  EXPECT_EQ(GetText(*db_, "x"), "NotFound");
}

}  // namespace
}  // namespace keel::testing
