#include "io/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>

namespace keel::io {

// The kernel compares and waits on the word itself.
static_assert(std::atomic<uint32_t>::is_always_lock_free &&
              sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

void FutexWait(std::atomic<uint32_t>* word, uint32_t value, const timespec* until, uint32_t mark) {
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, until, nullptr, mark);
}

void FutexWake(std::atomic<uint32_t>* word, uint32_t marks) {
  syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, std::numeric_limits<int>::max(), nullptr,
          nullptr, marks);
}

}  // namespace keel::io
