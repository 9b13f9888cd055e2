// The writer lock: one holder, a fair order, with a time limit and a name for the holder.
//
// W1  Those who want it for a transaction and those who want it for the commits of the queue take turns of equal time:
//     while both wait, the one who has had it for less time is next, and the other one if they are even. Among
//     themselves they have it in the order of Acquire. Whoever releases it grants it, so that nobody overtakes.
// W2  Whoever uses the holder's transaction is its owner, and is refused rather than left to wait for itself.
// W3  A holder over its time limit is ended by whoever comes for the lock, its owner included, or is first in line.

#ifndef KEEL_ENGINE_WRITER_LOCK_H_
#define KEEL_ENGINE_WRITER_LOCK_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>

#include "io/clock.h"

namespace keel::engine {

// Thread-safe. Time is the injected clock's; waiting itself is the operating system's.
class WriterLock {
 public:
  // Ends the holder's transaction unless a call of it is running; true: done, or it was over already.
  using Expire = std::function<bool()>;

  // What for. Were there one line for all, then commits, which many wait for together and which take microseconds, would
  // stand behind every transaction that waits, and optimistic ones would be out of date when their turn came.
  enum class Use : uint8_t { kTransaction, kCommits };

  explicit WriterLock(io::Clock* clock) : clock_(clock) {}

  // Waits its turn, at most `timeout`. `label` names the holder to others (copied). DeadlineExceeded says who
  // holds it and for how long; FailedPrecondition: the calling thread uses the holder's transaction itself; or the
  // status given to Fail.
  absl::Status Acquire(absl::Duration timeout, std::string_view label, Use use = Use::kTransaction)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Without waiting. False: it is held, perhaps just no more, or refused; Acquire tells.
  bool TryAcquire(std::string_view label, Use use) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, and if it is held looks again for a few microseconds: for commits in memory alone, which hold it for less
  // than it takes to put a thread to sleep and wake it.
  bool TryAcquireSoon(std::string_view label, Use use) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it seems to be, by commits, which will not have it for long.
  bool HeldByCommits() const { return seems_.load(std::memory_order_relaxed) == Seems::kCommits; }
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);
  // For who waits for another thread that waits for the lock: the answers that Acquire would give.
  absl::Status RefuseOwner() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TimedOut(absl::Duration waited) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The holder's transaction may be ended from outside after `limit`: `expire` is called by whoever wants the lock
  // then, without locks, until it says that it is done. It must lead to Release by someone, or do nothing.
  void SetLimit(absl::Duration limit, Expire expire) ABSL_LOCKS_EXCLUDED(mutex_);
  // The holder's transaction is being used by the calling thread from now on.
  void SetOwner() ABSL_LOCKS_EXCLUDED(mutex_);

  // Wakes every waiter, and refuses every later Acquire, with `status`.
  void Fail(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    uint64_t thread;
    std::string_view label;
    absl::CondVar granted;
    bool has_lock = false;
  };

  absl::Status Wait(Waiter& waiter, absl::Duration timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Overdue(absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return HasLimit() && now >= limit_at_;
  }
  bool HasLimit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return held_ && expire_ != nullptr;
  }
  // Tries to end the holder's transaction, with the mutex released meanwhile. False: a call of it is running.
  bool ExpireHolder() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OwnerWaits() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Timeout(absl::Duration waited) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string HolderName() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::list<Waiter*>& Line(Use use) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return use == Use::kCommits ? commits_ : transactions_;
  }
  // Whose turn it is; `held`: how long the last one had it.
  Use NextUse(absl::Duration held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Hold(uint64_t owner, std::string_view label, Use use) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFirst(const Waiter& waiter) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Those who watch the holder's limit.
  void WakeFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t Waiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::Clock* clock_;
  mutable absl::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  // held_ and use_, for who looks without the mutex.
  enum class Seems : uint8_t { kFree, kCommits, kTransaction };
  std::atomic<Seems> seems_ = Seems::kFree;
  Use use_ ABSL_GUARDED_BY(mutex_) = Use::kTransaction;
  uint64_t owner_ ABSL_GUARDED_BY(mutex_) = 0;  // the token of its thread
  std::string label_ ABSL_GUARDED_BY(mutex_);
  absl::Duration since_ ABSL_GUARDED_BY(mutex_);
  absl::Duration limit_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  Expire expire_ ABSL_GUARDED_BY(mutex_);
  std::list<Waiter*> transactions_ ABSL_GUARDED_BY(mutex_);
  std::list<Waiter*> commits_ ABSL_GUARDED_BY(mutex_);
  // By how much commits have had it longer than transactions, of the time in which both wanted it.
  absl::Duration ahead_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_WRITER_LOCK_H_
