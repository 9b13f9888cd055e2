// bench/compare: random numbers that cost next to nothing and repeat from a seed: xoshiro256** (Blackman and Vigna,
// 2018), its state filled by SplitMix64.

#ifndef KEEL_BENCH_COMPARE_RANDOM_H_
#define KEEL_BENCH_COMPARE_RANDOM_H_

#include <array>
#include <bit>
#include <cstdint>

namespace keel::compare {

// A bijection of 64-bit numbers that leaves nothing of their order.
constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The high half of the product: scales a random number to [0, limit) without a division.
constexpr uint64_t ScaleTo(uint64_t random, uint64_t limit) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(random) * limit) >> 64);
}

class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) word = Mix64(seed++);
  }

  uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // From [0, limit).
  uint64_t Below(uint64_t limit) { return ScaleTo(Next(), limit); }
  // From [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_RANDOM_H_
