// Time and randomness, as seen by the engine: injected, so that a simulated world can own both.

#ifndef KEEL_IO_CLOCK_H_
#define KEEL_IO_CLOCK_H_

#include <absl/time/time.h>

#include <cstdint>

namespace keel::io {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Monotonic time since an arbitrary start.
  virtual absl::Duration Now() const = 0;
  // Blocks the calling thread (in a simulation: lets virtual time pass).
  virtual void Sleep(absl::Duration duration) = 0;
};

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;

  virtual uint64_t Next64() = 0;
};

}  // namespace keel::io

#endif  // KEEL_IO_CLOCK_H_
