#include "io/latch.h"

#include <gtest/gtest.h>

#include <thread>

namespace keel::io {
namespace {

int PassesUntilItEnds(AwakeWait wait) {
  int passes = 0;
  while (wait.Pass()) ++passes;
  return passes;
}

TEST(AwakeWaitTest, ItEndsWhereTimeStandsStill) {
  const int passes = PassesUntilItEnds(AwakeWait([] { return absl::ZeroDuration(); }));
  EXPECT_GT(passes, 100);
  EXPECT_LT(passes, 1000);
}

// With a low priority on a busy machine each yield may take a time slice of all others.
TEST(AwakeWaitTest, ItEndsSoonerWhereOthersTakeTheirTime) {
  const auto slow = [] {
    static absl::Duration now;
    now += absl::Milliseconds(9);
    return now;
  };
  const int still = PassesUntilItEnds(AwakeWait([] { return absl::ZeroDuration(); }));
  EXPECT_LT(PassesUntilItEnds(AwakeWait(+slow)), still - 190);
}

TEST(AwakeWaitTest, RoughTimeGoesOn) {
  const absl::Duration begin = RoughTime();
  while (RoughTime() == begin) std::this_thread::yield();
  EXPECT_GT(RoughTime(), begin);
}

TEST(LatchLockTest, OneAtATime) {
  absl::Mutex mutex;
  int count = 0;
  const auto work = [&] {
    for (int i = 0; i < 20'000; ++i) {
      const LatchLock lock(&mutex);
      ++count;
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(count, 40'000);
}

}  // namespace
}  // namespace keel::io
