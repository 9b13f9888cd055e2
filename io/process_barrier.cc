#include "io/process_barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

namespace keel::io {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool kThreadSanitizer = false;
#endif

// The C library has no name for it.
bool Membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

bool Register() {
  return Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
         Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

// Before main, while the process has one thread: with several the kernel makes the first open wait for a grace
// period, ten milliseconds and more.
const bool registered_early = ProcessBarrierWorks();

}  // namespace

bool ProcessBarrierWorks() {
  static_cast<void>(registered_early);
  static const bool works = !kThreadSanitizer && Register();
  return works;
}

void ProcessBarrier() {
  // A forked child has what its parent registered; should a kernel see that otherwise, it registers anew.
  if (!Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) KEEL_CHECK(Register());
}

}  // namespace keel::io
