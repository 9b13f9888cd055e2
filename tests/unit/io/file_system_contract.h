// The contract of FileSystem, File, Clock and Random; every implementation passes it.

#ifndef KEEL_TESTS_UNIT_IO_FILE_SYSTEM_CONTRACT_H_
#define KEEL_TESTS_UNIT_IO_FILE_SYSTEM_CONTRACT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/io/contract_world.h"

namespace keel::io {

class FileSystemContract : public ContractTest {};

constexpr FlushMethod kFlushMethods[] = {FlushMethod::kWriteThenSync, FlushMethod::kDataSyncWrite,
                                         FlushMethod::kLinkedRequests};

// Opening.

TEST_P(FileSystemContract, OpenOfAMissingFileIsNotFound) {
  const absl::Status status = OpenError("missing", {});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(Path("missing").native()));
  EXPECT_EQ(OpenError("missing", {.read_only = true}).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(*fs().Exists(Path("missing")));
}

TEST_P(FileSystemContract, CreateMakesAnEmptyFileAndKeepsAFullOne) {
  EXPECT_EQ(*Create("file")->Size(), 0U);
  ASSERT_TRUE(Create("file")->Write(0, Filled(kBlock, 'a').span()).ok());
  EXPECT_EQ(*Create("file")->Size(), kBlock);
}

TEST_P(FileSystemContract, ExclusiveCreateRefusesAFileThatIsThere) {
  const FileOptions options = {.create = true, .exclusive = true};
  EXPECT_TRUE(OpenError("file", options).ok());
  EXPECT_EQ(OpenError("file", options).code(), absl::StatusCode::kAlreadyExists);
}

TEST_P(FileSystemContract, OpenOfADirectoryIsInvalid) {
  ASSERT_TRUE(fs().CreateDirectory(Path("directory")).ok());
  EXPECT_EQ(OpenError("directory", {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenError("directory", {.read_only = true}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(FileSystemContract, ReadOnlyFilesAreReadAndNotWritten) {
  ASSERT_TRUE(Create("file")->Write(0, Filled(kBlock, 'a').span()).ok());
  auto file = Open("file", {.read_only = true});
  EXPECT_EQ(ReadText(*file, 0, kBlock), std::string(kBlock, 'a'));
  const AlignedBuffer data = Filled(kBlock, 'b');
  EXPECT_EQ(file->Write(0, data.span()).code(), absl::StatusCode::kPermissionDenied);
  for (const FlushMethod method : kFlushMethods) {
    const uint64_t before = fs().sync_counters().Get(SyncPurpose::kLogFlush);
    const FlushOutcome outcome =
        file->WriteThenSync(0, data.span(), SyncPurpose::kLogFlush, method);
    EXPECT_EQ(outcome.write.code(), absl::StatusCode::kPermissionDenied) << FlushMethodName(method);
    EXPECT_TRUE(outcome.sync.ok()) << outcome.sync;
    EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kLogFlush), before) << "sync begun";
  }
  EXPECT_EQ(ReadText(*file, 0, kBlock), std::string(kBlock, 'a'));
}

// Transfers.

TEST_P(FileSystemContract, WhatIsWrittenIsRead) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    const AlignedBuffer data = RandomBytes(5 * kBlock);
    ASSERT_TRUE(file->Write(0, data.span()).ok());
    EXPECT_EQ(*file->Size(), 5 * kBlock);
    EXPECT_EQ(ReadText(*file, 0, 5 * kBlock), TextOf(data.span()));
    EXPECT_EQ(ReadText(*file, kBlock, kBlock), TextOf(data.span().subspan(kBlock, kBlock)));
  }
}

TEST_P(FileSystemContract, AnotherFileObjectSeesTheWrite) {
  auto writer = Create("file", true);
  auto reader = Open("file", {.read_only = true, .direct = true});
  ASSERT_TRUE(writer->Write(0, Filled(kBlock, 'a').span()).ok());
  EXPECT_EQ(ReadText(*reader, 0, kBlock), std::string(kBlock, 'a'));
}

TEST_P(FileSystemContract, OverwritingChangesNothingAround) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    ASSERT_TRUE(file->Write(0, Filled(3 * kBlock, 'a').span()).ok());
    ASSERT_TRUE(file->Write(kBlock, Filled(kBlock, 'b').span()).ok());
    EXPECT_EQ(ReadText(*file, 0, 3 * kBlock),
              std::string(kBlock, 'a') + std::string(kBlock, 'b') + std::string(kBlock, 'a'));
  }
}

TEST_P(FileSystemContract, AGapReadsAsZeros) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    ASSERT_TRUE(file->Write(2 * kBlock, Filled(kBlock, 'a').span()).ok());
    EXPECT_EQ(*file->Size(), 3 * kBlock);
    EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), std::string(2 * kBlock, '\0'));
  }
}

TEST_P(FileSystemContract, ReadsEndAtTheEndOfTheFile) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    EXPECT_EQ(ReadText(*file, 0, kBlock), "");
    ASSERT_TRUE(file->Write(0, Filled(3 * kBlock, 'a').span()).ok());
    EXPECT_EQ(ReadText(*file, kBlock, 8 * kBlock), std::string(2 * kBlock, 'a'));
    EXPECT_EQ(ReadText(*file, 3 * kBlock, kBlock), "");
    EXPECT_EQ(ReadText(*file, 100 * kBlock, kBlock), "");
    ASSERT_TRUE(file->Truncate(kBlock + 1000).ok());
    EXPECT_EQ(ReadText(*file, 0, 8 * kBlock), std::string(kBlock + 1000, 'a'));
    EXPECT_EQ(ReadText(*file, kBlock, kBlock), std::string(1000, 'a'));
  }
}

TEST_P(FileSystemContract, EmptyTransfersDoNothing) {
  auto file = Create("file");
  EXPECT_TRUE(file->Write(10, {}).ok());
  EXPECT_EQ(*file->Size(), 0U);
  EXPECT_EQ(*file->Read(0, {}), 0U);
}

TEST_P(FileSystemContract, MisalignedTransfersOfADirectFileAreInvalid) {
  auto file = Create("file", true);
  if (!file->direct()) GTEST_SKIP() << "no direct files here";
  ASSERT_LE(file->alignment(), kBlock);
  ASSERT_TRUE(file->Write(0, Filled(4 * kBlock, 'a').span()).ok());
  AlignedBuffer buffer = Filled(2 * kBlock, 'b');
  const size_t half = file->alignment() / 2;
  const std::pair<uint64_t, std::span<std::byte>> misaligned[] = {
      {half, buffer.span().first(kBlock)},
      {0, buffer.span().first(kBlock + half)},
      {0, buffer.span().subspan(half, kBlock)},
  };
  for (const auto& [offset, bytes] : misaligned) {
    EXPECT_EQ(file->Read(offset, bytes).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(file->Write(offset, bytes).code(), absl::StatusCode::kInvalidArgument);
    for (const FlushMethod method : kFlushMethods) {
      const auto outcome = file->WriteThenSync(offset, bytes, SyncPurpose::kLogFlush, method);
      EXPECT_EQ(outcome.write.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_TRUE(outcome.sync.ok());
    }
  }
  EXPECT_EQ(ReadText(*file, 0, 4 * kBlock), std::string(4 * kBlock, 'a'));
}

TEST_P(FileSystemContract, BufferedFilesTakeAnyPlaceAndLength) {
  auto file = Create("file");
  EXPECT_EQ(file->alignment(), 1U);
  EXPECT_FALSE(file->direct());
  const AlignedBuffer data = RandomBytes(1000);
  ASSERT_TRUE(file->Write(77, data.span().subspan(3, 900)).ok());
  EXPECT_EQ(ReadText(*file, 77, 900), TextOf(data.span().subspan(3, 900)));
}

TEST_P(FileSystemContract, PlacesBeyondTheLargestFileAreInvalid) {
  auto file = Create("file");
  AlignedBuffer buffer = Filled(kBlock, 'a');
  const uint64_t last = std::numeric_limits<int64_t>::max();
  for (const uint64_t offset : {last - 100, last + 1, ~uint64_t{0}}) {
    EXPECT_EQ(file->Write(offset, buffer.span()).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(file->Read(offset, buffer.span()).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(file->Allocate(offset, kBlock).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(file->Truncate(last + 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*file->Size(), 0U);
}

TEST_P(FileSystemContract, ThreadsMayUseOneFileAtOnce) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    std::vector<std::thread> threads;
    for (char name = 'a'; name < 'e'; ++name) {
      threads.emplace_back([&file, name] {
        const AlignedBuffer data = Filled(kBlock, name);
        for (uint64_t round = 0; round < 20; ++round) {
          const uint64_t offset = (round * 4 + static_cast<uint64_t>(name - 'a')) * kBlock;
          EXPECT_TRUE(file->Write(offset, data.span()).ok());
          EXPECT_EQ(ReadText(*file, offset, kBlock), std::string(kBlock, name));
          EXPECT_TRUE(round % 8 != 0 || file->Sync(SyncPurpose::kCheckpointPages).ok());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(*file->Size(), 80 * kBlock);
  }
}

// Syncs.

TEST_P(FileSystemContract, SyncsAreCountedByPurpose) {
  auto file = Create("file");
  ASSERT_TRUE(file->Write(0, Filled(kBlock, 'a').span()).ok());
  ASSERT_TRUE(file->Sync(SyncPurpose::kSuperblock).ok());
  ASSERT_TRUE(file->Sync(SyncPurpose::kSuperblock).ok());
  ASSERT_TRUE(fs().SyncDirectory(Root(), SyncPurpose::kLogDirectory).ok());
  EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kSuperblock), 2U);
  EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kLogDirectory), 1U);
  EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kLogFlush), 0U);
}

TEST_P(FileSystemContract, EveryFlushMethodWritesAndSyncs) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    uint64_t offset = 0;
    for (int round = 0; round < 3; ++round) {
      for (const FlushMethod method : kFlushMethods) {
        const AlignedBuffer data = RandomBytes(3 * kBlock, offset);
        const uint64_t before = fs().sync_counters().Get(SyncPurpose::kLogFlush);
        const auto outcome =
            file->WriteThenSync(offset, data.span(), SyncPurpose::kLogFlush, method);
        EXPECT_TRUE(outcome.ok()) << outcome.write << outcome.sync << FlushMethodName(method);
        EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kLogFlush), before + 1);
        EXPECT_EQ(ReadText(*file, offset, 3 * kBlock), TextOf(data.span()));
        offset += 3 * kBlock;
      }
    }
  }
}

TEST(SyncPurposeTest, EveryPurposeHasAName) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kSyncPurposes; ++i) {
    names.insert(SyncPurposeName(static_cast<SyncPurpose>(i)));
  }
  EXPECT_EQ(names.size(), kSyncPurposes);
  EXPECT_EQ(names.count("unknown"), 0U);
}

// Size and space.

TEST_P(FileSystemContract, AllocateExtendsWithZerosAndKeepsWhatIsThere) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    ASSERT_TRUE(file->Write(0, Filled(kBlock, 'a').span()).ok());
    ASSERT_TRUE(file->Allocate(0, 64 * kBlock).ok());
    EXPECT_EQ(*file->Size(), 64 * kBlock);
    EXPECT_EQ(ReadText(*file, 0, 64 * kBlock),
              std::string(kBlock, 'a') + std::string(63 * kBlock, '\0'));
    ASSERT_TRUE(file->Allocate(kBlock, kBlock).ok());
    EXPECT_EQ(*file->Size(), 64 * kBlock) << "it never shrinks";
    ASSERT_TRUE(file->Allocate(0, 0).ok());
    ASSERT_TRUE(file->Allocate(64 * kBlock, 1000).ok());
    EXPECT_EQ(*file->Size(), 64 * kBlock + 1000);
  }
}

TEST_P(FileSystemContract, TruncateCutsAndExtendsWithZeros) {
  auto file = Create("file");
  ASSERT_TRUE(file->Write(0, Filled(2 * kBlock, 'a').span()).ok());
  ASSERT_TRUE(file->Truncate(100).ok());
  EXPECT_EQ(*file->Size(), 100U);
  ASSERT_TRUE(file->Truncate(kBlock).ok());
  EXPECT_EQ(ReadText(*file, 0, kBlock), std::string(100, 'a') + std::string(kBlock - 100, '\0'));
  ASSERT_TRUE(file->Truncate(0).ok());
  EXPECT_EQ(*file->Size(), 0U);
}

TEST_P(FileSystemContract, FreeSpaceIsTold) {
  EXPECT_GT(*fs().FreeSpace(Root()), 0U);
  EXPECT_EQ(fs().FreeSpace(Path("missing")).status().code(), absl::StatusCode::kNotFound);
}

// Locks.

TEST_P(FileSystemContract, AnExclusiveLockExcludesEveryOther) {
  auto one = Create("file");
  auto two = Create("file");
  ASSERT_TRUE(one->TryLock(LockMode::kExclusive).ok());
  EXPECT_TRUE(one->TryLock(LockMode::kExclusive).ok()) << "its own does not stand in the way";
  EXPECT_EQ(two->TryLock(LockMode::kExclusive).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(two->TryLock(LockMode::kShared).code(), absl::StatusCode::kFailedPrecondition);
  one.reset();
  EXPECT_TRUE(two->TryLock(LockMode::kExclusive).ok());
}

TEST_P(FileSystemContract, SharedLocksGoTogether) {
  auto one = Create("file");
  auto two = Open("file", {.read_only = true});
  ASSERT_TRUE(one->TryLock(LockMode::kShared).ok());
  EXPECT_TRUE(two->TryLock(LockMode::kShared).ok());
  EXPECT_EQ(one->TryLock(LockMode::kExclusive).code(), absl::StatusCode::kFailedPrecondition);
  two.reset();
  EXPECT_TRUE(one->TryLock(LockMode::kExclusive).ok()) << "raised in place";
  EXPECT_TRUE(one->TryLock(LockMode::kShared).ok()) << "and lowered";
  EXPECT_TRUE(Create("file")->TryLock(LockMode::kShared).ok());
}

TEST_P(FileSystemContract, ClosingAnotherFileObjectKeepsTheLock) {
  auto one = Create("file");
  ASSERT_TRUE(one->TryLock(LockMode::kExclusive).ok());
  Create("file").reset();
  EXPECT_EQ(Create("file")->TryLock(LockMode::kShared).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_P(FileSystemContract, AnExclusiveLockNeedsAWritableFile) {
  Create("file");
  auto file = Open("file", {.read_only = true});
  EXPECT_EQ(file->TryLock(LockMode::kExclusive).code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(FileSystemContract, LocksOfDifferentFilesAreIndependent) {
  auto one = Create("one");
  auto two = Create("two");
  EXPECT_TRUE(one->TryLock(LockMode::kExclusive).ok());
  EXPECT_TRUE(two->TryLock(LockMode::kExclusive).ok());
}

// Names.

TEST_P(FileSystemContract, DirectoriesAreMadeOnce) {
  EXPECT_TRUE(fs().CreateDirectory(Path("directory")).ok());
  EXPECT_TRUE(*fs().Exists(Path("directory")));
  EXPECT_EQ(fs().CreateDirectory(Path("directory")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(fs().CreateDirectory(Path("missing") / "directory").code(),
            absl::StatusCode::kNotFound);
}

TEST_P(FileSystemContract, ListNamesWhatIsThereInOrder) {
  EXPECT_THAT(*fs().List(Root()), ::testing::IsEmpty());
  Create("b");
  ASSERT_TRUE(fs().CreateDirectory(Path("c")).ok());
  Create("a");
  Create("c/inner");
  EXPECT_THAT(*fs().List(Root()), ::testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(*fs().List(Path("c")), ::testing::ElementsAre("inner"));
  EXPECT_EQ(fs().List(Path("missing")).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemContract, RenameReplacesAndKeepsOpenFiles) {
  auto old_file = Create("old");
  ASSERT_TRUE(old_file->Write(0, Filled(kBlock, 'o').span()).ok());
  auto new_file = Create("new");
  ASSERT_TRUE(new_file->Write(0, Filled(kBlock, 'n').span()).ok());
  ASSERT_TRUE(fs().Rename(Path("new"), Path("old")).ok());
  EXPECT_FALSE(*fs().Exists(Path("new")));
  EXPECT_EQ(ReadText(*Open("old", {}), 0, kBlock), std::string(kBlock, 'n'));
  ASSERT_TRUE(new_file->Write(0, Filled(kBlock, 'm').span()).ok());
  EXPECT_EQ(ReadText(*Open("old", {}), 0, kBlock), std::string(kBlock, 'm'));
  EXPECT_EQ(ReadText(*old_file, 0, kBlock), std::string(kBlock, 'o')) << "nameless, but open";
  EXPECT_EQ(fs().Rename(Path("missing"), Path("x")).code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemContract, RemoveTakesFilesAndEmptyDirectories) {
  Create("file");
  EXPECT_TRUE(fs().Remove(Path("file")).ok());
  EXPECT_EQ(fs().Remove(Path("file")).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(fs().CreateDirectory(Path("directory")).ok());
  Create("directory/file");
  EXPECT_EQ(fs().Remove(Path("directory")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs().Remove(Path("directory/file")).ok());
  EXPECT_TRUE(fs().Remove(Path("directory")).ok());
  EXPECT_THAT(*fs().List(Root()), ::testing::IsEmpty());
}

TEST_P(FileSystemContract, SyncOfAMissingDirectoryIsNotFound) {
  EXPECT_EQ(fs().SyncDirectory(Path("missing"), SyncPurpose::kLogDirectory).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kLogDirectory), 0U);
}

// The rest of the world.

TEST_P(FileSystemContract, TimeGoesForward) {
  const absl::Duration before = fs().clock().Now();
  fs().clock().Sleep(absl::Milliseconds(2));
  EXPECT_GE(fs().clock().Now() - before, absl::Milliseconds(2));
}

TEST_P(FileSystemContract, RandomNumbersDiffer) {
  std::set<uint64_t> values;
  for (int i = 0; i < 100; ++i) values.insert(fs().random().Next64());
  EXPECT_EQ(values.size(), 100U);
}

TEST_P(FileSystemContract, BackendHasANameAndAReason) {
  EXPECT_FALSE(fs().backend().name.empty());
  EXPECT_FALSE(fs().backend().reason.empty());
  EXPECT_EQ(fs().process_id(), fs().process_id());
}

}  // namespace keel::io

#endif  // KEEL_TESTS_UNIT_IO_FILE_SYSTEM_CONTRACT_H_
