#include "io/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace keel::io {
namespace {

// Both may return for no reason; a wait is repeated then, a wake is no more needed.
void FutexWait(std::atomic<uint32_t>* word, uint32_t value, const timespec* timeout) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, nullptr, 0);
}

// Of the word only the address is used (K1).
void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace

void Parker::Wait() {
  uint32_t state = kEmpty;
  state_.compare_exchange_strong(state, kSleeping, std::memory_order_acquire);
  while (state_.load(std::memory_order_acquire) != kWoken) FutexWait(&state_, kSleeping, nullptr);
}

bool Parker::WaitFor(absl::Duration timeout) {
  uint32_t state = kEmpty;
  state_.compare_exchange_strong(state, kSleeping, std::memory_order_acquire);
  if (state == kWoken) return true;
  const timespec time = absl::ToTimespec(timeout);
  FutexWait(&state_, kSleeping, &time);
  return state_.load(std::memory_order_acquire) == kWoken;
}

void Parker::Wake() {
  if (state_.exchange(kWoken, std::memory_order_release) == kSleeping) FutexWake(&state_);
}

}  // namespace keel::io
