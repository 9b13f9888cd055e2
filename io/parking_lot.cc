#include "io/parking_lot.h"

#include <time.h>

#include <algorithm>

#include "io/futex.h"

namespace keel::io {
namespace {

// Longer waits come back in between, which they may: no time that the system is told overflows.
constexpr absl::Duration kLongestSleep = absl::Hours(1);

timespec After(absl::Duration timeout) {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const absl::Duration until = absl::DurationFromTimespec(now) + std::min(timeout, kLongestSleep);
  return absl::ToTimespec(std::max(until, absl::ZeroDuration()));
}

}  // namespace

void ParkingLot::Assign(Place* place, uint64_t row) {
  place->row_ = static_cast<uint32_t>(row % kRows);
  place->mark_ = uint32_t{1} << (assigned_.fetch_add(1, std::memory_order_relaxed) % kMarks);
}

void ParkingLot::Wait(Place* place) {
  uint32_t state = Place::kEmpty;
  place->state_.compare_exchange_strong(state, Place::kSleeping, std::memory_order_acquire);
  while (!place->woken()) Sleep(*place, nullptr);
}

bool ParkingLot::WaitFor(Place* place, absl::Duration timeout) {
  uint32_t state = Place::kEmpty;
  place->state_.compare_exchange_strong(state, Place::kSleeping, std::memory_order_acquire);
  if (state == Place::kWoken) return true;
  const timespec until = After(timeout);
  Sleep(*place, &until);
  return place->woken();
}

// The count is read first: who wakes marks the place before it counts (PL1).
void ParkingLot::Sleep(const Place& place, const timespec* until) {
  std::atomic<uint32_t>& wakings = rows_[place.row_].wakings;
  const uint32_t seen = wakings.load(std::memory_order_acquire);
  if (!place.woken()) FutexWait(&wakings, seen, until, place.mark_);
}

void ParkingLot::Wake(Place* place) {
  Waking waking(this);
  waking.Add(place);
}

void ParkingLot::Waking::Add(Place* place) {
  const uint32_t row = place->row_;
  const uint32_t mark = place->mark_;
  // The place may be gone from here on (PL2).
  if (place->state_.exchange(Place::kWoken, std::memory_order_release) != Place::kSleeping) return;
  rows_ |= uint32_t{1} << row;
  marks_ |= mark;
}

ParkingLot::Waking::~Waking() {
  for (uint32_t row = 0; row < kRows; ++row) {
    if ((rows_ >> row & 1) == 0) continue;
    std::atomic<uint32_t>& wakings = lot_->rows_[row].wakings;
    wakings.fetch_add(1, std::memory_order_release);
    FutexWake(&wakings, marks_);
  }
}

}  // namespace keel::io
