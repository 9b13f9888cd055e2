// Failing disks: syncs that fail (G4), writes that fail and recover, reads that fail.
//
// One test for each row of errors: where it strikes, whether once or for good, and what must come of it.

#include <absl/synchronization/notification.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = HealthIssue::Kind;

class IoFailureTest : public FailingDiskTest {
 protected:
  void Fill(int begin, int end) {
    for (int i = begin; i < end; ++i) {
      KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(900, 'x'), {Durability::kNone}));
    }
  }

  // Puts until one is refused; how many were taken, and why the last was not.
  std::pair<int, absl::Status> PutUntilRefused(int most) {
    absl::Status status;
    int stored = 0;
    for (; stored < most; ++stored) {
      status = db_->Put(Numbered("k", stored), std::string(900, 'x'));
      if (!status.ok()) break;
    }
    return {stored, status};
  }

  void ReopenAfterStop() {
    EXPECT_FALSE(db_->Close().ok());
    Heal();
    Open();
    EXPECT_EQ(GetText(*db_, "kept"), "1");
    KEEL_EXPECT_OK(db_->Put("works", "again"));
    EXPECT_EQ(State(), HealthState::kHealthy);
    ExpectSound();
  }
};

// --- the log ---

// Of a streaming transaction, a change that was applied and then could not be logged: its cursors, which pin no inner
// node, begin anew behind it (Q1). `entries` walked.
void WalkBehindAPutThatFails(Database& db, size_t value_bytes, const std::function<void()>& fail,
                             int* entries) {
  absl::StatusOr<Transaction> transaction = db.Begin();
  KEEL_ASSERT_OK(transaction.status());
  Cursor cursor = transaction->NewCursor();
  const std::string value(value_bytes, 'x');
  Contents model;
  for (int i = 0; i < 5000; ++i) {
    if (i == 300) fail();
    const std::string key = Numbered("k", i);
    if (i >= 6) cursor.Seek(Numbered("k", i - 6));
    if (!transaction->Put(key, value).ok()) break;
    model[key] = value;
  }
  ASSERT_LT(model.size(), 5000U);
  auto at = std::prev(model.end(), 6);
  for (; cursor.Valid() && at != model.end(); cursor.Next(), ++at, ++*entries) {
    ASSERT_EQ(cursor.key(), at->first);
  }
  EXPECT_TRUE(!cursor.status().ok() || at == model.end());
  EXPECT_FALSE(absl::IsDataLoss(cursor.status())) << cursor.status();
}

TEST_F(IoFailureTest, ACursorSeesWhatAPutThatCannotBeLoggedHasChanged) {
  int entries = 0;
  for (size_t round = 0; round < 12;
       ++round) {  // in some of them that put splits a leaf beside the cursor
    const auto fail = [this] { Fail(LogWrites(), kForever); };
    WalkBehindAPutThatFails(*db_, 600 + 40 * round, fail, &entries);
    Heal();
    Open();
  }
  EXPECT_GT(entries, 0);
}

TEST_F(IoFailureTest, G4_AFailedLogWriteIsRepeatedAtTheSamePlace) {
  Fail(LogWrites(), 2);
  KEEL_EXPECT_OK(db_->Put("kept", "1"));
  EXPECT_EQ(db_->Stats().log.write_retries, 2U);
  EXPECT_EQ(State(), HealthState::kHealthy);
  OpenOn(disk_.Copy());
  EXPECT_EQ(GetText(*db_, "kept"), "1");
}

TEST_F(IoFailureTest, G4_LogWritesThatKeepFailingAreUnknownThenUnavailable) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  events_.Take();
  Fail(LogWrites(), kForever);
  const absl::Status status = db_->Put("doubt", "1");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_THAT(events_.Take(), ElementsAre("+I/O failure", "healthy -> stopped", "stopped"));
  ExpectStopped();
  ReopenAfterStop();
}

TEST_F(IoFailureTest, G4_ALogWriteThatMeetsAFullDiskStops) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Fail(LogWrites(), kForever, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(db_->Put("doubt", "1").code(), absl::StatusCode::kUnknown);
  ExpectStopped();
  ReopenAfterStop();
}

TEST_F(IoFailureTest, G4_FailedLogSyncIsUnknownThenUnavailable) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  events_.Take();
  Fail(Syncs(io::SyncPurpose::kLogFlush), 1);
  const absl::Status status = db_->Put("doubt", "1");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_EQ(GetText(*db_, "doubt"), "NotFound");  // the visible state stays as it was
  EXPECT_THAT(events_.Take(), ElementsAre("+I/O failure", "healthy -> stopped", "stopped"));
  ExpectStopped();
  ReopenAfterStop();
}

// Delayed allocation: the sync finds that there is no room for what was written. It is a failed sync like any other.
TEST_F(IoFailureTest, G4_ASyncThatMeetsAFullDiskStops) {
  for (const io::SyncPurpose purpose :
       {io::SyncPurpose::kLogFlush, io::SyncPurpose::kCheckpointPages,
        io::SyncPurpose::kSuperblock}) {
    KEEL_ASSERT_OK(db_->Put("kept", "1"));
    Fail(Syncs(purpose), 1, absl::StatusCode::kResourceExhausted);
    db_->Put("doubt", "1").IgnoreError();
    EXPECT_FALSE(db_->Checkpoint().ok());
    ExpectStopped();
    ReopenAfterStop();
  }
}

// Pages that find no room, on a disk that promised it: the checkpoint is tried again, commits go on.
TEST_F(IoFailureTest, G5_PageWritesThatMeetAFullDiskAreTriedAgain) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Fail(DataWrites(), kForever, absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(absl::IsResourceExhausted(db_->Checkpoint()));
  EXPECT_EQ(State(), HealthState::kDegraded);
  KEEL_EXPECT_OK(db_->Put("more", "1"));
  Heal();
  Wait(absl::Seconds(1));
  KEEL_EXPECT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kHealthy);
  ExpectSound();
}

// A directory whose sync failed may have lost the new segment: it is not used, the log goes on without.
TEST_F(IoFailureTest, G4_AFailedDirectorySyncCostsASegmentAndNothingElse) {
  const auto directory = [](const Call& call) { return call.kind == Call::Kind::kSyncDirectory; };
  Fail(directory, kForever);
  const auto [stored, status] = PutUntilRefused(20000);
  ASSERT_FALSE(status.ok());  // once no segment is left
  EXPECT_NE(status.code(), absl::StatusCode::kUnknown);
  EXPECT_NE(State(), HealthState::kStopped);
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored));
  Heal();
  KEEL_EXPECT_OK(db_->Put("room", "again"));
  std::mt19937_64 random(1);
  OpenOn(disk_.AfterCrash(random, wal::CrashChoice::kNothing));
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored) + 1);
}

// --- the data file ---

TEST_F(IoFailureTest, G4_FailedCheckpointSyncIsNeverBelievedLater) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Fail(Syncs(io::SyncPurpose::kCheckpointPages), 1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  const uint64_t generation = db_->Stats().checkpoints.generation;
  EXPECT_TRUE(absl::IsUnavailable(db_->Checkpoint()));
  EXPECT_EQ(db_->Stats().checkpoints.generation, generation);
  ExpectStopped();
  EXPECT_FALSE(db_->Close().ok());
  Open();
  EXPECT_GE(db_->recovery_report().transactions_replayed, 1U);
  EXPECT_EQ(GetText(*db_, "kept"), "1");
  KEEL_EXPECT_OK(db_->Checkpoint());
}

TEST_F(IoFailureTest, G4_FailedSuperblockSyncStops) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Fail(Syncs(io::SyncPurpose::kSuperblock), 1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  ExpectStopped();
  ReopenAfterStop();
}

TEST_F(IoFailureTest, G4_FailedSuperblockWriteStops) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  const auto superblock = [](const Call& call) {
    const bool copy = call.offset == 0 || call.offset == 65536 || call.offset == 1 << 20 ||
                      call.offset == (1 << 20) + 65536;
    return DataWrites()(call) && copy;
  };
  Fail(superblock, 1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  ExpectStopped();
  ReopenAfterStop();
}

TEST_F(IoFailureTest, G4_FailedGrowthSyncStopsTheTransactionThatMetIt) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  KEEL_ASSERT_OK(db_->Checkpoint());
  Fail(Syncs(io::SyncPurpose::kDataGrowth), 1);
  EXPECT_TRUE(absl::IsUnavailable(PutUntilRefused(3000).second));
  ExpectStopped();
  ReopenAfterStop();
}

TEST_F(IoFailureTest, G4_AFailedGrowthFailsOneWrite) {
  const auto growth = [](const Call& call) {
    return call.kind == Call::Kind::kTruncate && call.name == "data.keel";
  };
  Fail(growth, 1);
  const auto [stored, status] = PutUntilRefused(3000);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(State(), HealthState::kHealthy);
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored));
  KEEL_EXPECT_OK(db_->Put("works", "again"));
  ExpectSound();
}

TEST_F(IoFailureTest, G4_FailedPageWritesAreRepeated) {
  Fail(DataWrites(), 3);
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_EQ(State(), HealthState::kHealthy);
  KEEL_ASSERT_OK(db_->Close());
  Open();
  EXPECT_TRUE(db_->recovery_report().clean);
  EXPECT_EQ(GetText(*db_, "kept"), "1");
}

TEST_F(IoFailureTest, G4_AFailedCheckpointIsTriedAgainAfterGrowingPauses) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  events_.Take();
  Fail(DataWrites(), kForever);
  EXPECT_FALSE(db_->Checkpoint().ok());
  EXPECT_EQ(State(), HealthState::kDegraded);
  EXPECT_TRUE(db_->Stats().health.ok);
  EXPECT_THAT(*IssueMessage(Kind::kCheckpointsFail), HasSubstr("injected"));
  KEEL_EXPECT_OK(db_->Put("more", "1"));  // commits go on
  for (const int pause : {1, 2, 4, 8}) {
    EXPECT_EQ(db_->Stats().checkpoints.failed, 1U + (pause > 1) + (pause > 2) + (pause > 4));
    Wait(absl::Seconds(pause) - absl::Milliseconds(200));
    KEEL_EXPECT_OK(db_->RunBackgroundWork());  // not yet
    Wait(absl::Milliseconds(200));
    EXPECT_FALSE(db_->RunBackgroundWork().ok());
  }
  EXPECT_THAT(events_.Take(), ElementsAre("+checkpoints fail", "healthy -> degraded"));
  Heal();
  Wait(absl::Seconds(16));
  KEEL_EXPECT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kHealthy);
  EXPECT_THAT(events_.Take(), ElementsAre("-checkpoints fail", "degraded -> healthy"));
  OpenOn(disk_.Copy());
  EXPECT_EQ(GetText(*db_, "kept"), "1");
  EXPECT_EQ(GetText(*db_, "more"), "1");
  ExpectSound();
}

TEST_F(IoFailureTest, G4_PageWritesThatKeepFailingEndInReadOnlyAndBack) {
  options_.memory_bytes = uint64_t{16} << 20;
  ASSERT_TRUE(db_->Close().ok());
  Open();
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  events_.Take();
  Fail(DataWrites(), kForever);
  const auto [stored, refused] = PutUntilRefused(20000);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("until a checkpoint succeeds"));
  EXPECT_THAT(events_.Take(), ElementsAre("+checkpoints fail", "healthy -> degraded",
                                          "+log at its limit", "degraded -> read-only"));
  EXPECT_GE(db_->Stats().log.bytes_since_checkpoint, 2 * options_.checkpoint_log_bytes);
  EXPECT_EQ(State(), HealthState::kReadOnly);
  EXPECT_FALSE(db_->Stats().health.ok);
  // Refused at once, without a checkpoint each; reads go on.
  const uint64_t failed = db_->Stats().checkpoints.failed;
  EXPECT_TRUE(absl::IsResourceExhausted(db_->Begin().status()));
  EXPECT_TRUE(absl::IsResourceExhausted(db_->Delete("kept")));
  EXPECT_EQ(db_->Stats().checkpoints.failed, failed);
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored) + 1);
  Heal();
  Wait(absl::Seconds(2));
  KEEL_EXPECT_OK(db_->Put("works", "again"));  // in kManual the one who waits does the work
  EXPECT_EQ(State(), HealthState::kHealthy);
  EXPECT_THAT(events_.Take(),
              ElementsAre("-log at its limit", "-checkpoints fail", "read-only -> healthy"));
  ExpectSound();
}

TEST_F(IoFailureTest, G4_ThreadsEndReadOnlyByThemselves) {
  options_.memory_bytes = uint64_t{16} << 20;
  options_.background = Background::kThreads;
  ASSERT_TRUE(db_->Close().ok());
  Open();
  Fail(DataWrites(), kForever);
  const auto [stored, refused] = PutUntilRefused(20000);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(State(), HealthState::kReadOnly);
  Heal();
  for (int i = 0; i < 200 && State() == HealthState::kReadOnly; ++i) {
    Wait(absl::Minutes(1));
    absl::SleepFor(absl::Milliseconds(50));
  }
  KEEL_EXPECT_OK(db_->Put("works", "again"));
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored) + 1);
}

TEST_F(IoFailureTest, G4_AFailureInAnyStateStops) {
  options_.memory_bytes = uint64_t{16} << 20;
  ASSERT_TRUE(db_->Close().ok());
  Open();
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  Fail(DataWrites(), kForever);
  EXPECT_TRUE(absl::IsResourceExhausted(PutUntilRefused(20000).second));
  ASSERT_EQ(State(), HealthState::kReadOnly);
  events_.Take();
  Fail(Syncs(io::SyncPurpose::kCheckpointPages), 1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  EXPECT_THAT(events_.Take(), ElementsAre("+I/O failure", "read-only -> stopped", "stopped"));
  ExpectStopped();
  Wait(absl::Minutes(2));
  EXPECT_TRUE(absl::IsUnavailable(db_->RunBackgroundWork()));
  EXPECT_TRUE(events_.Take().empty());
  ReopenAfterStop();
}

// Memory full of changed pages that cannot be written: one transaction fails, nothing stops.
TEST_F(IoFailureTest, G4_ChangedPagesThatCannotBeWrittenAreToldAndTriedAgain) {
  options_.checkpoint_log_bytes = uint64_t{16} << 20;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  events_.Take();
  Fail(DataWrites(), kForever);
  const auto [stored, refused] = PutUntilRefused(20000);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("cannot be written"));
  KEEL_EXPECT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kDegraded);
  EXPECT_TRUE(HasIssue(Kind::kPageWritesFail));
  EXPECT_TRUE(HasIssue(Kind::kMemoryChanged));
  EXPECT_THAT(events_.Take(), ElementsAre("+page writes fail", "healthy -> degraded",
                                          "+memory full of changed pages"));
  Heal();
  Wait(absl::Seconds(6));
  KEEL_EXPECT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kHealthy);
  KEEL_EXPECT_OK(db_->Put("works", "again"));
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored) + 2);
  ExpectSound();
}

// --- reads ---

class ReadFailureTest : public IoFailureTest {
 protected:
  ReadFailureTest() {
    Fill(0, 2000);
    KEEL_EXPECT_OK(db_->Close());
    Open();
    // Where the leaf of one key lies.
    disk_.TakeCalls();
    EXPECT_EQ(GetText(*db_, "k001000").size(), 900U);
    for (const Call& call : disk_.TakeCalls()) {
      if (call.kind == Call::Kind::kRead) leaf_ = call.offset;
    }
    KEEL_EXPECT_OK(db_->Close());
    Open();
  }

  Which LeafReads() const {
    return [leaf = leaf_](const Call& call) {
      return call.kind == Call::Kind::kRead && call.name == "data.keel" && call.offset == leaf;
    };
  }

  uint64_t leaf_ = 0;
};

TEST_F(ReadFailureTest, G3_AReadThatFailsOnceIsRepeated) {
  Fail(LeafReads(), 1);
  EXPECT_EQ(GetText(*db_, "k001000").size(), 900U);
  EXPECT_EQ(State(), HealthState::kHealthy);
}

TEST_F(ReadFailureTest, G3_AReadThatKeepsFailingIsDamageOfThatPageAlone) {
  Fail(LeafReads(), kForever);
  EXPECT_TRUE(absl::IsDataLoss(db_->Get("k001000").status()));
  EXPECT_EQ(GetText(*db_, "k000000").size(), 900U);
  EXPECT_EQ(GetText(*db_, "k001999").size(), 900U);
  KEEL_EXPECT_OK(db_->Put("elsewhere", "1"));
  EXPECT_TRUE(absl::IsDataLoss(db_->Put("k001000", "new")));
  EXPECT_NE(State(), HealthState::kStopped);
  Heal();
  EXPECT_EQ(GetText(*db_, "k001000").size(), 900U);
}

TEST_F(IoFailureTest, G4_AStoppedDatabaseStillOpensItsKeyspaces) {
  const absl::StatusOr<Keyspace> made = db_->OpenKeyspace("x");
  KEEL_ASSERT_OK(made.status());
  KEEL_ASSERT_OK(db_->Put(*made, "k", "1"));
  KEEL_ASSERT_OK(db_->Put("visible", "and never durable", {Durability::kNone}));
  EXPECT_EQ(GetText(*db_, "visible"), "and never durable");
  Fail(Syncs(io::SyncPurpose::kLogFlush), kForever);
  EXPECT_FALSE(db_->Sync().ok());
  const absl::StatusOr<Keyspace> known = db_->OpenKeyspace("x");
  KEEL_ASSERT_OK(known.status());
  EXPECT_EQ(GetText(*db_, "k", *known), "1");
  EXPECT_FALSE(db_->OpenKeyspace("another").ok());
}

// What broke: of "/data/db/" the directory itself was taken for the one that has its name.
TEST_F(IoFailureTest, ADirectoryGivenWithASlashBehindIsNamedDurablyToo) {
  for (const char* const directory : {"/data/db", "/data/db/", "/data/./db//"}) {
    MemoryFileSystem disk;
    KEEL_ASSERT_OK(disk.CreateDirectory("/data"));
    options_.file_system = &disk;
    auto db = Database::Open(directory, options_);
    KEEL_ASSERT_OK(db.status());
    std::vector<std::string> parents;
    for (const Call& call : disk.TakeCalls()) {
      if (call.kind != Call::Kind::kSyncDirectory) continue;
      if (call.purpose == io::SyncPurpose::kParentDirectory) parents.push_back(call.name);
    }
    EXPECT_THAT(parents, ::testing::Contains("data")) << directory;
    KEEL_EXPECT_OK((*db)->Close());
  }
}

// What broke: the loop that is in the headers went on behind a large value that could not be read, and ended well.
TEST_F(IoFailureTest, G3_AWalkEndsAtALargeValueThatCannotBeRead) {
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  KEEL_ASSERT_OK(db_->Put("b", std::string(100'000, 'x')));
  KEEL_ASSERT_OK(db_->Put("c", "1"));
  const Snapshot snapshot = db_->GetSnapshot();
  for (const bool of_snapshot : {false, true}) {
    for (const bool forwards : {true, false}) {
      Cursor cursor = of_snapshot ? snapshot.NewCursor() : db_->NewCursor();
      forwards ? cursor.SeekToFirst() : cursor.SeekToLast();
      Fail([](const Call& call) { return call.kind == Call::Kind::kRead; }, kForever);
      std::vector<std::string> keys;
      for (; cursor.Valid(); forwards ? cursor.Next() : cursor.Prev()) {
        keys.emplace_back(cursor.key());
        EXPECT_EQ(cursor.value().size(), keys.back() == "b" ? 0U : 1U);
      }
      EXPECT_EQ(keys, (std::vector<std::string>{forwards ? "a" : "c", "b"}));
      EXPECT_FALSE(cursor.status().ok());
      Heal();
      cursor.Seek("b");
      ASSERT_TRUE(cursor.Valid());
      EXPECT_EQ(cursor.value().size(), 100'000U);
    }
  }
}

// The last commit rots before any other is made. An idle log carries a mark behind it (R11), so that it is not taken
// for one that was never finished.
TEST_F(IoFailureTest, R11_TheLastCommitOfAnIdleDatabaseCannotVanish) {
  const std::string value = "the last value before the pause";
  KEEL_ASSERT_OK(db_->Put("last", value));
  for (int round = 0; round < 3; ++round) {
    Wait(absl::Seconds(1));
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
  }
  images_.push_back(disk_.Copy());
  MemoryFileSystem* const image = images_.back().get();
  int spoilt = 0;
  for (const std::filesystem::path& path : image->Paths()) {
    std::vector<std::byte>& bytes = image->Bytes(path);
    const auto text = std::as_bytes(std::span(value));
    const auto place = std::search(bytes.begin(), bytes.end(), text.begin(), text.end());
    if (place == bytes.end() || path.filename() == "data.keel") continue;
    *place ^= std::byte{1};
    ++spoilt;
  }
  ASSERT_EQ(spoilt, 1);
  db_.reset();
  options_.file_system = image;
  EXPECT_TRUE(absl::IsDataLoss(TryOpen()));
}

// --- opening ---

TEST_F(IoFailureTest, ALogWithoutItsDataFileIsNotBuiltOver) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  const auto image = disk_.Copy();
  KEEL_ASSERT_OK(image->Remove("/db/data.keel"));
  options_.file_system = image.get();
  const absl::Status status = Database::Open("/db", options_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_FALSE(*image->Exists("/db/data.keel"));
}

// Whatever call of opening fails: the database does not open, and opens whole the next time.
TEST_F(IoFailureTest, G4_AFailedOpenLeavesTheDatabaseAsItWas) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  const auto crashed = disk_.Copy();
  int opened = 0;
  for (int skip = 0; opened == 0; ++skip) {
    const auto image = crashed->Copy();
    options_.file_system = image.get();
    int left = skip;
    image->set_fault([&left](const Call& call) {
      const bool change = call.kind == Call::Kind::kWrite || call.kind == Call::Kind::kSync ||
                          call.kind == Call::Kind::kSyncDirectory;
      return change && left-- <= 0 ? absl::UnavailableError("injected failure") : absl::OkStatus();
    });
    opened += TryOpen().ok() ? 1 : 0;
    image->set_fault(nullptr);
    db_.reset();
    SCOPED_TRACE(skip);
    Open();
    ASSERT_EQ(GetText(*db_, "kept"), "1");
    db_.reset();
  }
}

// What broke: a full disk that left no room for another log segment refused every commit, deletes too, for as
// long as no checkpoint was due. Now the commit makes one, which cuts the log.
TEST_F(IoFailureTest, G5_DeletesGoOnWhereTheLogCannotGrow) {
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  Open();
  // In one commit, so that it leaves few segments behind.
  WriteBatch batch;
  for (int i = 0; i < 500; ++i) batch.Put(Numbered("key", i), "value");
  KEEL_ASSERT_OK(db_->Write(batch).status());
  KEEL_ASSERT_OK(db_->Checkpoint());
  constexpr uint64_t kEndless = uint64_t{1} << 40;
  disk_.set_capacity(kEndless);
  disk_.set_capacity(kEndless - *disk_.FreeSpace("/db"));
  for (int i = 0; i < 500; ++i) KEEL_ASSERT_OK(db_->Delete(Numbered("key", i)));
  EXPECT_EQ(*db_->Count(), 0U);
  EXPECT_TRUE(db_->Check()->ok());
  KEEL_EXPECT_OK(db_->Close());
}

// The log's device is measured by its own thread once the open is over, or at its end where no threads are wanted.
class LogMeasurementTest : public IoFailureTest {
 protected:
  // Closed, and to be opened so.
  void Close(Background background) {
    KEEL_ASSERT_OK(db_->Put("kept", "1"));
    KEEL_ASSERT_OK(db_->Close());
    db_.reset();
    options_.background = background;
    for (const auto& path : disk_.Paths()) sizes_[path.filename()] = disk_.Bytes(path).size();
  }
  // A write to a segment's last block, which only the measurement makes.
  Which Measurements() {
    return [this](const Call& call) {
      return LogWrites()(call) && call.bytes == 4096 && call.offset + 4096 == sizes_[call.name];
    };
  }
  // The sync that follows one.
  Which SyncsOfMeasurements() {
    return [this, measured = false](const Call& call) mutable {
      if (call.kind == Call::Kind::kWrite) measured = Measurements()(call);
      return Syncs(io::SyncPurpose::kLogSegment)(call) && measured;
    };
  }
  // Commits until something has come of the log thread's work, or a put is refused; the last put's status.
  template <typename Reached>
  absl::Status PutUntil(Reached&& reached) {
    absl::Status status;
    for (int i = 0; i < 200'000 && status.ok() && !reached(); ++i) status = db_->Put("k", "v");
    return status;
  }
  std::string FlushMethod() { return db_->Stats().io.flush_method; }
  absl::StatusOr<Lsn> PutAsync(std::string_view key) {
    WriteBatch batch;
    batch.Put(key, "v");
    return db_->Write(batch, {Durability::kAsync});
  }

  std::map<std::string, uint64_t> sizes_;
};

TEST_F(LogMeasurementTest, TheQuickestMethodIsUsedWithThreadsAndWithout) {
  disk_.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
  Close(Background::kManual);
  Open();
  EXPECT_EQ(FlushMethod(), "data-sync write");
  Close(Background::kThreads);
  Open();
  KEEL_EXPECT_OK(PutUntil([&] { return FlushMethod() == "data-sync write"; }));
  EXPECT_EQ(FlushMethod(), "data-sync write");
}

// A measuring write takes along what waits for a flush, and there may be nothing left to flush behind it.
TEST_F(LogMeasurementTest, WhatItMakesDurableIsTold) {
  Close(Background::kThreads);
  Open();
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Lsn> lsn = PutAsync(Numbered("k", i));
    KEEL_ASSERT_OK(lsn.status());
    absl::Notification told;
    const auto tell = [&told](const absl::Status& status) {
      KEEL_EXPECT_OK(status);
      told.Notify();
    };
    KEEL_ASSERT_OK(db_->OnDurable(*lsn, tell));
    if (told.WaitForNotificationWithTimeout(absl::Seconds(20))) continue;
    ADD_FAILURE() << "commit " << i << " was durable, and nobody was told";
    KEEL_EXPECT_OK(db_->Sync());
    told.WaitForNotification();
    return;
  }
}

TEST_F(LogMeasurementTest, G4_ASyncThatFailsInItStops) {
  Close(Background::kThreads);
  Fail(SyncsOfMeasurements(), 1);
  Open();
  EXPECT_FALSE(PutUntil([] { return false; }).ok());
  ExpectStopped();
  EXPECT_THAT(events_.Take(), ::testing::Contains("stopped"));
  ReopenAfterStop();
}

TEST_F(LogMeasurementTest, G4_ASyncThatFailsInItWithoutThreadsFailsTheOpen) {
  Close(Background::kManual);
  Fail(SyncsOfMeasurements(), 1);
  EXPECT_TRUE(absl::IsUnavailable(TryOpen()));
  Heal();
  Open();
  EXPECT_EQ(GetText(*db_, "kept"), "1");
}

TEST_F(LogMeasurementTest, AWriteThatFailsInItLeavesThePlainMethod) {
  disk_.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
  Close(Background::kManual);
  Fail(Measurements(), 1);
  Open();
  EXPECT_EQ(FlushMethod(), "write then sync");
  KEEL_EXPECT_OK(db_->Put("works", "1"));
}

// What opening a database that was closed costs: none of it is there twice, and it grows with nothing but the number of
// log segments.
TEST_F(IoFailureTest, OpeningAClosedDatabaseAsksTheDiskForLittle) {
  for (int i = 0; i < 500; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("key", i), std::string(900, 'v')));
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  disk_.TakeCalls();
  Open();
  std::map<std::string, int> opens;
  std::map<std::string, int> reads;
  std::map<std::string, int> syncs;
  for (const Call& call : disk_.TakeCalls()) {
    if (call.kind == Call::Kind::kOpen) ++opens[call.name];
    if (call.kind == Call::Kind::kRead) ++reads[call.name];
    // How often the flush methods are tried depends on their times.
    const bool tried = call.purpose == io::SyncPurpose::kLogSegment;
    if (call.kind == Call::Kind::kSync && !tried)
      ++syncs[std::string(SyncPurposeName(call.purpose))];
  }
  for (const auto& [name, count] : opens) EXPECT_EQ(count, 1) << name;
  // Four copies of the superblock, each twice; the catalogue; the map that the checkpoint changes.
  EXPECT_EQ(reads["data.keel"], 10);
  reads.erase("data.keel");
  for (const auto& [name, count] : reads) EXPECT_EQ(count, 1) << name;
  // The superblock's two copies one by one; the fresh log's first header; the pages and the superblock of the
  // checkpoint, and the frame that carries its generation.
  const std::string pages(SyncPurposeName(io::SyncPurpose::kCheckpointPages));
  const std::string superblock(SyncPurposeName(io::SyncPurpose::kSuperblock));
  const std::string flush(SyncPurposeName(io::SyncPurpose::kLogFlush));
  EXPECT_EQ(syncs, (std::map<std::string, int>{{pages, 1}, {superblock, 3}, {flush, 2}}));
}

}  // namespace
}  // namespace keel::testing
