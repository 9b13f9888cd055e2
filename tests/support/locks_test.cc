// That the thread sanitizer understands the locks in use: in its build these tests fail if it takes
// what a lock orders for a race, and they are plain tests of counting elsewhere.

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <thread>
#include <vector>

namespace keel::testing {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 1000;

void RunThreads(const std::function<void(int thread)>& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(body, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(LocksTest, LockAndTryLockOrder) {
  absl::Mutex mutex;
  int count = 0;
  RunThreads([&](int thread) {
    for (int i = 0; i < kRounds; ++i) {
      if (thread % 2 == 0) {
        mutex.Lock();
      } else {
        while (!mutex.TryLock()) std::this_thread::yield();
      }
      ++count;
      mutex.Unlock();
    }
  });
  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(LocksTest, ReadersAndWritersOrder) {
  absl::Mutex mutex;
  int count = 0;
  RunThreads([&](int thread) {
    for (int i = 0; i < kRounds; ++i) {
      if (thread == 0) {
        const absl::WriterMutexLock lock(&mutex);
        ++count;
      } else {
        const absl::ReaderMutexLock lock(&mutex);
        EXPECT_GE(count, 0);
      }
    }
  });
  EXPECT_EQ(count, kRounds);
}

TEST(LocksTest, CondVarsOrder) {
  absl::Mutex mutex;
  absl::CondVar changed;
  int turn = 0;
  RunThreads([&](int thread) {
    for (int i = 0; i < kRounds / 10; ++i) {
      const absl::MutexLock lock(&mutex);
      while (turn % kThreads != thread) {
        if (i % 2 == 0) {
          changed.Wait(&mutex);
        } else {
          changed.WaitWithTimeout(&mutex, absl::Seconds(10));
        }
      }
      ++turn;
      changed.SignalAll();
    }
  });
  EXPECT_EQ(turn, kThreads * kRounds / 10);
}

TEST(LocksTest, ConditionsOrder) {
  absl::Mutex mutex;
  int turn = 0;
  RunThreads([&](int thread) {
    auto is_my_turn = [&] { return turn % kThreads == thread; };
    for (int i = 0; i < kRounds / 10; ++i) {
      if (i % 2 == 0) {
        const absl::MutexLock lock(&mutex, absl::Condition(&is_my_turn));
        ++turn;
      } else {
        const absl::MutexLock lock(&mutex);
        while (!mutex.AwaitWithTimeout(absl::Condition(&is_my_turn), absl::Seconds(10))) {
        }
        ++turn;
      }
    }
  });
  EXPECT_EQ(turn, kThreads * kRounds / 10);
}

TEST(LocksTest, TheLastOwnerOfAStatusFreesIt) {
  for (int i = 0; i < kRounds / 10; ++i) {
    std::optional<absl::Status> status = absl::InternalError("a message too long to be inlined");
    RunThreads([copy = *status](int) { EXPECT_FALSE(copy.message().empty()); });
    status.reset();
  }
}

}  // namespace
}  // namespace keel::testing
