// The kernel's random numbers: database ids and salts must never repeat, not even in a forked child
// or in a copy of a virtual machine.

#ifndef KEEL_IO_SYSTEM_RANDOM_H_
#define KEEL_IO_SYSTEM_RANDOM_H_

#include <cstdint>

#include "io/clock.h"

namespace keel::io {

class SystemRandom final : public Random {
 public:
  uint64_t Next64() override;
};

}  // namespace keel::io

#endif  // KEEL_IO_SYSTEM_RANDOM_H_
