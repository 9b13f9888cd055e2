// Whether a sanitizer watches: long sweeps then visit a share of their steps, for each takes ten times as long.

#ifndef KEEL_TESTS_SUPPORT_SANITIZED_H_
#define KEEL_TESTS_SUPPORT_SANITIZED_H_

#include <absl/base/config.h>

namespace keel::testing {

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace keel::testing

#endif  // KEEL_TESTS_SUPPORT_SANITIZED_H_
