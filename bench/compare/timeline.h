// bench/compare: throughput and latency of every second of a long run.

#ifndef KEEL_BENCH_COMPARE_TIMELINE_H_
#define KEEL_BENCH_COMPARE_TIMELINE_H_

#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/compare/histogram.h"

namespace keel::compare {

// Filled by all workers, each second of a worker as a whole. Coarse histograms (error under 7 %), so that hours fit in
// little memory.
class Timeline {
 public:
  static constexpr int kBits = 4;

  void Add(size_t second, uint64_t operations, const Histogram& latencies) {
    absl::MutexLock lock(&mutex_);
    if (seconds_.size() <= second) seconds_.resize(second + 1);
    seconds_[second].operations += operations;
    seconds_[second].latencies.Merge(latencies);
  }

  struct Second {
    uint64_t operations = 0;
    Histogram latencies{kBits};
  };
  // REQUIRES: no worker adds any more.
  const std::vector<Second>& seconds() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return seconds_; }

 private:
  absl::Mutex mutex_;
  std::vector<Second> seconds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_TIMELINE_H_
