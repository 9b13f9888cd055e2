// Assertions: our own mistakes abort, in release builds too.
//
// KEEL_CHECK is for what must hold or data is at risk; KEEL_DCHECK for what is too dear for release
// builds. Neither is ever used on bytes from disk or on arguments of a caller: those get a Status.

#ifndef KEEL_BASE_CHECK_H_
#define KEEL_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace keel {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "keel: %s:%d: invariant violated: %s\n", file, line, condition);
  std::abort();
}

#if defined(KEEL_PARANOID) && KEEL_PARANOID
inline constexpr bool kParanoid = true;
#else
inline constexpr bool kParanoid = false;
#endif

}  // namespace keel

#define KEEL_CHECK(condition)                              \
  do {                                                     \
    if (!(condition)) [[unlikely]] {                       \
      ::keel::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                      \
  } while (false)

#if defined(NDEBUG) && !(defined(KEEL_PARANOID) && KEEL_PARANOID)
#define KEEL_DCHECK(condition) \
  do {                         \
    if (false) {               \
      (void)(condition);       \
    }                          \
  } while (false)
#else
#define KEEL_DCHECK(condition) KEEL_CHECK(condition)
#endif

#endif  // KEEL_BASE_CHECK_H_
