// bench/compare: runs a mix of calls by some threads for some seconds.

#ifndef KEEL_BENCH_COMPARE_RUN_MIX_H_
#define KEEL_BENCH_COMPARE_RUN_MIX_H_

#include <absl/status/status.h>

#include "bench/compare/measurement.h"
#include "bench/compare/mix.h"
#include "bench/compare/workload.h"

namespace keel::compare {

struct MixRun {
  Mix mix;
  double seconds = 0;
  bool timeline = false;
  bool checkpoints = false;  // one after the other all the while
};

// Opens the store, warms it (reads all of it, or a second's worth where it does not fit), measures, closes. What is
// written until the end of the close counts as written by the work.
absl::Status RunMix(const Assignment& assignment, const MixRun& run, Measurement* measurement);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_RUN_MIX_H_
