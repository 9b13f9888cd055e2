// The computer's own clock.

#ifndef KEEL_IO_SYSTEM_CLOCK_H_
#define KEEL_IO_SYSTEM_CLOCK_H_

#include <absl/time/time.h>

#include "io/clock.h"

namespace keel::io {

// CLOCK_MONOTONIC: steps of the wall clock do not touch it; it stands still while the machine
// sleeps.
class SystemClock final : public Clock {
 public:
  absl::Duration Now() const override;
  void Sleep(absl::Duration duration) override;
};

}  // namespace keel::io

#endif  // KEEL_IO_SYSTEM_CLOCK_H_
