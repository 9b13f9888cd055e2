// A clock that stands still until it is told to go on.

#ifndef KEEL_TESTS_SUPPORT_MANUAL_CLOCK_H_
#define KEEL_TESTS_SUPPORT_MANUAL_CLOCK_H_

#include <absl/time/time.h>

#include <atomic>
#include <cstdint>

#include "io/clock.h"

namespace keel::testing {

class ManualClock final : public io::Clock {
 public:
  absl::Duration Now() const override { return absl::Nanoseconds(now_.load()); }
  void Sleep(absl::Duration duration) override { now_ += absl::ToInt64Nanoseconds(duration); }

 private:
  std::atomic<int64_t> now_ = 0;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_SUPPORT_MANUAL_CLOCK_H_
