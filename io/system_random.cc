#include "io/system_random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/check.h"

namespace keel::io {

uint64_t SystemRandom::Next64() {
  uint64_t value = 0;
  ssize_t got = -1;
  do {
    got = getrandom(&value, sizeof(value), 0);
  } while (got < 0 && errno == EINTR);
  KEEL_CHECK(got == sizeof(value));
  return value;
}

}  // namespace keel::io
