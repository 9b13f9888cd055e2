// When something that failed may be tried again: after pauses that double up to a limit.

#ifndef KEEL_ENGINE_RETRY_PAUSE_H_
#define KEEL_ENGINE_RETRY_PAUSE_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <algorithm>

namespace keel::engine {

// Thread-safe.
class RetryPause {
 public:
  RetryPause(absl::Duration first, absl::Duration longest) : first_(first), longest_(longest) {}

  // Whether the pause after the last failure is over; true if there was none since the last success.
  bool Over(absl::Duration now) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return now >= until_;
  }
  void NoteFailure(absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    pause_ = std::min(longest_, std::max(first_, 2 * pause_));
    until_ = now + pause_;
  }
  void NoteSuccess() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    pause_ = absl::ZeroDuration();
    until_ = -absl::InfiniteDuration();
  }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  mutable absl::Mutex mutex_;
  absl::Duration pause_ ABSL_GUARDED_BY(mutex_);
  absl::Duration until_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_RETRY_PAUSE_H_
