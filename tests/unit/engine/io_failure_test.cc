// Failing disks: syncs that fail (G4), writes that fail and recover, disks that are full (G5).

#include <memory>
#include <string>

#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/wal/memory_file_system.h"

namespace keel::testing {
namespace {

using wal::Call;
using wal::MemoryFileSystem;

class IoFailureTest : public ::testing::Test {
 protected:
  IoFailureTest() {
    options_.file_system = &disk_;
    options_.background = Background::kManual;
    options_.memory_bytes = uint64_t{4} << 20;
    options_.log_segment_bytes = uint64_t{256} << 10;
    options_.checkpoint_log_bytes = uint64_t{1} << 20;
    Open();
  }

  void Open() {
    db_.reset();
    auto opened = Database::Open("/db", options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    db_ = *std::move(opened);
  }

  // Fails syncs of one purpose, the first `times` of them.
  void FailSyncs(io::SyncPurpose purpose, int times) {
    disk_.set_fault([purpose, left = times](const Call& call) mutable {
      const bool hit = call.kind == Call::Kind::kSync && call.purpose == purpose && left > 0;
      if (hit) --left;
      return hit ? absl::UnavailableError("injected: sync failed") : absl::OkStatus();
    });
  }

  void ExpectStopped() {
    EXPECT_TRUE(absl::IsUnavailable(db_->Put("refused", "x")));
    EXPECT_TRUE(absl::IsUnavailable(db_->Begin().status()));
    EXPECT_FALSE(db_->Stats().health.ok);
    EXPECT_EQ(GetText(*db_, "kept"), "1");
    EXPECT_EQ(GetText(*db_, "refused"), "NotFound");
  }

  MemoryFileSystem disk_;
  Options options_;
  std::unique_ptr<Database> db_;
};

TEST_F(IoFailureTest, G4_FailedLogSyncIsUnknownThenUnavailable) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  FailSyncs(io::SyncPurpose::kLogFlush, 1);
  const absl::Status status = db_->Put("doubt", "1");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_EQ(GetText(*db_, "doubt"), "NotFound");  // the visible state stays as it was
  ExpectStopped();
  EXPECT_FALSE(db_->Close().ok());
  Open();
  EXPECT_EQ(GetText(*db_, "kept"), "1");
  KEEL_EXPECT_OK(db_->Put("works", "again"));
}

TEST_F(IoFailureTest, G4_FailedCheckpointSyncIsNeverBelievedLater) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  FailSyncs(io::SyncPurpose::kCheckpointPages, 1);
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
  FailSyncs(io::SyncPurpose::kSuperblock, 1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  ExpectStopped();
  EXPECT_FALSE(db_->Close().ok());
  Open();
  EXPECT_EQ(GetText(*db_, "kept"), "1");
}

TEST_F(IoFailureTest, G4_FailedGrowthSyncStopsTheTransactionThatMetIt) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  KEEL_ASSERT_OK(db_->Checkpoint());
  FailSyncs(io::SyncPurpose::kDataGrowth, 1);
  absl::Status status;
  for (int i = 0; status.ok() && i < 3000; ++i) {
    status = db_->Put(Numbered("k", i), std::string(900, 'x'), {Durability::kNone});
  }
  EXPECT_FALSE(status.ok());
  ExpectStopped();
  EXPECT_FALSE(db_->Close().ok());
  Open();
  EXPECT_EQ(GetText(*db_, "kept"), "1");
}

TEST_F(IoFailureTest, FailedPageWritesAreRepeated) {
  int left = 3;
  disk_.set_fault([&left](const Call& call) {
    const bool hit = call.kind == Call::Kind::kWrite && call.name == "data.keel" && left-- > 0;
    return hit ? absl::UnavailableError("injected: write failed") : absl::OkStatus();
  });
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_LT(left, 1);
  KEEL_ASSERT_OK(db_->Close());
  Open();
  EXPECT_TRUE(db_->recovery_report().clean);
  EXPECT_EQ(GetText(*db_, "kept"), "1");
}

TEST_F(IoFailureTest, G5_FullDiskRefusesWritesAndDamagesNothing) {
  int stored = 0;
  for (; stored < 200; ++stored) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", stored), std::string(900, 'x')));
  }
  disk_.set_capacity(uint64_t{6} << 20);
  absl::Status status;
  for (; status.ok() && stored < 20000; stored += status.ok() ? 1 : 0) {
    status = db_->Put(Numbered("k", stored), std::string(900, 'x'));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(db_->Stats().health.ok);
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored));
  for (int i = 0; i < stored; i += 2) KEEL_ASSERT_OK(db_->Delete(Numbered("k", i)));
  KEEL_ASSERT_OK(db_->Checkpoint());
  KEEL_EXPECT_OK(db_->Put("room", "again"));  // what the deletes freed
  KEEL_ASSERT_OK(db_->Close());
  Open();
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored / 2 + 1));
  const auto report = db_->Check();
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->ok());
}

TEST_F(IoFailureTest, ALogWithoutItsDataFileIsNotBuiltOver) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  const auto image = disk_.Copy();
  KEEL_ASSERT_OK(image->Remove("/db/data.keel"));
  options_.file_system = image.get();
  const absl::Status status = Database::Open("/db", options_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_FALSE(*image->Exists("/db/data.keel"));
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

}  // namespace
}  // namespace keel::testing
