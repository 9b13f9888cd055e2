#include "io/parker.h"

#include "io/futex.h"

namespace keel::io {

void Parker::Wait() {
  uint32_t state = kEmpty;
  state_.compare_exchange_strong(state, kSleeping, std::memory_order_acquire);
  while (state_.load(std::memory_order_acquire) != kWoken) FutexWait(&state_, kSleeping);
}

// Of the word only the address is used behind the exchange (K1).
void Parker::Wake() {
  if (state_.exchange(kWoken, std::memory_order_release) == kSleeping) FutexWake(&state_);
}

}  // namespace keel::io
