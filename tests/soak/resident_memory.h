// How much memory the process takes, and whether that grows.

#ifndef KEEL_TESTS_SOAK_RESIDENT_MEMORY_H_
#define KEEL_TESTS_SOAK_RESIDENT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keel::testing {

// Of this process; 0: the system does not say.
uint64_t ResidentBytes();

// Samples at even intervals.
class MemoryTrend {
 public:
  void Add(uint64_t bytes) { samples_.push_back(bytes); }
  uint64_t peak() const;
  // Whether there are enough samples to say anything.
  bool Tells() const;
  // How much more the most of the second half is than the least, as a share of that: of tenths of the half, each by its
  // median, so that one sample decides nothing. REQUIRES: Tells().
  double SpreadOfSecondHalf() const;

 private:
  static constexpr size_t kParts = 10;

  std::vector<uint64_t> samples_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_SOAK_RESIDENT_MEMORY_H_
