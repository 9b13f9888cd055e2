// bench/compare: what is said of several runs of the same.

#ifndef KEEL_BENCH_COMPARE_STATISTICS_H_
#define KEEL_BENCH_COMPARE_STATISTICS_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/check.h"

namespace keel::compare {

// The middle one, or the mean of the two in the middle. REQUIRES: there are some.
inline double Median(std::vector<double> figures) {
  KEEL_CHECK(!figures.empty());
  std::sort(figures.begin(), figures.end());
  const size_t half = figures.size() / 2;
  return figures.size() % 2 == 1 ? figures[half] : (figures[half - 1] + figures[half]) / 2;
}

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_STATISTICS_H_
