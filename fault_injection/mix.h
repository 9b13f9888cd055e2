// Numbers spread over 64 bits, and a small generator made of them: equal on every machine.

#ifndef KEEL_FAULT_INJECTION_MIX_H_
#define KEEL_FAULT_INJECTION_MIX_H_

#include <cstdint>

namespace keel::fault_injection {

// The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
// OOPSLA 2014).
inline uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// splitmix64. Two generators with the same seed give the same numbers.
class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  uint64_t Next() { return Mix(state_++ * 0x9e3779b97f4a7c15ULL); }
  // In [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  bool Chance(double probability) {
    return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability;
  }

 private:
  uint64_t state_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_MIX_H_
