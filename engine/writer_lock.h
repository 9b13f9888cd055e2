// The writer lock: one holder, first come first served, with a time limit and a name for the holder.

#ifndef KEEL_ENGINE_WRITER_LOCK_H_
#define KEEL_ENGINE_WRITER_LOCK_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <thread>

#include "io/clock.h"

namespace keel::engine {

// Thread-safe. Time is the injected clock's; waiting itself is the operating system's.
class WriterLock {
 public:
  explicit WriterLock(io::Clock* clock) : clock_(clock) {}

  // Waits its turn, at most `timeout`. `label` names the holder to others (copied). DeadlineExceeded says who
  // holds it and since when; FailedPrecondition: the calling thread holds it itself; or the status given to
  // Fail.
  absl::Status Acquire(absl::Duration timeout, std::string_view label) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);
  // For who waits for another thread that waits for the lock: the answers of Acquire.
  absl::Status RefuseOwner() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TimedOut() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The holder's transaction may be ended from outside after `limit` by whoever waits: `expire` is called by a
  // waiter, without locks, once the limit has passed. It must lead to Release by someone, or do nothing.
  void SetLimit(absl::Duration limit, std::function<void()> expire) ABSL_LOCKS_EXCLUDED(mutex_);
  // The holder's transaction is being used by the calling thread from now on.
  void SetOwner() ABSL_LOCKS_EXCLUDED(mutex_);

  // Wakes every waiter, and refuses every later Acquire, with `status`.
  void Fail(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    absl::CondVar granted;
    bool has_lock = false;
  };

  absl::Status Wait(Waiter& waiter, absl::Duration deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Timeout() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Hold(std::thread::id owner, std::string_view label) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::Clock* clock_;
  mutable absl::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id owner_ ABSL_GUARDED_BY(mutex_);
  std::string label_ ABSL_GUARDED_BY(mutex_);
  absl::Duration since_ ABSL_GUARDED_BY(mutex_);
  absl::Duration limit_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  std::function<void()> expire_ ABSL_GUARDED_BY(mutex_);
  std::list<Waiter*> waiters_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_WRITER_LOCK_H_
