// How long a transaction may live.

#ifndef KEEL_ENGINE_TIME_LIMIT_H_
#define KEEL_ENGINE_TIME_LIMIT_H_

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <string_view>

#include "base/status.h"
#include "io/clock.h"

namespace keel::engine {

class TimeLimit {
 public:
  // The clock is not owned.
  TimeLimit(io::Clock* clock, absl::Duration limit)
      : clock_(clock),
        limit_(limit),
        deadline_(limit == absl::InfiniteDuration() ? limit : clock->Now() + limit) {}

  // Infinite where there is no limit.
  absl::Duration limit() const { return limit_; }
  absl::Duration deadline() const { return deadline_; }
  // Infinite where there is no limit; not positive once it is over.
  absl::Duration left() const {
    return deadline_ == absl::InfiniteDuration() ? deadline_ : deadline_ - clock_->Now();
  }
  bool over() const { return left() <= absl::ZeroDuration(); }

  // What the calls of the transaction with this label answer then.
  absl::Status Exceeded(std::string_view label) const {
    return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                      "the transaction%s outlived its time limit of %s and was rolled back",
                      label.empty() ? "" : absl::StrFormat(" \"%s\"", Printable(label)),
                      absl::FormatDuration(limit_));
  }

 private:
  io::Clock* const clock_;
  const absl::Duration limit_;
  const absl::Duration deadline_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_TIME_LIMIT_H_
