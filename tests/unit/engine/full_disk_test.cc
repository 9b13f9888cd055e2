// A full disk (G5): not one free byte, and reads, deletes, checkpoints, closing and opening work all the same.

#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = HealthIssue::Kind;

class FullDiskTest : public FailingDiskTest {
 protected:
  static std::string Value() { return std::string(900, 'x'); }

  // Fills the database, then leaves the disk not one free byte, and goes on until a write is refused. How many
  // keys there are.
  int FillUp(int keys = 2000) {
    int stored = 0;
    for (; stored < keys; ++stored) {
      EXPECT_TRUE(db_->Put(Numbered("k", stored), Value(), {Durability::kNone}).ok());
    }
    EXPECT_TRUE(db_->Checkpoint().ok());
    disk_.set_capacity(disk_.used());
    absl::Status status;
    while (status.ok() && stored < 20000) {
      status = db_->Put(Numbered("k", stored), Value());
      stored += status.ok() ? 1 : 0;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(disk_.used(), Capacity());
    refusal_ = std::string(MessageOf(status));
    return stored;
  }
  uint64_t Capacity() { return disk_.used() + *disk_.FreeSpace("/db"); }

  // One acknowledged change of random kind; ordinary writes may be refused.
  void Change(std::mt19937_64& random, Contents* model) {
    const std::string key = Numbered("k", static_cast<int>(random() % 1500));
    const std::string value(100 + random() % 3000, static_cast<char>('a' + random() % 26));
    const uint64_t kind = random() % 100;
    if (kind < 45) {
      const absl::Status status = db_->Put(key, value);
      EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
      if (status.ok()) (*model)[key] = value;
    } else if (kind < 97) {
      KEEL_EXPECT_OK(db_->Delete(key));
      model->erase(key);
    } else if (kind < 99) {
      const std::string end = key + "5";  // that key alone
      KEEL_EXPECT_OK(db_->DeleteRange(KeyRange(key, end)));
      model->erase(key);
    } else {
      KEEL_EXPECT_OK(db_->Checkpoint());
    }
  }

  std::string refusal_;
};

TEST_F(FullDiskTest, G5_WritesAreRefusedWithTheReasonAndDamageNothing) {
  events_.Take();
  const int stored = FillUp();
  EXPECT_THAT(refusal_, HasSubstr("no snapshot holds pages"));
  EXPECT_EQ(State(), HealthState::kDegraded);
  EXPECT_TRUE(db_->Stats().health.ok);
  EXPECT_THAT(events_.Take(), ElementsAre("+disk full", "healthy -> degraded"));
  EXPECT_THAT(*IssueMessage(Kind::kDiskFull), HasSubstr("cannot grow"));
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored));
  EXPECT_EQ(GetText(*db_, Numbered("k", stored)), "NotFound");
  ExpectSound();
}

TEST_F(FullDiskTest, G5_EverythingCanBeDeletedWithoutAFreeBlock) {
  const int stored = FillUp();
  for (int i = 0; i < stored; ++i) {
    const absl::Status status = db_->Delete(Numbered("k", i));
    ASSERT_TRUE(status.ok()) << i << ": " << status;
  }
  EXPECT_EQ(disk_.used(), Capacity());
  EXPECT_EQ(*db_->Count(), 0U);
  for (int i = 0; i < stored; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
  ExpectSound();
}

TEST_F(FullDiskTest, G5_DeletesSpreadOverTheTreeGoOnWithoutThreads) {
  const int stored = FillUp();
  int left = stored;
  for (const int step :
       {7, 5, 3, 2}) {  // one in each leaf, again and again: all of the tree is copied
    for (int i = 0; i < stored; i += step) {
      if (GetText(*db_, Numbered("k", i)) == "NotFound") continue;
      const absl::Status status = db_->Delete(Numbered("k", i), {Durability::kNone});
      ASSERT_TRUE(status.ok()) << i << ": " << status;
      --left;
    }
  }
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(left));
  ExpectSound();
}

TEST_F(FullDiskTest, G5_ARangeAndAKeyspaceCanBeDeleted) {
  const absl::StatusOr<Keyspace> other = db_->OpenKeyspace("other");
  ASSERT_TRUE(other.ok());
  for (int i = 0; i < 500; ++i) KEEL_ASSERT_OK(db_->Put(*other, Numbered("o", i), Value()));
  const int stored = FillUp();
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange(Numbered("k", 3), Numbered("k", stored - 3))));
  EXPECT_EQ(*db_->Count(), 6U);
  KEEL_ASSERT_OK(db_->DropKeyspace("other"));
  KEEL_EXPECT_OK(db_->Put("room", "again"));
  ExpectSound();
}

TEST_F(FullDiskTest, G5_CheckpointCloseAndReopenNeedNoFreeBlock) {
  const int stored = FillUp();
  for (int i = 0; i < 5; ++i) {
    KEEL_ASSERT_OK(db_->Delete(Numbered("k", i)));
    KEEL_ASSERT_OK(db_->Checkpoint());
  }
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_EQ(disk_.used(), Capacity());
  Open();
  EXPECT_TRUE(db_->recovery_report().clean);
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored - 5));
  ExpectSound();
  KEEL_EXPECT_OK(db_->Delete(Numbered("k", 6)));
  EXPECT_EQ(disk_.used(), Capacity());
}

TEST_F(FullDiskTest, G5_RecoveryNeedsNoFreeBlock) {
  const int stored = FillUp();
  for (int i = 0; i < stored; i += 9) KEEL_ASSERT_OK(db_->Delete(Numbered("k", i)));
  uint64_t left = *db_->Count();
  const auto crashed = disk_.Copy();
  for (int crash = 0; crash < 3; ++crash) {
    OpenOn(crash == 0 ? crashed->Copy() : image_->Copy());
    EXPECT_EQ(*image_->FreeSpace("/db"), 0U);
    EXPECT_EQ(*db_->Count(), left);
    ExpectSound();
    KEEL_EXPECT_OK(db_->Delete("k000001"));
    KEEL_EXPECT_OK(db_->Delete("k000002"));
    left = *db_->Count();
  }
}

// Pages that were used again and again before the crash are used again as soon when it is all repeated.
TEST_F(FullDiskTest, G5_RecoveryOfManyCommitsNeedsNoFreeBlock) {
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  // So many leaves that 4000 changes leave some alone: were each of them replaced once, no page would be left for more.
  const int left = FillUp(7000) / 2;
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::From(Numbered("k", left))));
  KEEL_ASSERT_OK(db_->Checkpoint());
  std::mt19937_64 random(TestSeed());
  for (int n = 0; n < 4000; ++n) {
    const int key = static_cast<int>(random() % static_cast<uint64_t>(left));
    KEEL_ASSERT_OK(db_->Put(Numbered("k", key), Value(), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Sync());
  const Contents before = ReadAll(*db_);
  OpenOn(disk_.Copy());
  ASSERT_NE(db_, nullptr);
  EXPECT_EQ(*image_->FreeSpace("/db"), 0U);
  EXPECT_GT(db_->recovery_report().transactions_replayed, 3000U);
  EXPECT_EQ(ReadAll(*db_), before);
  ExpectSound();
}

// Whatever is done on a full disk, and whenever the power goes: what is left opens again without a free block, has
// all that was acknowledged, and deletes work on it.
TEST_F(FullDiskTest, G5_AfterAnyCrashItOpensAgain) {
  options_.checkpoint_log_bytes = uint64_t{64}
                                  << 20;  // checkpoints are made for want of room alone
  KEEL_ASSERT_OK(db_->Close());
  Open();
  FillUp(1200);
  std::mt19937_64 random(TestSeed());
  Contents model = ReadAll(*db_);
  MemoryFileSystem* disk = &disk_;
  for (int crash = 0; crash < 30; ++crash) {
    const uint64_t operations = random() % 300;
    for (uint64_t i = 0; i < operations; ++i) Change(random, &model);
    OpenOn(disk->AfterCrash(random));
    ASSERT_NE(db_, nullptr) << "crash " << crash;
    disk = image_;
    ASSERT_EQ(ReadAll(*db_), model) << "crash " << crash;
    ExpectSound();
  }
}

TEST_F(FullDiskTest, G5_WritingResumesByItselfOnceThereIsRoom) {
  const int stored = FillUp();
  EXPECT_FALSE(db_->Put("more", Value()).ok());
  events_.Take();
  disk_.set_capacity(Capacity() + (uint64_t{64} << 20));
  KEEL_EXPECT_OK(db_->Put("more", Value()));
  KEEL_EXPECT_OK(db_->RunBackgroundWork());
  Wait(absl::Seconds(6));
  KEEL_EXPECT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kHealthy);
  EXPECT_THAT(events_.Take(), ElementsAre("-disk full", "degraded -> healthy"));
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored) + 1);
}

TEST_F(FullDiskTest, G5_WhatIsOverwrittenGivesItsSpaceBack) {
  const int stored = FillUp();
  for (int i = 1000; i < 1100; ++i) KEEL_ASSERT_OK(db_->Delete(Numbered("k", i)));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) {
      const absl::Status status = db_->Put(Numbered("k", i), std::string(900, 'y'));
      ASSERT_TRUE(status.ok()) << i << ": " << status;
    }
  }
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored - 100));
  EXPECT_EQ(disk_.used(), Capacity());
}

// What deletes freed comes back with the next checkpoint: one is made for it, though the log is short.
TEST_F(FullDiskTest, G5_CheckpointsReturnWhatWasFreedWithoutBeingAsked) {
  FillUp();
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange("k000100", "k001900")));
  const uint64_t generation = db_->Stats().checkpoints.generation;
  const uint64_t free = db_->Stats().pages.free_pages;
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_GT(db_->Stats().checkpoints.generation, generation);
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  KEEL_ASSERT_OK(db_->Put("one", Value()));
  EXPECT_GT(db_->Stats().pages.free_pages, free + 300);
  const uint64_t idle = db_->Stats().checkpoints.generation;
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_LE(db_->Stats().checkpoints.generation, idle + 1);
}

// Deletes leave the checkpoint's part of the reserve: as many pages as the catalogue has, and not one more.
TEST_F(FullDiskTest, G5_CheckpointsGoOnWithTheirPartOfTheReserveAlone) {
  const int stored = FillUp();
  const Snapshot snapshot = db_->GetSnapshot();
  absl::Status status;
  for (int i = 0; status.ok() && i < stored; i += 4) status = db_->Delete(Numbered("k", i));
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  for (int round = 0; round < 10; ++round) {
    KEEL_ASSERT_OK(db_->OpenKeyspace("extra").status());  // takes no page of a tree
    KEEL_ASSERT_OK(db_->Checkpoint());
    KEEL_ASSERT_OK(db_->DropKeyspace("extra"));
    KEEL_ASSERT_OK(db_->Checkpoint());
  }
  EXPECT_LE(db_->Stats().pages.free_pages, 2U);
}

TEST_F(FullDiskTest, G5_TheErrorNamesTheSnapshotThatHoldsTheSpace) {
  const int stored = FillUp();
  std::vector<Snapshot> snapshots;
  snapshots.push_back(db_->GetSnapshot("nightly report"));
  Wait(absl::Seconds(90));
  // Deletes eat the reserve, since what they free is held.
  absl::Status status;
  for (int i = 0; status.ok() && i < stored; i += 4) {  // one in each leaf: all of them are copied
    status = db_->Delete(Numbered("k", i));
    if (i == 100) snapshots.push_back(db_->GetSnapshot("small"));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  const std::string refusal(MessageOf(status));
  EXPECT_THAT(refusal, HasSubstr("the snapshot \"nightly report\" of LSN"));
  EXPECT_THAT(refusal, HasSubstr("taken 1m30s ago, holds "));
  EXPECT_THAT(std::string(MessageOf(db_->Put("more", Value()))), HasSubstr("nightly report"));
  KEEL_EXPECT_OK(db_->Checkpoint());
  EXPECT_EQ(*snapshots[0].Count(), static_cast<uint64_t>(stored));
  snapshots.clear();
  for (int i = 0; i < stored; ++i) KEEL_ASSERT_OK(db_->Delete(Numbered("k", i)));
  EXPECT_EQ(*db_->Count(), 0U);
  ExpectSound();
}

// Deletes fill the log, for which there is no further segment: each time a checkpoint cuts it.
TEST_F(FullDiskTest, G5_AFullLogIsCutByTheWriterThatNeedsRoom) {
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  const int stored = FillUp(200);
  const uint64_t generation = db_->Stats().checkpoints.generation;
  const uint64_t log_before = db_->Stats().log.bytes_written;
  for (int i = 0; i < stored; ++i) KEEL_ASSERT_OK(db_->Delete(Numbered("k", i)));
  while (db_->Stats().log.bytes_written - log_before < uint64_t{8} << 20) {
    KEEL_ASSERT_OK(db_->Put("same", Value()));
  }
  EXPECT_GT(db_->Stats().checkpoints.generation, generation);
  EXPECT_EQ(disk_.used(), Capacity());
}

// A transaction whose records outgrow one frame meets the log's end in the middle of them.
TEST_F(FullDiskTest, G5_AStreamedTransactionHasTheLogCutToo) {
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  FillUp();
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange("k000500", "k002000")));
  for (int round = 0; round < 10; ++round) {
    absl::StatusOr<Transaction> transaction = db_->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (int i = 0; i < 400; ++i) {
      KEEL_ASSERT_OK(transaction->Put(Numbered("k", i), std::string(900, 'z')));
    }
    KEEL_ASSERT_OK(transaction->Commit().status());
  }
  EXPECT_EQ(disk_.used(), Capacity());
  ExpectSound();
}

TEST_F(FullDiskTest, G5_ThreadsDeleteAndOverwriteOnAFullDisk) {
  options_.background = Background::kThreads;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  const int stored = FillUp();
  const auto delete_half = [&](int first) {
    for (int i = first; i < stored; i += 2) KEEL_EXPECT_OK(db_->Delete(Numbered("k", i)));
  };
  std::thread other([&] { delete_half(1); });
  delete_half(0);
  other.join();
  EXPECT_EQ(*db_->Count(), 0U);
  for (int i = 0; i < 1000; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
  EXPECT_EQ(disk_.used(), Capacity());
  ExpectSound();
}

TEST_F(FullDiskTest, G5_CanBeOpenedReadOnly) {
  const int stored = FillUp();
  KEEL_ASSERT_OK(db_->Close());
  options_.read_only = true;
  Open();
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored));
  EXPECT_EQ(State(), HealthState::kReadOnly);
  EXPECT_TRUE(db_->Stats().health.ok);
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Delete("k000001")));
}

TEST_F(FullDiskTest, G5_ATransactionIsRolledBackWhole) {
  const int stored = FillUp();
  absl::StatusOr<Transaction> transaction = db_->Begin();
  ASSERT_TRUE(transaction.ok());
  KEEL_ASSERT_OK(transaction->Delete("k000000"));
  absl::Status status;
  for (int i = 0; status.ok() && i < 5000; ++i)
    status = transaction->Put(Numbered("t", i), Value());
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  KEEL_EXPECT_OK(transaction->Delete("k000001"));  // the one operation failed, not the transaction
  transaction->Rollback();
  EXPECT_EQ(*db_->Count(), static_cast<uint64_t>(stored));
  ExpectSound();
}

// A batch whose last change meets the full disk leaves nothing of those before, now or after a crash.
TEST_F(FullDiskTest, G5_ABatchThatFailsHalfWayLeavesNoTrace) {
  FillUp();
  const Contents before = ReadAll(*db_);
  WriteBatch batch;
  batch.Delete(Numbered("k", 0));
  batch.Put(Numbered("k", 1), "changed");
  batch.Put("large", std::string(size_t{1} << 20, 'x'));
  const absl::StatusOr<Lsn> lsn = db_->Write(batch);
  EXPECT_TRUE(absl::IsResourceExhausted(lsn.status())) << lsn.status();
  EXPECT_EQ(ReadAll(*db_), before);
  ExpectSound();
  KEEL_EXPECT_OK(db_->Delete("none"));  // what follows builds on a whole state
  EXPECT_EQ(ReadAll(*db_), before);
  OpenOn(disk_.Copy());
  EXPECT_EQ(ReadAll(*db_), before);
  ExpectSound();
}

// --- early warnings ---

TEST_F(FullDiskTest, WarnsBeforeTheDiskIsFull) {
  disk_.set_capacity(disk_.used() + (uint64_t{15} << 20));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kDegraded);
  EXPECT_TRUE(HasIssue(Kind::kDiskNearlyFull));
  KEEL_EXPECT_OK(db_->Put("works", Value()));
}

TEST_F(FullDiskTest, WarnsOfALogNearItsLimit) {
  options_.memory_bytes = uint64_t{16} << 20;
  KEEL_ASSERT_OK(db_->Close());
  Open();
  Fail(DataWrites(), kForever);
  for (int i = 0; db_->Stats().log.bytes_since_checkpoint < 3 * options_.checkpoint_log_bytes / 2;
       ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
  }
  EXPECT_FALSE(db_->RunBackgroundWork().ok());
  EXPECT_TRUE(HasIssue(Kind::kLogNearLimit));
}

TEST_F(FullDiskTest, WarnsOfPinnedMemory) {
  for (int i = 0; i < 2400; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value(), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Checkpoint());
  std::vector<PinnedValue> pins;
  for (int i = 0; i < 2400; i += 4) {
    absl::StatusOr<PinnedValue> value = db_->Get(Numbered("k", i));
    ASSERT_TRUE(value.ok());
    pins.push_back(*std::move(value));
  }
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_TRUE(HasIssue(Kind::kMemoryPinned)) << db_->Stats().memory.pinned_frames;
  pins.clear();
  Wait(absl::Seconds(6));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kHealthy);
}

TEST_F(FullDiskTest, WarnsOfAnOldSnapshot) {
  for (int i = 0; i < 1000; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
  {
    const Snapshot snapshot = db_->GetSnapshot("forgotten");
    for (int i = 0; i < 1000; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Value()));
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    EXPECT_EQ(State(), HealthState::kHealthy);
    Wait(absl::Seconds(61));
    KEEL_ASSERT_OK(db_->RunBackgroundWork());
    ASSERT_TRUE(HasIssue(Kind::kOldSnapshot));
    EXPECT_THAT(*IssueMessage(Kind::kOldSnapshot), HasSubstr("forgotten"));
    EXPECT_EQ(db_->Stats().snapshots[0].label, "forgotten");
  }
  Wait(absl::Seconds(6));
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  EXPECT_EQ(State(), HealthState::kHealthy);
}

}  // namespace
}  // namespace keel::testing
