// One thread sleeps until another one wakes it.

#include "io/parker.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <vector>

namespace keel::io {
namespace {

TEST(Parker, AWakeBeforeTheWaitIsNotLost) {
  Parker parker;
  EXPECT_FALSE(parker.woken());
  parker.Wake();
  EXPECT_TRUE(parker.woken());
  parker.Wait();
}

// Also where the parker is gone as soon as its thread goes on (K1).
TEST(Parker, K1_WhatWasWrittenBeforeTheWakeIsSeen) {
  constexpr int kRounds = 2000;
  struct Meeting {
    Parker parker;
    int written = 0;
  };
  for (int round = 0; round < kRounds; ++round) {
    auto* const meeting = new Meeting;
    std::thread waker([meeting, round] {
      if (round % 2 == 0) std::this_thread::yield();
      meeting->written = round;
      meeting->parker.Wake();
    });
    meeting->parker.Wait();
    EXPECT_EQ(meeting->written, round);
    delete meeting;
    waker.join();
  }
}

TEST(Parker, ManyAreWoken) {
  std::deque<Parker> parkers(50);
  std::vector<std::thread> threads;
  for (Parker& parker : parkers) threads.emplace_back([&parker] { parker.Wait(); });
  for (Parker& parker : parkers) parker.Wake();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keel::io
