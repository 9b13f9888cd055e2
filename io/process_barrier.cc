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

}  // namespace

bool ProcessBarrierWorks() {
  static const bool works = !kThreadSanitizer &&
                            Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
                            Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  return works;
}

void ProcessBarrier() { KEEL_CHECK(Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)); }

}  // namespace keel::io
