// bench/compare: what one run of one workload on one store came to.

#ifndef KEEL_BENCH_COMPARE_MEASUREMENT_H_
#define KEEL_BENCH_COMPARE_MEASUREMENT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "bench/compare/histogram.h"

namespace keel::compare {

using Json = nlohmann::ordered_json;

// What could not be measured is absent, never zero.
struct Measurement {
  uint64_t operations = 0;
  double seconds = 0;
  Histogram latencies;
  struct Second {
    uint64_t second = 0;
    uint64_t operations = 0;
    std::optional<uint64_t> p99_ns;
  };
  std::vector<Second> timeline;
  std::optional<uint64_t> peak_memory_bytes;
  std::optional<uint64_t> bytes_written;
  std::optional<uint64_t> file_bytes;
  std::optional<uint64_t> user_bytes;  // written by the driver: keys and values
  Json extra = Json::object();
};

// The fields of the results' schema that a measurement decides.
Json ToJson(const Measurement& measurement);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_MEASUREMENT_H_
