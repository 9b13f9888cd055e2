// Bulk loads: an exclusive transaction that writes each row once and commits by a checkpoint.

#include <keel/bulk_loader.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

// checkpoint_log_bytes is 1 MiB, the memory 4 MiB.
class BulkLoaderTest : public FailingDiskTest {
 protected:
  static constexpr int kMany = 20'000;  // rows that do not fit in memory
  static std::string Value() { return std::string(500, 'v'); }

  BulkLoader Begin(Keyspace keyspace = {}, const TransactionOptions& options = {}) {
    absl::StatusOr<BulkLoader> loader = db_->NewBulkLoader(keyspace, options);
    EXPECT_TRUE(loader.ok()) << loader.status();
    return *std::move(loader);
  }
  static absl::Status PutMany(BulkLoader& loader, std::string_view name, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      KEEL_RETURN_IF_ERROR(loader.Put(Numbered(name, i), Value()));
    }
    return absl::OkStatus();
  }

  // What a loss of power leaves, with everything that was not synced gone.
  void LosePower(wal::CrashChoice choice = wal::CrashChoice::kNothing) {
    std::mt19937_64 random(1);
    OpenOn(disk().AfterCrash(random, choice));
  }
  MemoryFileSystem& disk() { return image_ == nullptr ? disk_ : *image_; }

  // Bytes written to files whose names begin so, since it was asked last.
  std::map<std::string, uint64_t> TakeWritten() {
    std::map<std::string, uint64_t> written;
    for (const Call& call : disk().TakeCalls()) {
      if (call.kind == Call::Kind::kWrite) written[call.name.substr(0, 8)] += call.bytes;
    }
    return written;
  }
};

// As the header has it.
absl::StatusOr<Lsn> LoadRows(Database* db, Keyspace keyspace,
                             const std::vector<std::pair<std::string, std::string>>& rows) {
  absl::StatusOr<keel::BulkLoader> loader = db->NewBulkLoader(keyspace);
  if (!loader.ok()) return loader.status();
  for (const auto& [key, value] : rows) {  // keys ascend
    if (absl::Status put = loader->Put(key, value); !put.ok()) return put;
  }
  absl::StatusOr<keel::Lsn> lsn = loader->Commit();  // all of them, durable; or none
  return lsn;
}

TEST_F(BulkLoaderTest, TheExampleOfTheHeader) {
  const Keyspace fruit = *db_->OpenKeyspace("fruit");
  KEEL_ASSERT_OK(LoadRows(db_.get(), fruit, {{"apple", "red"}, {"plum", "blue"}}).status());
  EXPECT_TRUE(absl::IsInvalidArgument(LoadRows(db_.get(), fruit, {{"b", ""}, {"a", ""}}).status()));
  EXPECT_EQ(ReadAll(*db_, fruit), (Contents{{"apple", "red"}, {"plum", "blue"}}));
  EXPECT_EQ(*db_->Count(), 0U);
}

TEST_F(BulkLoaderTest, CommitsByACheckpointWithoutTheLog) {
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  const DatabaseStats before = db_->Stats();
  const Snapshot snapshot = db_->GetSnapshot();
  TakeWritten();
  BulkLoader loader = Begin();
  KEEL_ASSERT_OK(PutMany(loader, "k", 0, kMany));
  EXPECT_EQ(loader.rows(), uint64_t{kMany});
  EXPECT_EQ(*db_->Count(), 1U);
  EXPECT_EQ(db_->Stats().commits.number, before.commits.number);
  const absl::StatusOr<Lsn> lsn = loader.Commit();
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  const auto written = TakeWritten();
  EXPECT_EQ(db_->Stats().commits.number, before.commits.number + 1);
  EXPECT_GT(db_->Stats().checkpoints.generation, before.checkpoints.generation);
  EXPECT_GE(db_->durable_lsn(), *lsn);
  EXPECT_EQ(db_->GetSnapshot().lsn(), *lsn);
  EXPECT_EQ(*db_->Count(), uint64_t{kMany} + 1);
  EXPECT_EQ(*snapshot.Count(), 1U);
  // Each row once, in leaves of seven and what they leave over, and what a checkpoint takes besides.
  const uint64_t rows = kMany * (Numbered("k", 0).size() + Value().size());
  EXPECT_GT(written.at("data.kee"), rows);
  EXPECT_LT(written.at("data.kee"), rows * 120 / 100);
  EXPECT_LT(written.at("segment-"), uint64_t{64} << 10);
  ExpectSound();

  // The log goes on behind it without a gap.
  KEEL_ASSERT_OK(db_->Put("z", "1"));
  LosePower();
  EXPECT_EQ(db_->recovery_report().transactions_replayed, 1U);
  EXPECT_EQ(*db_->Count(), uint64_t{kMany} + 2);
  EXPECT_EQ(GetText(*db_, Numbered("k", kMany - 1)), Value());
  ExpectSound();
}

// The disk works while rows are added, not only when memory is short or the load ends.
TEST_F(BulkLoaderTest, WritesAheadWithMemoryToSpare) {
  options_.memory_bytes = uint64_t{64} << 20;
  Open();
  for (const bool commits : {false, true}) {
    const uint64_t before = db_->Stats().memory.pages_written;
    BulkLoader loader = Begin();
    KEEL_ASSERT_OK(PutMany(loader, "k", 0, 4000));
    const uint64_t made = db_->Stats().memory.dirty_frames;
    EXPECT_GT(made, 4000U / 7);
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    EXPECT_GE(db_->Stats().memory.pages_written, before + 512);
    EXPECT_LE(db_->Stats().memory.dirty_frames, made - 512);
    KEEL_ASSERT_OK(PutMany(loader, "k", 4000, kMany));
    if (!commits) continue;
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    TakeWritten();
    ASSERT_TRUE(loader.Commit().ok());
    EXPECT_LT(TakeWritten().at("data.kee"), uint64_t{3} << 20);
  }
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), uint64_t{kMany});
  ExpectSound();
}

TEST_F(BulkLoaderTest, G1_IsDurableWhenItReturns) {
  KEEL_ASSERT_OK(db_->Put("before", "1", {Durability::kNone}));
  BulkLoader loader = Begin();
  KEEL_ASSERT_OK(PutMany(loader, "k", 0, 100));
  ASSERT_TRUE(loader.Commit().ok());
  LosePower();
  EXPECT_EQ(*db_->Count(), 101U);
  EXPECT_EQ(GetText(*db_, "before"), "1");
  ExpectSound();
}

TEST_F(BulkLoaderTest, LargeValuesGoWithIt) {
  BulkLoader loader = Begin();
  Contents expected;
  for (int i = 0; i < 100; ++i) {
    const std::string value(i % 7 == 0 ? 100'000 : 10, static_cast<char>('a' + i % 26));
    KEEL_ASSERT_OK(loader.Put(Numbered("k", i), value));
    expected[Numbered("k", i)] = value;
  }
  ASSERT_TRUE(loader.Commit().ok());
  ExpectSound();
  LosePower();
  EXPECT_EQ(ReadAll(*db_), expected);
  ExpectSound();
}

TEST_F(BulkLoaderTest, FillsEmptyRangesBetweenOtherKeys) {
  Contents expected;
  for (int i = 0; i < 300; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
    expected[Numbered("k", i)] = Value();
  }
  const Snapshot before = db_->GetSnapshot();
  const Contents old = expected;
  for (const std::string& stem : {std::string("a"), Numbered("k", 0), Numbered("k", 123),
                                  Numbered("k", 298), std::string("z")}) {
    BulkLoader loader = Begin();
    for (int i = 0; i < 500; ++i) {
      KEEL_ASSERT_OK(loader.Put(Numbered(stem, i), stem));
      expected[Numbered(stem, i)] = stem;
    }
    ASSERT_TRUE(loader.Commit().ok());
    ExpectSound();
  }
  EXPECT_EQ(ReadAll(*db_), expected);
  EXPECT_EQ(ReadAll(before), old);
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange(Numbered("k", 0), Numbered("k", 200))));
  ExpectSound();
  LosePower();
  expected.erase(expected.lower_bound(Numbered("k", 0)), expected.lower_bound(Numbered("k", 200)));
  EXPECT_EQ(ReadAll(*db_), expected);
  ExpectSound();
}

TEST_F(BulkLoaderTest, DisorderIsRefusedAndTheLoadGoesOn) {
  KEEL_ASSERT_OK(db_->Put("m", "there"));
  BulkLoader loader = Begin();
  EXPECT_TRUE(absl::IsInvalidArgument(loader.Put("m", "again")));
  KEEL_ASSERT_OK(loader.Put("c", "1"));
  for (const char* const key : {"c", "b", "", "m", "n"}) {
    const absl::Status status = loader.Put(key, "x");
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrFormat("\"%s\"", key)));
    EXPECT_THAT(std::string(status.message()), HasSubstr(*key < 'm' ? "\"c\"" : "\"m\""));
  }
  EXPECT_THAT(std::string(loader.Put(std::string(1025, 'k'), "x").message()),
              HasSubstr("1025 bytes; at most 1024"));
  KEEL_ASSERT_OK(loader.Put("d", "2"));
  EXPECT_EQ(loader.rows(), 2U);
  ASSERT_TRUE(loader.Commit().ok());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"c", "1"}, {"d", "2"}, {"m", "there"}}));
  ExpectSound();
}

TEST_F(BulkLoaderTest, ItIsTheOnlyWriterAndReadersGoOn) {
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  BulkLoader loader = Begin({}, {.label = "the nightly load"});
  KEEL_ASSERT_OK(loader.Put("b", "2"));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("c", "3")));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->NewBulkLoader().status()));
  std::thread other([&] {
    const auto begun = db_->NewBulkLoader({}, {.lock_timeout = absl::ZeroDuration()});
    EXPECT_TRUE(absl::IsDeadlineExceeded(begun.status())) << begun.status();
    EXPECT_THAT(std::string(begun.status().message()), HasSubstr("the nightly load"));
  });
  other.join();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "1"}}));
  EXPECT_EQ(*db_->GetSnapshot().Count(), 1U);
  ASSERT_TRUE(loader.Commit().ok());
  KEEL_EXPECT_OK(db_->Put("c", "3"));
}

// Whoever uses it last is the one who would wait for himself.
TEST_F(BulkLoaderTest, ItGoesFromThreadToThread) {
  BulkLoader loader = Begin();
  const auto use = [&](std::string_view key) {
    KEEL_EXPECT_OK(loader.Put(key, "1"));
    EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("other", "1")));
  };
  use("a");
  std::thread(use, "b").join();
  const TransactionOptions impatient{.lock_timeout = absl::ZeroDuration()};
  EXPECT_TRUE(absl::IsDeadlineExceeded(db_->Begin(impatient).status()));
  use("c");
  use("d");
  std::thread([&] {
    EXPECT_TRUE(absl::IsDeadlineExceeded(db_->Begin(impatient).status()));
    use("e");
  }).join();
  ASSERT_TRUE(loader.Commit().ok());
  EXPECT_EQ(*db_->Count(), 5U);
}

TEST_F(BulkLoaderTest, EndedItAnswersFailedPrecondition) {
  BulkLoader committed = Begin();
  KEEL_ASSERT_OK(committed.Put("a", "1"));
  ASSERT_TRUE(committed.Commit().ok());
  BulkLoader rolled_back = Begin();
  KEEL_ASSERT_OK(rolled_back.Put("b", "1"));
  rolled_back.Rollback();
  BulkLoader moved = Begin();
  const BulkLoader taken = std::move(moved);
  // NOLINTNEXTLINE(bugprone-use-after-move): what it answers then is the question.
  for (BulkLoader* const loader : {&committed, &rolled_back, &moved}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(loader->Put("c", "1")));
    EXPECT_TRUE(absl::IsFailedPrecondition(loader->Commit().status()));
    loader->Rollback();
  }
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "1"}}));
}

TEST_F(BulkLoaderTest, WithoutRowsItChangesNothing) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  const DatabaseStats before = db_->Stats();
  ASSERT_TRUE(Begin().Commit().ok());
  EXPECT_EQ(db_->Stats().commits.number, before.commits.number);
  EXPECT_EQ(db_->Stats().checkpoints.generation, before.checkpoints.generation);
  BulkLoader refused = Begin();
  EXPECT_FALSE(refused.Put("kept", "2").ok());
  ASSERT_TRUE(refused.Commit().ok());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
  LosePower();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
}

TEST_F(BulkLoaderTest, WhomItRefuses) {
  const Keyspace dropped = *db_->OpenKeyspace("dropped");
  KEEL_ASSERT_OK(db_->DropKeyspace("dropped"));
  EXPECT_TRUE(absl::IsNotFound(db_->NewBulkLoader(dropped).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      db_->NewBulkLoader({}, {.concurrency = Concurrency::kOptimistic}).status()));
  {
    MemoryFileSystem disk;
    disk.random().Next64();  // so that the two databases are told apart
    Options options = options_;
    options.file_system = &disk;
    const auto other = Database::Open("/db", options);
    ASSERT_TRUE(other.ok());
    const Keyspace foreign = *(*other)->OpenKeyspace("foreign");
    EXPECT_TRUE(absl::IsInvalidArgument(db_->NewBulkLoader(foreign).status()));
  }
  KEEL_EXPECT_OK(db_->Put("a", "1"));  // none of them holds the writer
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->NewBulkLoader().status()));
  options_.read_only = true;
  Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->NewBulkLoader().status()));
}

// --- what is not committed leaves nothing ---

TEST_F(BulkLoaderTest, ARollbackGivesEverythingBack) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  uint64_t file_pages = 0;
  for (int round = 0; round < 6; ++round) {
    {
      BulkLoader loader = Begin();
      KEEL_ASSERT_OK(PutMany(loader, "l", 0, kMany));
      KEEL_ASSERT_OK(loader.Put("m", std::string(1 << 20, 'L')));
      if (round % 2 == 0) loader.Rollback();
    }
    EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
    KEEL_ASSERT_OK(db_->Checkpoint());
    ExpectSound();
    if (round == 0) file_pages = db_->Stats().pages.file_pages;
    EXPECT_LE(db_->Stats().pages.file_pages, file_pages * 5 / 4);
  }
  KEEL_ASSERT_OK(db_->Put("after", "1"));
  LosePower();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"after", "1"}, {"kept", "1"}}));
  ExpectSound();
}

TEST_F(BulkLoaderTest, CloseAndTheTimeLimitEndIt) {
  for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  {
    BulkLoader late = Begin({}, {.time_limit = absl::Seconds(5)});
    KEEL_ASSERT_OK(PutMany(late, Numbered("k", 50), 0, 1000));
    Wait(absl::Seconds(6));
    EXPECT_TRUE(absl::IsDeadlineExceeded(late.Put(Numbered("k", 50) + "z", "1")));
    EXPECT_TRUE(absl::IsDeadlineExceeded(late.Commit().status()));
    BulkLoader closed = Begin();
    KEEL_ASSERT_OK(PutMany(closed, Numbered("k", 50), 0, 1000));
    KEEL_ASSERT_OK(db_->Close());
    EXPECT_TRUE(absl::IsFailedPrecondition(closed.Put(Numbered("k", 50) + "z", "1")));
    EXPECT_TRUE(absl::IsFailedPrecondition(closed.Commit().status()));
  }
  Open();
  EXPECT_TRUE(db_->recovery_report().clean);
  EXPECT_EQ(*db_->Count(), 101U);
  ExpectSound();
}

// R3: checkpoints of the visible version go on meanwhile, and none may know a page of it.
TEST_F(BulkLoaderTest, R3_CheckpointsMeanwhileKnowNothingOfIt) {
  for (int i = 0; i < 500; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
  BulkLoader loader = Begin();
  for (int part = 0; part < 5; ++part) {
    KEEL_ASSERT_OK(PutMany(loader, Numbered("k", 250), part * 3000, (part + 1) * 3000));
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
  ASSERT_TRUE(loader.Commit().ok());
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), 15'500U);
  EXPECT_EQ(GetText(*db_, Numbered(Numbered("k", 250), 14'999)), Value());
  ExpectSound();
}

// --- a full disk ---

TEST_F(BulkLoaderTest, G5_OnAFullDiskItGoesOnWhenThereIsRoom) {
  BulkLoader loader = Begin();
  KEEL_ASSERT_OK(PutMany(loader, "k", 0, 3000));
  disk_.set_capacity(disk_.used());
  int put = 3000;
  absl::Status status;
  while (status.ok() && put < 100'000) {
    status = loader.Put(Numbered("k", put), Value());
    if (status.ok()) ++put;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(loader.rows(), static_cast<uint64_t>(put));
  disk_.set_capacity(uint64_t{1} << 40);
  KEEL_ASSERT_OK(PutMany(loader, "k", put, put + 1000));
  ASSERT_TRUE(loader.Commit().ok());
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(put) + 1000);
  ExpectSound();
}

// What was put before the disk was full is not lost for that: it can be committed.
TEST_F(BulkLoaderTest, G5_CommitsOnAFullDisk) {
  for (int i = 0; i < 300; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("old", i), Value()));
  BulkLoader loader = Begin();
  KEEL_ASSERT_OK(PutMany(loader, "k", 0, 3000));
  disk_.set_capacity(disk_.used());
  int put = 3000;
  while (put < 100'000 && loader.Put(Numbered("k", put), Value()).ok()) ++put;
  const absl::StatusOr<Lsn> lsn = loader.Commit();
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  ExpectSound();
  LosePower();
  EXPECT_EQ(*db_->Count(), 300U + static_cast<uint64_t>(put));
  ExpectSound();
}

// --- failures of the disk at its commit ---

class FailedBulkCommitTest
    : public BulkLoaderTest,
      public ::testing::WithParamInterface<std::pair<io::SyncPurpose, absl::StatusCode>> {};

TEST_P(FailedBulkCommitTest, G4_AnswersWhatIsKnown) {
  const auto& [purpose, code] = GetParam();
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  BulkLoader loader = Begin();
  KEEL_ASSERT_OK(PutMany(loader, "l", 0, kMany));
  Fail(Syncs(purpose), 1);
  const absl::StatusOr<Lsn> lsn = loader.Commit();
  EXPECT_EQ(lsn.status().code(), code) << lsn.status();
  ExpectStopped();
  EXPECT_EQ(*db_->Count(), 1U);
  for (const wal::CrashChoice choice : {wal::CrashChoice::kNothing, wal::CrashChoice::kEverything,
                                        wal::CrashChoice::kRandom, wal::CrashChoice::kTorn}) {
    std::mt19937_64 random(7);
    OpenOn(disk_.AfterCrash(random, choice));
    const uint64_t there = *db_->Count();
    EXPECT_TRUE(there == 1 || (there == kMany + 1U && code == absl::StatusCode::kUnknown)) << there;
    EXPECT_EQ(GetText(*db_, "kept"), "1");
    ExpectSound();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Syncs, FailedBulkCommitTest,
    ::testing::Values(
        // Pages: the superblock was not begun, so it is certainly not committed.
        std::pair{io::SyncPurpose::kCheckpointPages, absl::StatusCode::kUnavailable},
        std::pair{io::SyncPurpose::kSuperblock, absl::StatusCode::kUnknown}));

TEST_F(BulkLoaderTest, G4_AFailedWriteOfItsPagesIsSaidAndNothingOfItIsThere) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  BulkLoader loader = Begin();
  Fail(DataWrites(), kForever);
  absl::Status status = PutMany(loader, "l", 0, kMany);
  EXPECT_THAT(std::string(status.message()), HasSubstr("injected failure"));
  EXPECT_FALSE(loader.Commit().ok());
  Heal();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
  BulkLoader again = Begin();
  KEEL_ASSERT_OK(PutMany(again, "l", 0, kMany));
  ASSERT_TRUE(again.Commit().ok());
  ExpectSound();
}

}  // namespace
}  // namespace keel::testing
