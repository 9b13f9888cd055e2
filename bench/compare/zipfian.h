// bench/compare: numbers of which few are drawn often, as YCSB draws the records of its requests.
//
// The k-th most frequent of n numbers is drawn with a probability proportional to 1 / (k+1)^theta. The method is that
// of Gray et al., "Quickly generating billion-record synthetic databases" (SIGMOD 1994): after a sum over n numbers,
// made once, each draw takes two powers at most.

#ifndef KEEL_BENCH_COMPARE_ZIPFIAN_H_
#define KEEL_BENCH_COMPARE_ZIPFIAN_H_

#include <cstdint>

#include "bench/compare/random.h"

namespace keel::compare {

// 0 is the most frequent, 1 the next. Immutable: threads share it and bring their own randomness.
class Zipfian {
 public:
  static constexpr double kTheta = 0.99;

  explicit Zipfian(uint64_t count);
  // With the sum of 1 / k^theta for k in [1, count] known.
  Zipfian(uint64_t count, double zeta);

  uint64_t Draw(Random& random) const;

 private:
  uint64_t count_;
  double zeta_;
  double half_power_;  // 1 / 2^theta
  double alpha_;
  double eta_;
};

// The same, with the frequent ones scattered over [0, count): as YCSB does it, ten thousand million numbers are drawn
// from, and their FNV-1a hash is taken modulo count.
class ScrambledZipfian {
 public:
  explicit ScrambledZipfian(uint64_t count);

  uint64_t Draw(Random& random) const;

 private:
  uint64_t count_;
  Zipfian ranks_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_ZIPFIAN_H_
