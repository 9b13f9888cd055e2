// How long a transaction may live.

#ifndef KEEL_ENGINE_TIME_LIMIT_H_
#define KEEL_ENGINE_TIME_LIMIT_H_

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "io/file_system.h"

namespace keel::engine {

class TimeLimit {
 public:
  // The clock is not owned.
  TimeLimit(io::Clock* clock, absl::Duration limit)
      : clock_(clock),
        deadline_(limit == absl::InfiniteDuration() ? limit : clock->Now() + limit) {}

  // Infinite where there is no limit; not positive once it is over.
  absl::Duration left() const {
    return deadline_ == absl::InfiniteDuration() ? deadline_ : deadline_ - clock_->Now();
  }
  bool over() const { return left() <= absl::ZeroDuration(); }

  // What calls answer then.
  static absl::Status Exceeded() {
    return absl::DeadlineExceededError(
        "the transaction outlived its time limit and was rolled back");
  }

 private:
  io::Clock* const clock_;
  const absl::Duration deadline_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_TIME_LIMIT_H_
