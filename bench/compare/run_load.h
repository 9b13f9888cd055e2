// bench/compare: loads, overwrites and scans: fixed amounts of work on all rows.

#ifndef KEEL_BENCH_COMPARE_RUN_LOAD_H_
#define KEEL_BENCH_COMPARE_RUN_LOAD_H_

#include <absl/status/status.h>

#include "bench/compare/measurement.h"
#include "bench/compare/workload.h"

namespace keel::compare {

enum class LoadMethod : uint8_t {
  kBulk,           // ascending, by the store's own way to load
  kSortedBatches,  // ascending, unsynced commits of a thousand rows
  kRandomBatches,
};

// Into an empty store, and then a Sync, which is part of the time ("sync_seconds" in the extras says how much).
absl::Status RunLoad(const Assignment& assignment, LoadMethod method, Measurement* measurement);

// Everything anew, so many times, in random order and in unsynced commits of a thousand rows; then a Sync.
absl::Status RunOverwrites(const Assignment& assignment, uint64_t times, Measurement* measurement);

// The whole store from the first row to the last, again and again.
absl::Status RunScans(const Assignment& assignment, Measurement* measurement);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_RUN_LOAD_H_
