// What rings leave undone, and when they fail.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "io/uring_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/child_process.h"
#include "tests/unit/io/contract_world.h"
#include "tests/unit/io/scoped_mount.h"
#include "tests/unit/io/scripted_calls.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

class UringTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const absl::Status probed = UringFileSystem::Probe(); !probed.ok()) {
      GTEST_SKIP() << probed;
    }
  }

  UringFileSystem& fs() { return fs_; }
  std::unique_ptr<File> Create(bool direct = false) {
    return *fs_.Open(directory_.path() / "file", {.create = true, .direct = direct});
  }

 private:
  testing::TempDir directory_;
  UringFileSystem fs_;
};

// Linked requests.

class UringFlushTest : public UringTest {
 protected:
  static constexpr uint64_t kWriteTag = 0;
  static constexpr uint64_t kSyncTag = 1;

  FlushOutcome Flush(File& file, const AlignedBuffer& data) {
    return file.WriteThenSync(0, data.span(), SyncPurpose::kLogFlush, FlushMethod::kLinkedRequests);
  }
  uint64_t FlushCount() { return fs().sync_counters().Get(SyncPurpose::kLogFlush); }
};

TEST_F(UringFlushTest, TheRingDoesBoth) {
  auto file = Create(true);
  const AlignedBuffer data = RandomBytes(2 * kBlock);
  const CallScript writes(Call::kPwrite, {});
  const CallScript syncs(Call::kFdatasync, {});
  const CallScript submits(Call::kUringSubmit, {});
  EXPECT_TRUE(Flush(*file, data).ok());
  EXPECT_EQ(writes.calls() + syncs.calls(), 0U);
  EXPECT_EQ(submits.calls(), 1U);
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), TextOf(data.span()));
}

TEST_F(UringFlushTest, TheKernelItselfHoldsTheSyncBackWhenTheWriteFails) {
  const ScopedMount disk = ScopedMount::Tmpfs(64);
  KEEL_SKIP_IF_REFUSED(disk);
  auto file = *fs().Open(disk.path() / "file", {.create = true});
  RingScript ring;
  EXPECT_EQ(Flush(*file, Filled(256 << 10, 'a')).write.code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ring.real_results.at(kSyncTag), -ECANCELED);
  EXPECT_EQ(FlushCount(), 0U);
}

// The kernel has then synced too early.
TEST_F(UringFlushTest, AShortWriteIsFinishedAndSyncedAgain) {
  auto file = Create();
  const AlignedBuffer data = RandomBytes(2 * kBlock);
  const CallScript syncs(Call::kFdatasync, {});
  RingScript ring;
  ring.Shorten(kWriteTag, 1000);
  EXPECT_TRUE(Flush(*file, data).ok());
  EXPECT_EQ(syncs.calls(), 1U);
  EXPECT_EQ(FlushCount(), 1U);
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), TextOf(data.span()));
}

TEST_F(UringFlushTest, AShortWriteThatBrokeTheChainIsFinishedAndSynced) {
  auto file = Create();
  const AlignedBuffer data = RandomBytes(2 * kBlock);
  const CallScript syncs(Call::kFdatasync, {});
  RingScript ring;
  ring.Shorten(kWriteTag, 1000).Answer(kSyncTag, -ECANCELED);
  EXPECT_TRUE(Flush(*file, data).ok());
  EXPECT_EQ(syncs.calls(), 1U);
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), TextOf(data.span()));
}

TEST_F(UringFlushTest, AnInterruptedOrCancelledWriteIsRepeated) {
  for (const int result : {-EINTR, -EAGAIN, -ECANCELED, -EFAULT}) {
    auto file = Create();
    const AlignedBuffer data = RandomBytes(kBlock, static_cast<uint64_t>(-result));
    const CallScript syncs(Call::kFdatasync, {});
    RingScript ring;
    ring.Answer(kWriteTag, result).Answer(kSyncTag, -ECANCELED);
    EXPECT_TRUE(Flush(*file, data).ok());
    EXPECT_EQ(syncs.calls(), 1U);
    EXPECT_EQ(ReadText(*file, 0, kBlock), TextOf(data.span()));
  }
}

TEST_F(UringFlushTest, AFailedWriteBeginsNoSync) {
  auto file = Create();
  const CallScript syncs(Call::kFdatasync, {});
  RingScript ring;
  ring.Answer(kWriteTag, -EIO).Answer(kSyncTag, -ECANCELED);
  const FlushOutcome outcome = Flush(*file, Filled(kBlock, 'a'));
  EXPECT_EQ(outcome.write.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(outcome.sync.ok());
  EXPECT_EQ(syncs.calls(), 0U);
  EXPECT_EQ(FlushCount(), 0U);
}

TEST_F(UringFlushTest, AFailedSyncIsToldAndNotRepeated) {
  for (const int error : {EIO, ENOSPC, EINTR, EAGAIN}) {
    auto file = Create();
    const CallScript syncs(Call::kFdatasync, {});
    RingScript ring;
    ring.Answer(kSyncTag, -error);
    const FlushOutcome outcome = Flush(*file, Filled(kBlock, 'a'));
    EXPECT_TRUE(outcome.write.ok());
    EXPECT_FALSE(outcome.sync.ok());
    EXPECT_EQ(syncs.calls(), 0U) << error;
  }
}

TEST_F(UringFlushTest, AFailedSyncIsToldAlsoAfterAShortWrite) {
  auto file = Create();
  RingScript ring;
  ring.Shorten(kWriteTag, 512).Answer(kSyncTag, -EIO);
  EXPECT_EQ(Flush(*file, Filled(kBlock, 'a')).sync.code(), absl::StatusCode::kUnavailable);
}

TEST_F(UringFlushTest, ASyncCancelledForNoReasonIsMadeUpFor) {
  auto file = Create();
  const CallScript syncs(Call::kFdatasync, {});
  RingScript ring;
  ring.Answer(kSyncTag, -ECANCELED);
  EXPECT_TRUE(Flush(*file, Filled(kBlock, 'a')).ok());
  EXPECT_EQ(syncs.calls(), 1U);
}

TEST_F(UringFlushTest, ARingThatRefusesIsGivenUp) {
  auto file = Create();
  const CallScript submits(Call::kUringSubmit, {}, Fails(EPERM));
  const CallScript syncs(Call::kFdatasync, {});
  for (uint64_t round = 1; round < 4; ++round) {
    const AlignedBuffer data = RandomBytes(kBlock, round);
    EXPECT_TRUE(Flush(*file, data).ok());
    EXPECT_EQ(syncs.calls(), round);
    EXPECT_EQ(ReadText(*file, 0, kBlock), TextOf(data.span()));
  }
  EXPECT_EQ(submits.calls(), 1U);
  EXPECT_EQ(FlushCount(), 3U);
}

TEST_F(UringFlushTest, ItCoversEarlierWritesForDataSyncWrites) {
  auto file = Create();
  ASSERT_TRUE(file->Write(kBlock, Filled(kBlock, 'a').span()).ok());
  ASSERT_TRUE(Flush(*file, Filled(kBlock, 'b')).ok());
  const CallScript syncs(Call::kFdatasync, {});
  const CallScript data_sync_writes(Call::kPwritev2, {});
  const auto outcome = file->WriteThenSync(0, Filled(kBlock, 'c').span(), SyncPurpose::kLogFlush,
                                           FlushMethod::kDataSyncWrite);
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(syncs.calls(), 0U);
  EXPECT_EQ(data_sync_writes.calls(), 1U);
}

// Queues. The tag that a ring sees is the request's place in the queue, from 0.

class UringQueueTest : public UringTest {
 protected:
  static IoCompletion Run(IoQueue& queue, const IoRequest& request) {
    std::vector<IoCompletion> completions;
    EXPECT_TRUE(queue.Submit({&request, 1}).ok());
    EXPECT_TRUE(queue.Wait(1, &completions).ok());
    return completions.at(0);
  }
  static IoRequest Request(IoRequest::Kind kind, File* file, AlignedBuffer& data) {
    return {.kind = kind, .file = file, .data = data.data(), .length = data.size(), .tag = 7};
  }
};

TEST_F(UringQueueTest, WhatIsLeftOfATransferIsFinished) {
  for (const int result : {-EINTR, -EAGAIN, -ECANCELED, -EFAULT, 0}) {
    auto file = Create();
    auto queue = *fs().NewQueue(1);
    AlignedBuffer out = RandomBytes(2 * kBlock, static_cast<uint64_t>(-result));
    AlignedBuffer in = Filled(2 * kBlock, '?');
    for (const bool write : {true, false}) {
      RingScript ring;
      ring.Shorten(0, 1000);
      if (result < 0) ring.Answer(0, result);
      const IoCompletion completion =
          Run(*queue, write ? Request(IoRequest::Kind::kWrite, file.get(), out)
                            : Request(IoRequest::Kind::kRead, file.get(), in));
      EXPECT_TRUE(completion.status.ok()) << completion.status;
      EXPECT_EQ(completion.bytes, 2 * kBlock);
    }
    EXPECT_EQ(TextOf(in.span()), TextOf(out.span()));
  }
}

TEST_F(UringQueueTest, ErrorsAreCarriedByTheTag) {
  auto file = Create();
  auto queue = *fs().NewQueue(1);
  AlignedBuffer data = Filled(kBlock, 'a');
  for (const auto kind :
       {IoRequest::Kind::kWrite, IoRequest::Kind::kRead, IoRequest::Kind::kSync}) {
    RingScript ring;
    ring.Answer(0, -EIO);
    const IoCompletion completion = Run(*queue, Request(kind, file.get(), data));
    EXPECT_EQ(completion.tag, 7U);
    EXPECT_EQ(completion.bytes, 0U);
    EXPECT_EQ(completion.status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(completion.status.message()), HasSubstr(file->path().native()));
  }
}

TEST_F(UringQueueTest, OnlyASyncThatWasNotBegunIsMadeUpFor) {
  auto file = Create();
  auto queue = *fs().NewQueue(1);
  AlignedBuffer none;
  const IoRequest request = Request(IoRequest::Kind::kSync, file.get(), none);
  for (const int result : {-EIO, -EINTR, -EAGAIN, -ECANCELED, -EFAULT}) {
    const bool begun = result != -ECANCELED && result != -EFAULT;
    const CallScript syncs(Call::kFdatasync, {});
    RingScript ring;
    ring.Answer(0, result);
    EXPECT_EQ(Run(*queue, request).status.ok(), !begun) << result;
    EXPECT_EQ(syncs.calls(), begun ? 0U : 1U) << result;
  }
  EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kCheckpointPages), 5U);
}

TEST_F(UringQueueTest, WritesOfAQueueAreNotLeftOutByADataSyncWrite) {
  auto file = Create();
  ASSERT_TRUE(file->Sync(SyncPurpose::kLogSegment).ok());
  auto queue = *fs().NewQueue(1);
  AlignedBuffer data = Filled(kBlock, 'a');
  ASSERT_TRUE(Run(*queue, Request(IoRequest::Kind::kWrite, file.get(), data)).status.ok());
  const CallScript syncs(Call::kFdatasync, {});
  EXPECT_TRUE(
      file->WriteThenSync(kBlock, data.span(), SyncPurpose::kLogFlush, FlushMethod::kDataSyncWrite)
          .ok());
  EXPECT_EQ(syncs.calls(), 1U);
}

TEST_F(UringQueueTest, DepthIsBounded) {
  EXPECT_EQ((*fs().NewQueue(3))->depth(), 3U);
  EXPECT_LE((*fs().NewQueue(1 << 20))->depth(), 1U << 12);
}

// A program may install a system call filter after the database is open.
TEST_F(UringQueueTest, AKernelThatTakesNoMoreRequestsIsDoneWithout) {
  const std::string report = RunInChild([this]() -> std::string {
    auto file = Create(true);
    auto queue = *fs().NewQueue(8);
    AlignedBuffer data = Filled(32 * kBlock, 'a');
    std::vector<IoRequest> requests;
    for (size_t i = 0; i < 32; ++i) {
      requests.push_back({.kind = IoRequest::Kind::kWrite,
                          .file = file.get(),
                          .offset = i * kBlock,
                          .data = data.data() + i * kBlock,
                          .length = kBlock,
                          .tag = i});
    }
    // The first ones are under way when the filter comes.
    queue->Submit(std::span(requests).first(8)).IgnoreError();
    if (std::string why = RefuseSystemCall(SYS_io_uring_enter, EPERM); !why.empty()) return why;
    queue->Submit(std::span(requests).subspan(8)).IgnoreError();
    std::vector<IoCompletion> completions;
    queue->Wait(32, &completions).IgnoreError();
    for (const IoCompletion& completion : completions) {
      if (!completion.status.ok()) return completion.status.ToString();
    }
    if (completions.size() != 32) return std::to_string(completions.size()) + " completions";
    const bool written = ReadText(*file, 0, 32 * kBlock) == std::string(32 * kBlock, 'a');
    return written ? "" : "not written";
  });
  EXPECT_EQ(report, "");
}

TEST_F(UringQueueTest, DestroyingItInAForkedChildNeitherWaitsNorTakes) {
  auto file = Create(true);
  auto queue = *fs().NewQueue(32);
  AlignedBuffer data = Filled(32 * kBlock, 'a');
  std::vector<IoRequest> requests;
  for (size_t i = 0; i < 32; ++i) {
    requests.push_back({.kind = IoRequest::Kind::kWrite,
                        .file = file.get(),
                        .offset = i * kBlock,
                        .data = data.data() + i * kBlock,
                        .length = kBlock,
                        .tag = i});
  }
  ASSERT_TRUE(queue->Submit(requests).ok());
  EXPECT_EQ(RunInChild([&]() -> std::string {
              queue.reset();
              file.reset();
              return "";
            }),
            "");
  std::vector<IoCompletion> completions;
  ASSERT_TRUE(queue->Wait(32, &completions).ok());
  EXPECT_EQ(completions.size(), 32U);
}

}  // namespace
}  // namespace keel::io
