// bench/compare: the clock of all measurements. Reading it takes 20 to 30 ns, which is why what is quicker than a few
// microseconds is not timed each time (Mix::timed_one_in).

#ifndef KEEL_BENCH_COMPARE_CLOCK_H_
#define KEEL_BENCH_COMPARE_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace keel::compare {

inline uint64_t NowNs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline double SecondsSince(uint64_t begin_ns) {
  return static_cast<double>(NowNs() - begin_ns) / 1e9;
}

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_CLOCK_H_
