// The line before the writer lock: who leads, who goes along, and that everyone is answered.

#include "engine/commit_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "io/clock.h"
#include "tests/unit/wal/memory_file_system.h"

namespace keel::engine {
namespace {

using Turn = CommitQueue::Turn;
using Member = CommitQueue::Member;

constexpr auto kNothing = [] { return absl::OkStatus(); };
constexpr size_t kGroupBytes = 1000;

class CommitQueueTest : public ::testing::Test {
 protected:
  void AwaitWaiting(uint64_t members) {
    while (queue_.figures().waiting != members) std::this_thread::yield();
  }

  wal::MemoryFileSystem world_;  // for its clock
  CommitQueue queue_{&world_.clock(), kGroupBytes};
};

// A thread with one member in the queue.
class Committer {
 public:
  Committer(CommitQueue* queue, Durability durability, size_t bytes,
            absl::Duration deadline = absl::InfiniteDuration())
      : member_(kNothing, durability, bytes, "test"),
        thread_([this, queue, deadline] { turn_ = queue->Enter(&member_, deadline); }) {}
  ~Committer() { Join(); }

  Turn Join() {
    if (thread_.joinable()) thread_.join();
    return turn_;
  }
  Member* member() { return &member_; }

 private:
  Member member_;
  Turn turn_ = Turn::kLead;
  std::thread thread_;
};

TEST_F(CommitQueueTest, ALoneMemberLeadsItself) {
  Member member(kNothing, Durability::kSync, 10, "test");
  EXPECT_EQ(queue_.Enter(&member, absl::InfiniteDuration()), Turn::kLead);
  const CommitQueue::Group group = queue_.TakeGroup(&member);
  ASSERT_EQ(group.size(), 1U);
  EXPECT_EQ(group[0], &member);
  queue_.Answer(group, &member);
  EXPECT_EQ(queue_.figures().waiting, 0U);
}

TEST_F(CommitQueueTest, Q1_Q2_TheFirstLeadsAndAnswersThoseBehindIt) {
  Member leader(kNothing, Durability::kSync, 10, "test");
  ASSERT_EQ(queue_.Enter(&leader, absl::InfiniteDuration()), Turn::kLead);
  Committer second(&queue_, Durability::kSync, 10);
  AwaitWaiting(2);
  Committer third(&queue_, Durability::kSync, 10);
  AwaitWaiting(3);
  const CommitQueue::Group group = queue_.TakeGroup(&leader);
  ASSERT_EQ(group.size(), 3U);
  EXPECT_EQ(group[1], second.member());
  EXPECT_EQ(group[2], third.member());
  for (Member* const member : group) member->answer = Lsn{7};
  queue_.Answer(group, &leader);
  EXPECT_EQ(second.Join(), Turn::kAnswered);
  EXPECT_EQ(third.Join(), Turn::kAnswered);
  EXPECT_EQ(*third.member()->answer, Lsn{7});
  EXPECT_EQ(queue_.figures().groups, 1U);
  EXPECT_EQ(queue_.figures().members, 3U);
}

TEST_F(CommitQueueTest, Q3_ThoseOfOneDurabilityGoTogether) {
  Member leader(kNothing, Durability::kNone, 10, "test");
  ASSERT_EQ(queue_.Enter(&leader, absl::InfiniteDuration()), Turn::kLead);
  Committer sync(&queue_, Durability::kSync, 10);
  AwaitWaiting(2);
  Committer async(&queue_, Durability::kAsync, 10);
  AwaitWaiting(3);
  Committer none(&queue_, Durability::kNone, 10);
  AwaitWaiting(4);
  const CommitQueue::Group group = queue_.TakeGroup(&leader);
  ASSERT_EQ(group.size(), 2U);
  EXPECT_EQ(group[1], none.member());
  queue_.Answer(group, &leader);
  EXPECT_EQ(none.Join(), Turn::kAnswered);
  EXPECT_EQ(sync.Join(), Turn::kLead) << "Q2";
  EXPECT_EQ(queue_.TakeGroup(sync.member()).size(), 1U);
  EXPECT_EQ(async.Join(), Turn::kLead);
  queue_.TakeGroup(async.member());
}

TEST_F(CommitQueueTest, Q4_LargeMembersGoByThemselves) {
  Member leader(kNothing, Durability::kSync, kGroupBytes - 10, "test");
  ASSERT_EQ(queue_.Enter(&leader, absl::InfiniteDuration()), Turn::kLead);
  Committer large(&queue_, Durability::kSync, 2 * kGroupBytes);
  AwaitWaiting(2);
  Committer small(&queue_, Durability::kSync, 10);
  AwaitWaiting(3);
  const CommitQueue::Group group = queue_.TakeGroup(&leader);
  ASSERT_EQ(group.size(), 2U);
  EXPECT_EQ(group[1], small.member());
  queue_.Answer(group, &leader);
  EXPECT_EQ(large.Join(), Turn::kLead);
  Committer another(&queue_, Durability::kSync, 10);
  AwaitWaiting(2);
  EXPECT_EQ(queue_.TakeGroup(large.member()).size(), 1U);
  EXPECT_EQ(another.Join(), Turn::kLead);
  queue_.TakeGroup(another.member());
}

TEST_F(CommitQueueTest, Q2_ALeaderThatLeavesIsFollowedByTheNext) {
  Member leader(kNothing, Durability::kSync, 10, "test");
  ASSERT_EQ(queue_.Enter(&leader, absl::InfiniteDuration()), Turn::kLead);
  Committer next(&queue_, Durability::kSync, 10);
  AwaitWaiting(2);
  queue_.Leave(&leader);
  EXPECT_EQ(next.Join(), Turn::kLead);
  queue_.Leave(next.member());
  EXPECT_EQ(queue_.figures().waiting, 0U);
  EXPECT_EQ(queue_.figures().groups, 0U);
}

TEST_F(CommitQueueTest, WhoseTimeIsOverLeavesUnlessItWasTaken) {
  Member leader(kNothing, Durability::kSync, 10, "test");
  ASSERT_EQ(queue_.Enter(&leader, absl::InfiniteDuration()), Turn::kLead);
  Committer late(&queue_, Durability::kSync, 10, world_.clock().Now() - absl::Seconds(1));
  EXPECT_EQ(late.Join(), Turn::kTimedOut);
  EXPECT_EQ(queue_.figures().waiting, 1U);
  queue_.Leave(&leader);
}

TEST_F(CommitQueueTest, Q1_WhoseTimeIsOverWhileItIsTakenWaitsForItsAnswer) {
  for (int round = 0; round < 50; ++round) {
    Member leader(kNothing, Durability::kSync, 10, "test");
    ASSERT_EQ(queue_.Enter(&leader, absl::InfiniteDuration()), Turn::kLead);
    Committer taken(&queue_, Durability::kSync, 10, world_.clock().Now() + absl::Milliseconds(1));
    AwaitWaiting(2);
    const CommitQueue::Group group = queue_.TakeGroup(&leader);
    ASSERT_EQ(group.size(), 2U);
    world_.clock().Sleep(absl::Seconds(1));
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    taken.member()->answer = Lsn{7};
    queue_.Answer(group, &leader);
    EXPECT_EQ(taken.Join(), Turn::kAnswered);
    EXPECT_EQ(*taken.member()->answer, Lsn{7});
  }
}

// Threads that come and go as they like: each is answered once, by one leader, in a group of its own kind.
TEST_F(CommitQueueTest, EveryoneIsAnswered) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 2000;
  std::mutex writer;  // stands for the writer lock
  std::atomic<uint64_t> answered{0};
  const auto work = [&](int number) {
    for (int i = 0; i < kRounds; ++i) {
      const Durability durability = (i + number) % 3 == 0 ? Durability::kNone : Durability::kSync;
      Member member(kNothing, durability, 10 + static_cast<size_t>(i % 300), "test");
      if (queue_.Enter(&member, absl::InfiniteDuration()) == Turn::kLead) {
        CommitQueue::Group group;
        {
          const std::lock_guard lock(writer);
          group = queue_.TakeGroup(&member);
        }
        for (Member* const each : group) {
          EXPECT_FALSE(each->answer.ok()) << "answered twice";
          EXPECT_EQ(each->durability(), member.durability());
          each->answer = Lsn{1};
        }
        queue_.Answer(group, &member);
      }
      answered += member.answer.ok() ? 1U : 0U;
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, uint64_t{kThreads} * kRounds);
  EXPECT_EQ(queue_.figures().members, uint64_t{kThreads} * kRounds);
  EXPECT_EQ(queue_.figures().waiting, 0U);
}

}  // namespace
}  // namespace keel::engine
