// The contract of IoQueue; every implementation passes it.

#ifndef KEEL_TESTS_UNIT_IO_IO_QUEUE_CONTRACT_H_
#define KEEL_TESTS_UNIT_IO_IO_QUEUE_CONTRACT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/io/contract_world.h"

namespace keel::io {

class IoQueueContract : public ContractTest {
 protected:
  std::unique_ptr<IoQueue> NewQueue(size_t depth) {
    absl::StatusOr<std::unique_ptr<IoQueue>> queue = fs().NewQueue(depth);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return *std::move(queue);
  }

  static IoRequest ReadRequest(File* file, uint64_t offset, std::span<std::byte> bytes,
                               uint64_t tag) {
    return {.kind = IoRequest::Kind::kRead,
            .file = file,
            .offset = offset,
            .data = bytes.data(),
            .length = bytes.size(),
            .tag = tag};
  }
  static IoRequest WriteRequest(File* file, uint64_t offset, std::span<std::byte> bytes,
                                uint64_t tag) {
    return {.kind = IoRequest::Kind::kWrite,
            .file = file,
            .offset = offset,
            .data = bytes.data(),
            .length = bytes.size(),
            .tag = tag};
  }
  static IoRequest SyncRequest(File* file, SyncPurpose purpose, uint64_t tag) {
    return {.kind = IoRequest::Kind::kSync, .file = file, .purpose = purpose, .tag = tag};
  }

  // Submits, waits for all that is pending, and returns the completions by tag.
  static std::map<uint64_t, IoCompletion> Run(IoQueue& queue,
                                              const std::vector<IoRequest>& requests) {
    EXPECT_TRUE(queue.Submit(requests).ok());
    std::vector<IoCompletion> completions;
    EXPECT_TRUE(queue.Wait(queue.pending(), &completions).ok());
    EXPECT_EQ(queue.pending(), 0U);
    std::map<uint64_t, IoCompletion> by_tag;
    for (IoCompletion& completion : completions) {
      EXPECT_TRUE(by_tag.emplace(completion.tag, completion).second) << completion.tag << " twice";
    }
    return by_tag;
  }
};

TEST_P(IoQueueContract, ManyRequestsEachCompleteOnce) {
  constexpr size_t kRequests = 300;
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    auto queue = NewQueue(8);
    AlignedBuffer out = RandomBytes(kRequests * kBlock);
    AlignedBuffer in = Filled(kRequests * kBlock, '?');
    std::vector<IoRequest> writes;
    std::vector<IoRequest> reads;
    for (size_t i = 0; i < kRequests; ++i) {
      const size_t place = i * kBlock;
      writes.push_back(WriteRequest(file.get(), place, out.span().subspan(place, kBlock), i));
      reads.push_back(ReadRequest(file.get(), place, in.span().subspan(place, kBlock), i));
    }
    for (const auto* requests : {&writes, &reads}) {
      const auto completions = Run(*queue, *requests);
      ASSERT_EQ(completions.size(), kRequests);
      for (const auto& [tag, completion] : completions) {
        EXPECT_TRUE(completion.status.ok()) << completion.status;
        EXPECT_EQ(completion.bytes, kBlock);
        EXPECT_LT(tag, kRequests);
      }
    }
    EXPECT_EQ(TextOf(in.span()), TextOf(out.span()));
  }
}

TEST_P(IoQueueContract, WaitDeliversWhatWasAskedFor) {
  auto file = Create("file");
  auto queue = NewQueue(4);
  EXPECT_GE(queue->depth(), 1U);
  std::vector<IoCompletion> completions;
  ASSERT_TRUE(queue->Wait(3, &completions).ok());
  EXPECT_TRUE(completions.empty()) << "nothing was pending";

  AlignedBuffer data = Filled(10 * kBlock, 'a');
  std::vector<IoRequest> requests;
  for (size_t i = 0; i < 10; ++i) {
    requests.push_back(
        WriteRequest(file.get(), i * kBlock, data.span().subspan(i * kBlock, kBlock), i));
  }
  ASSERT_TRUE(queue->Submit(requests).ok());
  EXPECT_EQ(queue->pending(), 10U);
  ASSERT_TRUE(queue->Wait(0, &completions).ok());
  EXPECT_EQ(queue->pending() + completions.size(), 10U);
  while (completions.size() < 10) {
    const size_t before = completions.size();
    ASSERT_TRUE(queue->Wait(1, &completions).ok());
    ASSERT_GT(completions.size(), before);
  }
  EXPECT_EQ(queue->pending(), 0U);
  ASSERT_TRUE(queue->Wait(100, &completions).ok());
  EXPECT_EQ(completions.size(), 10U);
  EXPECT_TRUE(queue->Submit({}).ok());
}

TEST_P(IoQueueContract, WaitAppends) {
  auto file = Create("file");
  auto queue = NewQueue(4);
  std::vector<IoCompletion> completions = {{.tag = 99}};
  const IoRequest request = SyncRequest(file.get(), SyncPurpose::kDataGrowth, 1);
  ASSERT_TRUE(queue->Submit({&request, 1}).ok());
  ASSERT_TRUE(queue->Wait(1, &completions).ok());
  ASSERT_EQ(completions.size(), 2U);
  EXPECT_EQ(completions[0].tag, 99U);
  EXPECT_EQ(completions[1].tag, 1U);
}

TEST_P(IoQueueContract, ReadsEndAtTheEndOfTheFile) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    ASSERT_TRUE(file->Write(0, Filled(2 * kBlock, 'a').span()).ok());
    ASSERT_TRUE(file->Truncate(kBlock + 1000).ok());
    auto queue = NewQueue(4);
    AlignedBuffer in = Filled(12 * kBlock, '?');
    const auto completions = Run(
        *queue, {ReadRequest(file.get(), 0, in.span().subspan(0, 4 * kBlock), 1),
                 ReadRequest(file.get(), kBlock, in.span().subspan(4 * kBlock, kBlock), 2),
                 ReadRequest(file.get(), 9 * kBlock, in.span().subspan(8 * kBlock, kBlock), 3)});
    EXPECT_EQ(completions.at(1).bytes, kBlock + 1000);
    EXPECT_EQ(completions.at(2).bytes, 1000U);
    EXPECT_EQ(completions.at(3).bytes, 0U);
    for (const auto& [tag, completion] : completions) EXPECT_TRUE(completion.status.ok()) << tag;
    EXPECT_EQ(TextOf(in.span().first(kBlock + 1000)), std::string(kBlock + 1000, 'a'));
  }
}

TEST_P(IoQueueContract, AnErrorComesWithTheTagOfItsRequest) {
  auto file = Create("file");
  Create("other");
  auto read_only = Open("other", {.read_only = true});
  auto queue = NewQueue(4);
  AlignedBuffer data = Filled(3 * kBlock, 'a');
  const auto completions =
      Run(*queue, {WriteRequest(file.get(), 0, data.span().subspan(0, kBlock), 10),
                   WriteRequest(read_only.get(), 0, data.span().subspan(kBlock, kBlock), 11),
                   WriteRequest(file.get(), ~uint64_t{0}, data.span().subspan(kBlock, kBlock), 12),
                   WriteRequest(file.get(), kBlock, data.span().subspan(2 * kBlock, kBlock), 13)});
  ASSERT_EQ(completions.size(), 4U);
  EXPECT_TRUE(completions.at(10).status.ok());
  EXPECT_EQ(completions.at(11).status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(completions.at(11).bytes, 0U);
  EXPECT_EQ(completions.at(12).status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(completions.at(13).status.ok());
  EXPECT_EQ(ReadText(*file, 0, 3 * kBlock), std::string(2 * kBlock, 'a'));
  EXPECT_EQ(*read_only->Size(), 0U);
}

TEST_P(IoQueueContract, MisalignedRequestsOfADirectFileAreInvalid) {
  auto file = Create("file", true);
  if (!file->direct()) GTEST_SKIP() << "no direct files here";
  ASSERT_TRUE(file->Write(0, Filled(2 * kBlock, 'a').span()).ok());
  auto queue = NewQueue(4);
  AlignedBuffer data = Filled(2 * kBlock, 'b');
  const size_t half = file->alignment() / 2;
  const auto completions =
      Run(*queue, {ReadRequest(file.get(), half, data.span().first(kBlock), 0),
                   WriteRequest(file.get(), 0, data.span().first(half), 1),
                   WriteRequest(file.get(), 0, data.span().subspan(half, kBlock), 2)});
  ASSERT_EQ(completions.size(), 3U);
  for (const auto& [tag, completion] : completions) {
    EXPECT_EQ(completion.status.code(), absl::StatusCode::kInvalidArgument) << tag;
  }
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), std::string(2 * kBlock, 'a'));
}

TEST_P(IoQueueContract, SyncsAreCountedByPurpose) {
  auto file = Create("file");
  auto queue = NewQueue(2);
  AlignedBuffer data = Filled(kBlock, 'a');
  EXPECT_TRUE(Run(*queue, {WriteRequest(file.get(), 0, data.span(), 1)}).at(1).status.ok());
  const auto completions = Run(*queue, {SyncRequest(file.get(), SyncPurpose::kCheckpointPages, 2)});
  EXPECT_TRUE(completions.at(2).status.ok()) << completions.at(2).status;
  EXPECT_EQ(fs().sync_counters().Get(SyncPurpose::kCheckpointPages), 1U);
}

TEST_P(IoQueueContract, DestructionWaitsForWhatIsUnderWay) {
  for (const bool direct : {false, true}) {
    auto file = Create(direct ? "direct" : "buffered", direct);
    {
      AlignedBuffer data = Filled(64 * kBlock, 'a');
      auto queue = NewQueue(64);
      std::vector<IoRequest> requests;
      for (size_t i = 0; i < 64; ++i) {
        requests.push_back(
            WriteRequest(file.get(), i * kBlock, data.span().subspan(i * kBlock, kBlock), i));
      }
      ASSERT_TRUE(queue->Submit(requests).ok());
      queue.reset();
      std::fill(data.span().begin(), data.span().end(), std::byte{'b'});
    }
    EXPECT_EQ(ReadText(*file, 0, 64 * kBlock), std::string(64 * kBlock, 'a'));
  }
}

TEST_P(IoQueueContract, AQueueMayPassFromThreadToThread) {
  auto file = Create("file", true);
  auto queue = NewQueue(16);
  AlignedBuffer data = Filled(16 * kBlock, 'a');
  std::thread([&] {
    std::vector<IoRequest> requests;
    for (size_t i = 0; i < 16; ++i) {
      requests.push_back(
          WriteRequest(file.get(), i * kBlock, data.span().subspan(i * kBlock, kBlock), i));
    }
    requests.push_back(SyncRequest(file.get(), SyncPurpose::kCheckpointPages, 16));
    EXPECT_TRUE(queue->Submit(requests).ok());
  }).join();
  std::vector<IoCompletion> completions;
  ASSERT_TRUE(queue->Wait(17, &completions).ok());
  ASSERT_EQ(completions.size(), 17U);
  for (const IoCompletion& completion : completions) {
    EXPECT_TRUE(completion.status.ok()) << completion.status;
  }
  EXPECT_EQ(ReadText(*file, 0, 16 * kBlock), std::string(16 * kBlock, 'a'));
}

// Random batches on several files; each file stays what a byte string says it is.
TEST_P(IoQueueContract, RandomBatchesAgreeWithAModel) {
  constexpr size_t kFiles = 3;
  constexpr size_t kBlocks = 64;
  std::mt19937_64 random(testing::TestSeed());
  std::vector<std::unique_ptr<File>> files;
  std::vector<std::string> models(kFiles, std::string(kBlocks * kBlock, '\0'));
  for (size_t i = 0; i < kFiles; ++i) {
    files.push_back(Create("file" + std::to_string(i), i % 2 == 0));
    ASSERT_TRUE(files[i]->Truncate(kBlocks * kBlock).ok());
  }
  auto queue = NewQueue(7);
  for (int round = 0; round < 40; ++round) {
    std::vector<AlignedBuffer> buffers;
    std::vector<IoRequest> requests;
    for (size_t i = 0; i < kFiles; ++i) {
      // Disjoint pieces of the file, each read or written.
      for (size_t block = random() % 4; block < kBlocks;) {
        const size_t length = std::min(1 + random() % 6, kBlocks - block) * kBlock;
        const size_t offset = block * kBlock;
        const uint64_t tag = requests.size();
        if (random() % 2 == 0) {
          buffers.push_back(RandomBytes(length, random()));
          requests.push_back(WriteRequest(files[i].get(), offset, buffers.back().span(), tag));
          models[i].replace(offset, length, TextOf(buffers.back().span()));
        } else {
          buffers.push_back(Filled(length, '?'));
          requests.push_back(ReadRequest(files[i].get(), offset, buffers.back().span(), tag));
        }
        block += length / kBlock + random() % 3;
      }
    }
    const auto completions = Run(*queue, requests);
    ASSERT_EQ(completions.size(), requests.size());
    for (const IoRequest& request : requests) {
      ASSERT_TRUE(completions.at(request.tag).status.ok());
      ASSERT_EQ(completions.at(request.tag).bytes, request.length);
      size_t i = 0;
      while (files[i].get() != request.file) ++i;
      ASSERT_EQ(TextOf({request.data, request.length}),
                std::string_view(models[i]).substr(request.offset, request.length));
    }
  }
  for (size_t i = 0; i < kFiles; ++i)
    EXPECT_EQ(ReadText(*files[i], 0, kBlocks * kBlock), models[i]);
}

}  // namespace keel::io

#endif  // KEEL_TESTS_UNIT_IO_IO_QUEUE_CONTRACT_H_
