// bench/compare: the numbers of [0, count) in a random order that needs no memory.

#ifndef KEEL_BENCH_COMPARE_PERMUTATION_H_
#define KEEL_BENCH_COMPARE_PERMUTATION_H_

#include <array>
#include <cstdint>

namespace keel::compare {

// A Feistel network over the next even power of two; what falls outside of [0, count) is sent through it again.
class Permutation {
 public:
  // REQUIRES: count is not 0 and at most 2^62.
  Permutation(uint64_t count, uint64_t seed);

  // REQUIRES: n < count. Different for different n.
  uint64_t At(uint64_t n) const;

 private:
  uint64_t Shuffle(uint64_t n) const;

  uint64_t count_;
  std::array<uint64_t, 4> round_keys_ = {};
  int half_bits_;
  uint64_t half_mask_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_PERMUTATION_H_
