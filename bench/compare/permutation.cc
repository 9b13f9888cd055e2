#include "bench/compare/permutation.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "bench/compare/random.h"

namespace keel::compare {

Permutation::Permutation(uint64_t count, uint64_t seed)
    : count_(count),
      half_bits_(std::max(1, (static_cast<int>(std::bit_width(count - 1)) + 1) / 2)),
      half_mask_((uint64_t{1} << half_bits_) - 1) {
  KEEL_CHECK(count > 0 && count <= uint64_t{1} << 62);
  for (uint64_t& key : round_keys_) key = Mix64(seed++);
}

uint64_t Permutation::Shuffle(uint64_t n) const {
  uint64_t left = n >> half_bits_;
  uint64_t right = n & half_mask_;
  for (const uint64_t key : round_keys_) {
    const uint64_t mixed = left ^ (Mix64(right ^ key) & half_mask_);
    left = right;
    right = mixed;
  }
  return (left << half_bits_) | right;
}

uint64_t Permutation::At(uint64_t n) const {
  KEEL_DCHECK(n < count_);
  do {
    n = Shuffle(n);
  } while (n >= count_);
  return n;
}

}  // namespace keel::compare
