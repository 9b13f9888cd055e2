#include "pager/frame_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "pager/limbo.h"

namespace keel::pager {
namespace {

constexpr size_t kFrames = 100;

class FramePoolTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  FramePool pool_{*FramePool::Reserve(kFrames, GetParam()), kFrames, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(PageSizes, FramePoolTest, ::testing::Values(512, 4096, 65536));

TEST_P(FramePoolTest, HasExactlyTheBudget) {
  EXPECT_EQ(pool_.budget_bytes(), kFrames * GetParam());
  std::set<Frame*> frames;
  while (Frame* frame = pool_.Take()) frames.insert(frame);
  EXPECT_EQ(frames.size(), kFrames);
  EXPECT_EQ(pool_.free_frames(), 0U);
  std::vector<Frame*> all(frames.begin(), frames.end());
  pool_.Free(all);
  EXPECT_EQ(pool_.free_frames(), kFrames);
}

TEST_P(FramePoolTest, FramesArePagesOfTheirOwn) {
  std::vector<Frame*> frames;
  while (Frame* frame = pool_.Take()) {
    const std::span<std::byte> bytes = pool_.BytesOf(*frame);
    EXPECT_EQ(bytes.size(), GetParam());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % GetParam(), 0U);
    EXPECT_EQ(&pool_.FrameOf(bytes.data()), frame);
    EXPECT_EQ(&pool_.FrameOf(&bytes.back()), frame);
    std::memset(bytes.data(), static_cast<int>(frames.size()), bytes.size());
    frames.push_back(frame);
  }
  for (size_t i = 0; i < frames.size(); ++i) {
    for (std::byte byte : pool_.BytesOf(*frames[i])) ASSERT_EQ(byte, static_cast<std::byte>(i));
  }
  pool_.Free(frames);
}

// The first ones are moved to a huge page when there are that many.
TEST_P(FramePoolTest, WhatIsInTheFirstFramesStaysWhenTheyBecomeAHugePage) {
  const size_t many = MemoryMap::kHugeBytes / GetParam() + 1;
  FramePool pool(*FramePool::Reserve(2 * many, GetParam()), 2 * many, GetParam());
  std::vector<Frame*> frames;
  for (size_t i = 0; i < many; ++i) {
    frames.push_back(pool.Take());
    frames[i]->pins = static_cast<uint32_t>(i);
    std::memset(pool.BytesOf(*frames[i]).data(), static_cast<int>(i % 251), GetParam());
  }
  for (size_t i = 0; i < many; ++i) {
    ASSERT_EQ(frames[i]->pins.load(), i);
    for (std::byte byte : pool.BytesOf(*frames[i]))
      ASSERT_EQ(byte, static_cast<std::byte>(i % 251));
  }
}

TEST_P(FramePoolTest, FramesGivenBackComeBeforeFreshOnes) {
  Frame* const first = pool_.Take();
  Frame* const second = pool_.Take();
  EXPECT_EQ(pool_.BytesOf(*second).data() - pool_.BytesOf(*first).data(), GetParam());
  pool_.Free({&first, 1});
  EXPECT_EQ(pool_.free_frames(), kFrames - 1);
  EXPECT_EQ(pool_.Take(), first);
  EXPECT_EQ(pool_.Take(), second + 1);
  EXPECT_EQ(pool_.free_frames(), kFrames - 3);
}

// A forked child releases what it has pinned, but finds nothing in the pages.
TEST_P(FramePoolTest, AForkedChildHasTheFramesButNotTheirBytes) {
  constexpr size_t kMany = 64;  // pages of the system are wiped, or kept, as a whole
  std::vector<Frame*> frames;
  for (size_t i = 0; i < kMany; ++i) {
    frames.push_back(pool_.Take());
    std::ranges::fill(pool_.BytesOf(*frames[i]), std::byte{1});
    frames[i]->pins = 1;
  }
  const pid_t child = fork();
  if (child == 0) {
    bool right = pool_.BytesOf(*frames[0])[0] == std::byte{0};
    for (const Frame* frame : frames) right &= frame->pins.load() == 1;
    _exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(pool_.BytesOf(*frames[0])[0], std::byte{1});
  for (Frame* frame : frames) frame->pins = 0;
}

TEST_P(FramePoolTest, ThreadsNeverShareAFrame) {
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      std::vector<Frame*> mine;
      for (int n = 0; n < 10; ++n) {
        Frame* const frame = pool_.Take();
        ASSERT_NE(frame, nullptr);
        ASSERT_EQ(frame->pins.fetch_add(1), 0U);
        mine.push_back(frame);
      }
      for (Frame* frame : mine) frame->pins.fetch_sub(1);
      pool_.Free(mine);
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(pool_.free_frames(), kFrames);
}

using FramePoolDeathTest = FramePoolTest;
INSTANTIATE_TEST_SUITE_P(PageSizes, FramePoolDeathTest, ::testing::Values(512));

TEST_P(FramePoolDeathTest, AHeldFrameIsNotFreed) {
  Frame* const frame = pool_.Take();
  frame->pins = 1;
  EXPECT_DEATH(pool_.Free({&frame, 1}), "Unused");
  frame->pins = 0;
  frame->Set(Frame::kWriting);
  EXPECT_DEATH(pool_.Free({&frame, 1}), "Unused");
}

class LimboTest : public ::testing::Test {
 protected:
  // Links a page and unlinks it into limbo.
  Frame* Send(PageId id) {
    Frame* const frame = pool_.Take();
    Unlinked unlinked;
    {
      PageTable::Shard& shard = table_.ShardOf(id);
      const absl::MutexLock lock(&shard.mutex);
      table_.Link(shard, id, pool_.BytesOf(*frame).data());
      unlinked.Add(frame, table_.Unlink(shard, id));
    }
    limbo_.Add(std::move(unlinked));
    return frame;
  }
  size_t ReclaimNow() {
    guards_->Refresh();
    return limbo_.Reclaim();
  }

  std::shared_ptr<GuardDomain> guards_ = GuardDomain::Create();
  FramePool pool_{*FramePool::Reserve(kFrames, 512), kFrames, 512};
  PageTable table_{*PageTable::Reserve(kFrames)};
  Limbo limbo_{&pool_, &table_, guards_.get()};
};

TEST_F(LimboTest, FreesFrameAndChunkOnceGuardsHaveLeft) {
  auto guard = std::make_unique<ReadGuard>(*guards_);
  Send(PageId{70});
  EXPECT_EQ(ReclaimNow(), 0U);
  EXPECT_GT(table_.memory_bytes(), 0U);
  guard.reset();
  EXPECT_EQ(ReclaimNow(), 1U);
  EXPECT_EQ(pool_.free_frames(), kFrames);
  EXPECT_EQ(table_.memory_bytes(), 0U);
}

TEST_F(LimboTest, HoldsPinnedFramesAndThoseBeingWritten) {
  Frame* const pinned = Send(PageId{1});
  Frame* const written = Send(PageId{2});
  pinned->pins = 1;
  written->Set(Frame::kWriting);
  EXPECT_EQ(ReclaimNow(), 0U);
  EXPECT_EQ(limbo_.waiting(), 2U);
  pinned->pins = 0;
  EXPECT_EQ(ReclaimNow(), 1U);
  written->Set(0);
  EXPECT_EQ(ReclaimNow(), 1U);
  EXPECT_EQ(limbo_.waiting(), 0U);
}

TEST_F(LimboTest, ALaterGuardDelaysOnlyWhatIsUnlinkedLater) {
  for (uint64_t id = 0; id < 64; ++id) Send(PageId{id});  // a full batch
  const ReadGuard guard(*guards_);
  Send(PageId{64});
  EXPECT_EQ(ReclaimNow(), 64U);
  EXPECT_EQ(ReclaimNow(), 0U);
}

TEST_F(LimboTest, ChunksSufficeForPagesFarApart) {
  // Each page in a chunk of its own, again and again: as many chunks as frames must do.
  for (uint64_t round = 0; round < 5; ++round) {
    for (uint64_t i = 0; i < kFrames; ++i) Send(PageId{(round * kFrames + i) * 1000});
    EXPECT_EQ(ReclaimNow(), kFrames);
  }
}

TEST(PageTableTest, IdsBeyondTheEndAreNotThere) {
  const PageTable table(*PageTable::Reserve(64));
  EXPECT_EQ(table.Find(PageId{PageTable::kPages - 1}), nullptr);
  EXPECT_EQ(table.Find(PageId{PageTable::kPages}), nullptr);
  EXPECT_EQ(table.Find(PageId{UINT64_MAX}), nullptr);
}

TEST(PageTableTest, FindMarksAPageOnceForTheEvictor) {
  PageTable table(*PageTable::Reserve(64));
  alignas(512) std::array<std::byte, 512> bytes{};
  const PageId id{PageTable::kPages - 1};
  PageTable::Shard& shard = table.ShardOf(id);
  const absl::MutexLock lock(&shard.mutex);
  table.Link(shard, id, bytes.data());
  EXPECT_FALSE(table.TakeReferenced(shard, id)) << "a page enters without the mark";
  EXPECT_EQ(table.Find(id), bytes.data());
  EXPECT_EQ(table.Find(id), bytes.data());
  EXPECT_TRUE(table.TakeReferenced(shard, id));
  EXPECT_FALSE(table.TakeReferenced(shard, id));
  EXPECT_NE(table.Unlink(shard, id), nullptr) << "its last page";
  EXPECT_EQ(table.Find(id), nullptr);
}

}  // namespace
}  // namespace keel::pager
