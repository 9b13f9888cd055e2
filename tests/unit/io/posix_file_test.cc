#include "io/posix_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "io/posix_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/contract_world.h"
#include "tests/unit/io/scripted_calls.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

class PosixFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> Create(bool direct = false) {
    return *fs_.Open(Path(), {.create = true, .direct = direct});
  }
  std::filesystem::path Path() const { return directory_.path() / "file"; }
  FlushOutcome DataSyncWrite(File& file, uint64_t offset, char byte) {
    return file.WriteThenSync(offset, Filled(kBlock, byte).span(), SyncPurpose::kLogFlush,
                              FlushMethod::kDataSyncWrite);
  }
  uint64_t FlushCount() { return fs_.sync_counters().Get(SyncPurpose::kLogFlush); }

 private:
  testing::TempDir directory_;
  PosixFileSystem fs_;
};

// Transfers.

TEST_F(PosixFileTest, ShortAndInterruptedWritesGoOn) {
  auto file = Create();
  const AlignedBuffer data = RandomBytes(kBlock);
  const CallScript script(Call::kPwrite,
                          {AtMost(100), Fails(EINTR), AtMost(1), Fails(EAGAIN), AtMost(0)});
  EXPECT_TRUE(file->Write(0, data.span()).ok());
  EXPECT_EQ(script.calls(), 6U);
  EXPECT_EQ(ReadText(*file, 0, kBlock), TextOf(data.span()));
}

TEST_F(PosixFileTest, ShortAndInterruptedReadsGoOn) {
  auto file = Create();
  const AlignedBuffer data = RandomBytes(kBlock);
  ASSERT_TRUE(file->Write(0, data.span()).ok());
  const CallScript script(Call::kPread, {AtMost(100), Fails(EINTR), AtMost(1), Fails(EAGAIN)});
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), TextOf(data.span()));
}

TEST_F(PosixFileTest, ADirectWriteCutInsideABlockGoesOnAtTheBlock) {
  auto file = Create(true);
  if (!file->direct()) GTEST_SKIP() << "no direct files here";
  const AlignedBuffer data = RandomBytes(2 * kBlock);
  const size_t block = file->alignment();
  const CallScript script(Call::kPwrite, {Claims(block + 100), Claims(30), Fails(EINTR)});
  EXPECT_TRUE(file->Write(0, data.span()).ok());
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), TextOf(data.span()));
}

// Some file systems refuse to be asked for the rest of a block after the end of the file.
TEST_F(PosixFileTest, ADirectReadCutInsideABlockIsAtTheEndOfTheFile) {
  auto file = Create(true);
  if (!file->direct()) GTEST_SKIP() << "no direct files here";
  ASSERT_TRUE(file->Truncate(kBlock + 100).ok());
  const CallScript script(Call::kPread, {});
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), std::string(kBlock + 100, '\0'));
  EXPECT_EQ(script.calls(), 1U);
}

TEST_F(PosixFileTest, AWriteThatNeverGetsAheadEnds) {
  auto file = Create();
  const AlignedBuffer data = Filled(kBlock, 'a');
  {
    const CallScript script(Call::kPwrite, {}, Fails(EAGAIN));
    EXPECT_EQ(file->Write(0, data.span()).code(), absl::StatusCode::kUnavailable);
    EXPECT_LT(script.calls(), 1000U);
  }
  const CallScript script(Call::kPwrite, {}, AtMost(0));
  EXPECT_EQ(file->Write(0, data.span()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(PosixFileTest, ErrorsSayWhatWhereAndWhy) {
  auto file = Create();
  const CallScript writes(Call::kPwrite, {AtMost(512), Fails(EIO)});
  const absl::Status status = file->Write(kBlock, Filled(kBlock, 'a').span());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "pwrite " + Path().native() + " at 4608, 3584 bytes: Input/output error");
  const CallScript reads(Call::kPread, {Fails(EIO)});
  AlignedBuffer buffer = Filled(kBlock, '?');
  EXPECT_EQ(file->Read(0, buffer.span()).status().code(), absl::StatusCode::kUnavailable);
}

// Syncs.

TEST_F(PosixFileTest, AFailedSyncIsToldAndNotRepeated) {
  auto file = Create();
  for (const int error : {EIO, ENOSPC, EINTR, EAGAIN}) {
    const CallScript script(Call::kFdatasync, {Fails(error)});
    EXPECT_FALSE(file->Sync(SyncPurpose::kSuperblock).ok());
    EXPECT_EQ(script.calls(), 1U) << error;
  }
}

TEST_F(PosixFileTest, AFailedWriteBeginsNoSync) {
  auto file = Create();
  const CallScript writes(Call::kPwrite, {Fails(EIO)});
  const CallScript syncs(Call::kFdatasync, {});
  const auto outcome = file->WriteThenSync(0, Filled(kBlock, 'a').span(), SyncPurpose::kLogFlush,
                                           FlushMethod::kWriteThenSync);
  EXPECT_EQ(outcome.write.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(outcome.sync.ok());
  EXPECT_EQ(syncs.calls(), 0U);
  EXPECT_EQ(FlushCount(), 0U);
}

// A data-sync write covers its own bytes only; what was written before it must not be left out.
TEST_F(PosixFileTest, ADataSyncWriteIsTakenOnlyWhenAllElseIsSynced) {
  auto file = Create();
  const CallScript syncs(Call::kFdatasync, {});
  const CallScript data_sync_writes(Call::kPwritev2, {});
  EXPECT_TRUE(DataSyncWrite(*file, 0, 'a').ok());
  EXPECT_EQ(syncs.calls(), 1U) << "what others wrote before the file was opened";
  EXPECT_TRUE(DataSyncWrite(*file, kBlock, 'b').ok());
  EXPECT_TRUE(DataSyncWrite(*file, 2 * kBlock, 'c').ok());
  EXPECT_EQ(syncs.calls(), 1U);
  EXPECT_EQ(data_sync_writes.calls(), 2U);

  ASSERT_TRUE(file->Write(3 * kBlock, Filled(kBlock, 'd').span()).ok());
  EXPECT_TRUE(DataSyncWrite(*file, 4 * kBlock, 'e').ok());
  EXPECT_EQ(syncs.calls(), 2U) << "a write";
  ASSERT_TRUE(file->Truncate(100 * kBlock).ok());
  EXPECT_TRUE(DataSyncWrite(*file, 5 * kBlock, 'f').ok());
  EXPECT_EQ(syncs.calls(), 3U) << "a change of size";
  ASSERT_TRUE(file->Allocate(0, 200 * kBlock).ok());
  EXPECT_TRUE(DataSyncWrite(*file, 6 * kBlock, 'g').ok());
  EXPECT_EQ(syncs.calls(), 4U) << "a reservation";
  EXPECT_TRUE(DataSyncWrite(*file, 7 * kBlock, 'h').ok());
  EXPECT_EQ(syncs.calls(), 4U);
  EXPECT_EQ(FlushCount(), 7U);
}

TEST_F(PosixFileTest, AFailedSyncLeavesItsWritesUncovered) {
  auto file = Create();
  ASSERT_TRUE(file->Write(0, Filled(kBlock, 'a').span()).ok());
  const CallScript syncs(Call::kFdatasync, {Fails(EIO)});
  ASSERT_FALSE(file->Sync(SyncPurpose::kLogFlush).ok());
  EXPECT_TRUE(DataSyncWrite(*file, kBlock, 'b').ok());
  EXPECT_EQ(syncs.calls(), 2U);
}

TEST_F(PosixFileTest, ADataSyncWriteThatFailsIsAFailedSync) {
  auto file = Create();
  ASSERT_TRUE(file->Sync(SyncPurpose::kLogFlush).ok());
  const CallScript script(Call::kPwritev2, {AtMost(512), Fails(EINTR), Fails(EIO)});
  const FlushOutcome outcome = DataSyncWrite(*file, 0, 'a');
  EXPECT_TRUE(outcome.write.ok());
  EXPECT_EQ(outcome.sync.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(script.calls(), 3U);
}

TEST_F(PosixFileTest, WhereDataSyncWritesAreUnknownASyncFollowsTheWrite) {
  auto file = Create();
  ASSERT_TRUE(file->Sync(SyncPurpose::kLogSegment).ok());
  const CallScript data_sync_writes(Call::kPwritev2, {}, Fails(EOPNOTSUPP));
  const CallScript syncs(Call::kFdatasync, {});
  for (const uint64_t offset : {0U, 4096U, 8192U}) {
    EXPECT_TRUE(DataSyncWrite(*file, offset, 'a').ok());
  }
  EXPECT_EQ(data_sync_writes.calls(), 1U);
  EXPECT_EQ(syncs.calls(), 3U);
  EXPECT_EQ(FlushCount(), 3U);
}

// Space.

TEST_F(PosixFileTest, InterruptedReservationsGoOn) {
  auto file = Create();
  const CallScript script(Call::kFallocate, {Fails(EINTR), Works(), Fails(EINTR)});
  EXPECT_TRUE(file->Allocate(0, 40 << 20).ok());
  EXPECT_EQ(*file->Size(), 40U << 20);
}

TEST_F(PosixFileTest, AFailedReservationLeavesTheOldSize) {
  auto file = Create();
  ASSERT_TRUE(file->Write(0, Filled(kBlock, 'a').span()).ok());
  const CallScript script(Call::kFallocate, {Works(), Fails(ENOSPC)});
  EXPECT_EQ(file->Allocate(0, 64 << 20).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*file->Size(), kBlock);
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), std::string(kBlock, 'a'));
}

TEST_F(PosixFileTest, WithoutReservationZerosAreWrittenBeyondTheEndOnly) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct);
    ASSERT_TRUE(file->Truncate(0).ok());
    ASSERT_TRUE(file->Write(0, Filled(2 * kBlock, 'a').span()).ok());
    ASSERT_TRUE(file->Truncate(kBlock + 100).ok());
    const CallScript script(Call::kFallocate, {}, Fails(EOPNOTSUPP));
    const size_t end = (3U << 20) + 10;
    EXPECT_TRUE(file->Allocate(0, end).ok());
    EXPECT_EQ(*file->Size(), end);
    const std::string text(kBlock + 100, 'a');
    EXPECT_EQ(ReadText(*file, 0, 4U << 20), text + std::string(end - text.size(), '\0'));
    EXPECT_TRUE(file->Allocate(0, kBlock).ok());
    EXPECT_EQ(*file->Size(), end);
  }
}

}  // namespace
}  // namespace keel::io
