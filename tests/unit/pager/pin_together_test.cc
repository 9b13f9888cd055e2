// Pages read side by side: as good as those read one by one, whatever becomes of the queue.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <initializer_list>
#include <latch>
#include <span>
#include <thread>
#include <vector>

#include "pager/page_cache.h"
#include "tests/unit/pager/cache_fixture.h"

namespace keel::pager {
namespace {

constexpr Epoch kBirth{50};

// What the queues of a test do, and have done.
struct Script {
  uint64_t bad_offset = UINT64_MAX;    // a request that fails
  uint64_t short_offset = UINT64_MAX;  // one that gets too little
  int fails_after = -1;                // so many completions; -1: never
  std::atomic<int> made = 0;
  std::atomic<int> lost = 0;  // requests that ended with their queue
  std::atomic<uint64_t> submitted = 0;
};

// Completes one request at a time, the last one first; what is lost is read when the queue ends, as a device would.
class ScriptedQueue : public io::IoQueue {
 public:
  explicit ScriptedQueue(Script* script) : script_(*script) { ++script_.made; }
  ~ScriptedQueue() override {
    for (const io::IoRequest& request : requests_) {
      ++script_.lost;
      static_cast<void>(request.file->Read(request.offset, {request.data, request.length}));
    }
  }

  size_t depth() const override { return 64; }
  size_t pending() const override { return requests_.size(); }
  absl::Status Submit(std::span<const io::IoRequest> requests) override {
    requests_.insert(requests_.end(), requests.begin(), requests.end());
    script_.submitted += requests.size();
    return absl::OkStatus();
  }
  absl::Status Wait(size_t /*count*/, std::vector<io::IoCompletion>* completions) override {
    if (script_.fails_after == 0) return absl::UnavailableError("the queue failed");
    if (script_.fails_after > 0) --script_.fails_after;
    const io::IoRequest request = requests_.back();
    requests_.pop_back();
    io::IoCompletion completion{.tag = request.tag};
    if (request.offset == script_.bad_offset) {
      completion.status = absl::UnavailableError("queued read failed");
    } else {
      completion.bytes = *request.file->Read(request.offset, {request.data, request.length});
      if (request.offset == script_.short_offset) completion.bytes -= 1;
    }
    completions->push_back(completion);
    return absl::OkStatus();
  }

 private:
  Script& script_;
  std::vector<io::IoRequest> requests_;
};

class PinTogetherTest : public PageCacheTest {
 protected:
  PinTogetherTest() {
    for (uint64_t id = 300; id < 320; ++id) PutOnDisk(PageId{id}, kBirth);
    OpenWithQueue();
  }
  ~PinTogetherTest() override { cache_.reset(); }

  void OpenWithQueue() {
    Open({.make_read_queue = [this](size_t) { return std::make_unique<ScriptedQueue>(&script_); }});
  }
  static std::vector<PageWant> Wants(std::initializer_list<uint64_t> ids) {
    std::vector<PageWant> wants;
    for (const uint64_t id : ids) wants.push_back(WantPage(PageId{id}, kBirth));
    return wants;
  }
  // Which of the wants were got; those must be right. They are given `portion` at a time, after a look at each.
  std::vector<bool> Got(
      const std::vector<PageWant>& wants, size_t portion = 64,
      const std::function<void(size_t first)>& before = [](size_t) {}) {
    std::vector<bool> got;
    std::vector<PageHandle> pages(wants.size());
    size_t given = 0;
    const auto more = [&] {
      before(given);
      const size_t first = given;
      given = std::min(given + portion, wants.size());
      return std::span(wants).subspan(first, given - first);
    };
    cache_->PinTogether(more, [&](size_t at, PageHandle page) {
      EXPECT_EQ(given, wants.size()) << "before all are known";
      ASSERT_LT(at, wants.size());
      ASSERT_FALSE(pages[at]) << "given twice";
      ASSERT_TRUE(page);
      pages[at] = std::move(page);
    });
    for (size_t i = 0; i < pages.size(); ++i) {
      got.push_back(static_cast<bool>(pages[i]));
      if (!pages[i]) continue;
      EXPECT_TRUE(IsTestPage({pages[i].bytes(), kPageBytes}, wants[i].reference.id, kBirth));
      EXPECT_TRUE(IsResident(wants[i].reference.id));
    }
    return got;
  }

  Script script_;
};

TEST_F(PinTogetherTest, ReadsWhatIsMissingOnce) {
  PinGood(PageId{302}, kBirth);
  const uint64_t reads = file_.reads();
  EXPECT_EQ(Got(Wants({301, 302, 305, 303})), std::vector<bool>(4, true));
  EXPECT_EQ(file_.reads(), reads + 3);
  EXPECT_EQ(script_.submitted, 3U);
  EXPECT_EQ(Got(Wants({301, 302, 305, 303})), std::vector<bool>(4, true));
  EXPECT_EQ(file_.reads(), reads + 3);
  EXPECT_EQ(script_.made, 1) << "a queue is used again";
  EXPECT_EQ(cache_->stats().pages_read, 4U);
  EXPECT_EQ(cache_->stats().free_frames, kFrames - 4);
}

TEST_F(PinTogetherTest, FirstPagesAreReadWhileTheNextAreFound) {
  PinGood(PageId{304}, kBirth);
  const auto before = [this](size_t first) {
    EXPECT_EQ(script_.submitted, first < 4 ? first : first - 1);
  };
  EXPECT_EQ(Got(Wants({301, 302, 303, 304, 305, 306, 307}), 2, before), std::vector<bool>(7, true));
  EXPECT_EQ(script_.submitted, 6U);
}

TEST_F(PinTogetherTest, OneAloneIsNotWorthAQueue) {
  EXPECT_EQ(Got(Wants({301})), std::vector<bool>(1, true));
  EXPECT_EQ(script_.made, 0);
  EXPECT_EQ(Got(Wants({303, 304}), 1), std::vector<bool>(2, true));
  EXPECT_EQ(script_.submitted, 2U);
}

TEST_F(PinTogetherTest, C7DamageIsItsPagesAlone) {
  OnDisk(PageId{303})[100] ^= std::byte{4};
  EXPECT_EQ(Got(Wants({301, 303, 304})), std::vector<bool>({true, false, true}));
  EXPECT_FALSE(IsResident(PageId{303}));
  EXPECT_EQ(cache_->stats().damaged_reads, 1U);
  EXPECT_EQ(cache_->stats().free_frames, kFrames - 2);
  EXPECT_TRUE(absl::IsDataLoss(cache_->Pin(WantPage(PageId{303}, kBirth)).status()));
}

TEST_F(PinTogetherTest, C7TheWrongPageIsRefused) {
  std::vector<PageWant> wants = Wants({301, 302, 303});
  wants[1].reference.birth = Epoch{51};
  wants[2].reference.id = PageId{kMaxPageId};
  EXPECT_EQ(Got(wants), std::vector<bool>({true, false, false}));
}

TEST_F(PinTogetherTest, WhatFailsInTheQueueIsReadAgain) {
  script_.bad_offset = 303 * kPageBytes;
  script_.short_offset = 304 * kPageBytes;
  EXPECT_EQ(Got(Wants({301, 303, 304})), std::vector<bool>(3, true));
}

// A frame that a lost request may still write to holds no page before that has ended.
TEST_F(PinTogetherTest, AQueueThatFailsIsWaitedForAndReplaced) {
  script_.fails_after = 2;
  EXPECT_EQ(Got(Wants({301, 302, 303, 304, 305})), std::vector<bool>(5, true));
  EXPECT_EQ(script_.lost, 3);
  script_.fails_after = -1;
  EXPECT_EQ(Got(Wants({306, 307})), std::vector<bool>(2, true));
  EXPECT_EQ(script_.made, 2);
}

TEST_F(PinTogetherTest, WithoutAQueueOneByOne) {
  Open({.make_read_queue = [](size_t) { return absl::UnavailableError("no rings here"); }});
  EXPECT_EQ(Got(Wants({301, 302})), std::vector<bool>(2, true));
  Open();
  EXPECT_EQ(Got(Wants({301, 302, 303}), 1), std::vector<bool>(3, true));
  EXPECT_EQ(script_.submitted, 0U);
}

TEST_F(PinTogetherTest, WithoutFramesNothing) {
  std::vector<PageHandle> pinned;
  for (uint64_t id = 400; id < 400 + kFrames - 1; ++id) {
    PutOnDisk(PageId{id}, kBirth);
    pinned.push_back(*cache_->Pin(WantPage(PageId{id}, kBirth)));
  }
  EXPECT_EQ(Got(Wants({301, 302, 303})), std::vector<bool>({true, false, false}));
  pinned.clear();
  EXPECT_EQ(Got(Wants({301, 302, 303})), std::vector<bool>(3, true));
}

// Others may wait for the first ones, so nobody's pins are waited for behind them.
TEST_F(PinTogetherTest, FramesForTheNextAreNotWaitedFor) {
  PageHandle free = *cache_->Pin(WantPage(PageId{301}, kBirth));
  std::vector<PageHandle> pinned;
  for (uint64_t id = 400; id < 400 + kFrames - 2; ++id) {
    PutOnDisk(PageId{id}, kBirth);
    pinned.push_back(*cache_->Pin(WantPage(PageId{id}, kBirth)));
  }
  free = {};  // two frames: one that nobody pins, one that is free
  const absl::Duration begin = clock_.Now();
  EXPECT_EQ(Got(Wants({302, 303, 304, 305}), 2), std::vector<bool>({true, true, false, false}));
  EXPECT_EQ(clock_.Now(), begin);
}

// Holds up the first read of the file, which another thread makes.
class AnothersReadTest : public PinTogetherTest {
 protected:
  AnothersReadTest() {
    file_.set_read_hook([this](uint64_t, auto) {
      if (first_.exchange(false)) {
        reading_.count_down();
        go_on_.wait();
      }
      return absl::OkStatus();
    });
    other_ = std::thread([this] { PinGood(PageId{303}, kBirth); });
    reading_.wait();
  }
  ~AnothersReadTest() override { other_.join(); }

  std::latch reading_{1};
  std::latch go_on_{1};
  std::atomic<bool> first_ = true;
  std::thread other_;
};

// Somebody else's read is not waited for while others wait for ours.
TEST_F(AnothersReadTest, IsLeftAloneByThoseWhoReadMore) {
  EXPECT_EQ(Got(Wants({301, 303, 304})), std::vector<bool>({true, false, true}));
  go_on_.count_down();
  EXPECT_EQ(cache_->Pin(WantPage(PageId{303}, kBirth)).status(), absl::OkStatus());
  EXPECT_EQ(Got(Wants({301, 303, 304})), std::vector<bool>(3, true));
}

TEST_F(AnothersReadTest, IsWaitedForByWhoWantsThatPageAlone) {
  const uint64_t misses = cache_->stats().misses;
  std::thread release([&] {
    while (cache_->stats().misses == misses) std::this_thread::yield();
    go_on_.count_down();
  });
  EXPECT_EQ(Got(Wants({303})), std::vector<bool>(1, true));
  release.join();
  EXPECT_EQ(cache_->stats().pages_read, 1U);
}

TEST_F(PinTogetherTest, ManyThreadsReadEachPageOnce) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) Got(Wants({301, 302, 303, 304, 305, 306, 307}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache_->stats().pages_read, 7U);
  EXPECT_LE(script_.made, static_cast<int>(ReadQueues::kQueues));
}

}  // namespace
}  // namespace keel::pager
