#include "io/system_clock.h"

#include <absl/time/clock.h>
#include <time.h>

#include "base/check.h"

namespace keel::io {

absl::Duration SystemClock::Now() const {
  timespec now = {};
  KEEL_CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return absl::DurationFromTimespec(now);
}

void SystemClock::Sleep(absl::Duration duration) { absl::SleepFor(duration); }

}  // namespace keel::io
