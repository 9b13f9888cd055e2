// Many threads sleep, and each is woken that was meant.

#include "io/parking_lot.h"

#include <absl/time/clock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

namespace keel::io {
namespace {

using Place = ParkingLot::Place;

TEST(ParkingLot, AWakeBeforeTheWaitIsNotLost) {
  ParkingLot lot;
  Place place;
  lot.Assign(&place, 0);
  EXPECT_FALSE(place.woken());
  lot.Wake(&place);
  EXPECT_TRUE(place.woken());
  lot.Wait(&place);
  EXPECT_TRUE(lot.WaitFor(&place, absl::InfiniteDuration()));
}

TEST(ParkingLot, ATimeIsOver) {
  ParkingLot lot;
  Place place;
  lot.Assign(&place, 3);
  EXPECT_FALSE(lot.WaitFor(&place, absl::ZeroDuration()));
  EXPECT_FALSE(lot.WaitFor(&place, -absl::Seconds(1)));
  EXPECT_FALSE(lot.WaitFor(&place, -absl::InfiniteDuration()));
  lot.Wake(&place);
  EXPECT_TRUE(lot.WaitFor(&place, absl::ZeroDuration()));
}

// A wait that came back at once would be repeated until the time is over, thousands of times.
TEST(ParkingLot, SleepsUntilTheTimeIsOver) {
  ParkingLot lot;
  Place place;
  lot.Assign(&place, 3);
  const absl::Time until = absl::Now() + absl::Milliseconds(20);
  int waits = 0;
  for (absl::Time now = absl::Now(); now < until; now = absl::Now()) {
    EXPECT_FALSE(lot.WaitFor(&place, until - now));
    ++waits;
  }
  EXPECT_LT(waits, 100);
}

TEST(ParkingLot, WhoWaitsForeverIsWokenToo) {
  ParkingLot lot;
  Place place;
  lot.Assign(&place, 3);
  std::atomic<bool> begun = false;
  std::thread sleeper([&] {
    begun = true;
    while (!lot.WaitFor(&place, absl::InfiniteDuration())) {
    }
  });
  while (!begun) std::this_thread::yield();
  lot.Wake(&place);
  sleeper.join();
}

// Also where the waiter has given up once, and where the place is gone as soon as its thread goes on.
TEST(ParkingLot, PL1_PL2_WhatWasWrittenBeforeTheWakeIsSeen) {
  constexpr int kRounds = 2000;
  struct Meeting {
    Place place;
    int written = 0;
  };
  ParkingLot lot;
  for (int round = 0; round < kRounds; ++round) {
    auto* const meeting = new Meeting;
    lot.Assign(&meeting->place, static_cast<uint64_t>(round));
    std::thread waker([&lot, meeting, round] {
      if (round % 2 == 0) std::this_thread::yield();
      meeting->written = round;
      lot.Wake(&meeting->place);
    });
    if (round % 3 == 0) lot.WaitFor(&meeting->place, absl::Microseconds(round % 50));
    lot.Wait(&meeting->place);
    EXPECT_EQ(meeting->written, round);
    delete meeting;
    waker.join();
  }
}

// The one wakes while the other is about to sleep: a little later each time.
TEST(ParkingLot, PL1_WhoIsAboutToSleepIsWokenToo) {
  constexpr size_t kRounds = 20000;
  ParkingLot lot;
  std::deque<Place> places(kRounds);
  for (Place& place : places) lot.Assign(&place, 0);
  std::atomic<size_t> waiting = 0;
  std::thread waker([&] {
    for (size_t round = 0; round < kRounds; ++round) {
      while (waiting.load() <= round) std::this_thread::yield();
      for (size_t pause = round % 200; pause > 0; --pause) waiting.load();
      lot.Wake(&places[round]);
    }
  });
  for (Place& place : places) {
    ++waiting;
    lot.Wait(&place);
  }
  waker.join();
}

// Of one row, of several, and of rows that share a word.
TEST(ParkingLot, PL1_ManyAreWokenTogether) {
  for (const uint64_t rows : {1U, 5U, 40U}) {
    ParkingLot lot;
    std::deque<Place> places(80);
    std::vector<std::thread> threads;
    threads.reserve(places.size());
    for (uint64_t row = 0; Place & place : places) lot.Assign(&place, row++ % rows);
    for (Place& place : places) threads.emplace_back([&lot, &place] { lot.Wait(&place); });
    {
      ParkingLot::Waking waking(&lot);
      for (Place& place : places) waking.Add(&place);
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// Forty in one row have 32 marks, so that some are woken for nothing: they have to sleep again.
TEST(ParkingLot, WhoWasNotMeantSleepsOn) {
  ParkingLot lot;
  std::deque<Place> places(40);
  std::atomic<size_t> asleep = 0;
  std::atomic<size_t> awake = 0;
  std::vector<std::thread> threads;
  threads.reserve(places.size());
  for (Place& place : places) lot.Assign(&place, 7);
  for (Place& place : places) {
    threads.emplace_back([&] {
      lot.WaitFor(&place, absl::Microseconds(50));
      ++asleep;
      lot.Wait(&place);
      EXPECT_TRUE(place.woken());
      ++awake;
    });
  }
  while (asleep < places.size()) std::this_thread::yield();
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(awake, i);
    lot.Wake(&places[i]);
    threads[i].join();
  }
}

}  // namespace
}  // namespace keel::io
