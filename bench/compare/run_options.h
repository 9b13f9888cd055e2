// bench/compare: what a run of the driver is asked to do.

#ifndef KEEL_BENCH_COMPARE_RUN_OPTIONS_H_
#define KEEL_BENCH_COMPARE_RUN_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace keel::compare {

struct RunOptions {
  uint64_t rows = 1'000'000;
  size_t value_bytes = 100;
  uint64_t memory_bytes = uint64_t{1} << 30;
  // Of the work that is larger than its memory.
  uint64_t large_bytes = uint64_t{1} << 30;
  size_t large_value_bytes = 1024;
  uint64_t small_memory_bytes = uint64_t{64} << 20;

  double seconds = 3;  // of each measurement that is not a fixed amount of work
  double minutes = 0;  // of each sustained one; 0: none
  uint64_t runs = 3;
  uint64_t seed = 1;
  std::vector<std::string> workloads;  // empty: all
  std::vector<std::string> stores;     // empty: all
  std::filesystem::path directory;
  std::filesystem::path output;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_RUN_OPTIONS_H_
