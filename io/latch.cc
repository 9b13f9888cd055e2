#include "io/latch.h"

#include <ctime>

namespace keel::io {

absl::Duration RoughTime() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace keel::io
