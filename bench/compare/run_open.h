// bench/compare: how long it takes until a store answers its first question.

#ifndef KEEL_BENCH_COMPARE_RUN_OPEN_H_
#define KEEL_BENCH_COMPARE_RUN_OPEN_H_

#include <absl/status/status.h>

#include <cstdint>

#include "bench/compare/measurement.h"
#include "bench/compare/workload.h"

namespace keel::compare {

// After a clean close: the open and one read.
absl::Status RunOpenClean(const Assignment& assignment, Measurement* measurement);

// After a process was killed that had made so many puts, the last of them durable: the open and one read. Fails if the
// last puts are not all there. REQUIRES: this process has one thread.
absl::Status RunOpenAfterKill(const Assignment& assignment, uint64_t puts,
                              Measurement* measurement);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_RUN_OPEN_H_
