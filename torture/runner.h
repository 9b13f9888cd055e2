// Runs the cases of a campaign on several threads, one after the other, until told to stop.

#ifndef KEEL_TORTURE_RUNNER_H_
#define KEEL_TORTURE_RUNNER_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "torture/campaign.h"
#include "torture/stop.h"
#include "torture/tally.h"

namespace keel::torture {

// Thread-safe where it is not said otherwise.
class Runner {
 public:
  struct Options {
    Campaign campaign = Campaign::kCrash;
    uint64_t seed = 0;
    uint64_t cases = 0;  // 0: until `stop`
    size_t threads = 1;
    Stop stop = Never;  // thread-safe
  };

  explicit Runner(Options options) : options_(std::move(options)) {}

  // Returns when all cases are done, at `stop`, or after the first violation. Called once.
  void Run();

  // What has been done until now.
  Tally tally() const;
  // Of the cases under way, the oldest.
  uint64_t oldest_case() const;

 private:
  void Work(size_t thread);
  bool Next(size_t thread, uint64_t* number);

  const Options options_;
  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<uint64_t> under_way_ ABSL_GUARDED_BY(mutex_);
  Tally tally_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::torture

#endif  // KEEL_TORTURE_RUNNER_H_
