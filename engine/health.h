// The database's health: one state, which follows from the issues that are there.
//
//                first issue                        log at its limit
//             .-------------->.               .----------------------->.
//    Healthy                   Degraded                                 ReadOnly
//        ^    '<--------------'               '<-----------------------'    |
//        |       last issue ended                  a checkpoint succeeded   |
//        |                                                                  |
//        '------------------------------------------------------------------'
//                    a checkpoint succeeded, and no other issue is left
//
//    Healthy, Degraded, ReadOnly ------ I/O failure (G4) -----> Stopped, until reopened
//    opened read-only: ReadOnly from beginning to end
//
// Who begins and ends an issue:
//   kIoFailure                  Impl::Stop: whoever met the failed sync or the failed log; never ends
//   kCheckpointsFail            Impl::RunCheckpoint: an attempt that failed; the next that succeeds
//   kLogAtLimit                 a commit that waited for room in the log in vain; RunCheckpoint
//   kPageWritesFail             Background's page writing; the same, or RunCheckpoint
//   kDiskFull                   a write that was refused; HealthWatch
//   warnings                    HealthWatch (engine/health_watch.h), which has the thresholds
//
//   E1  Only Settle changes the state, and only along the diagram's arrows.
//   E2  Stopped is final: no issue begins or ends in it.
//   E3  The log is at its limit only as long as checkpoints fail: both issues end together.
//   E4  Events are delivered in the order of what they tell, one at a time, with no lock of Health held.

#ifndef KEEL_ENGINE_HEALTH_H_
#define KEEL_ENGINE_HEALTH_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <keel/health.h>
#include <keel/options.h>

#include <atomic>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace keel::engine {

// Thread-safe.
class Health {
 public:
  // `listener` may be null.
  Health(EventListener* listener, bool read_only);

  HealthState state() const { return state_.load(std::memory_order_acquire); }
  // Why commits are refused; OK while they are taken.
  absl::Status Refusal() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Has(HealthIssue::Kind kind) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<HealthIssue> issues() const ABSL_LOCKS_EXCLUDED(mutex_);

  // An issue begins; of one that is there already only the message changes, without an event.
  void Raise(HealthIssue::Kind kind, std::string message) ABSL_LOCKS_EXCLUDED(mutex_);
  // Those of `kinds` that are there end.
  void Clear(std::initializer_list<HealthIssue::Kind> kinds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Stopped, for `reason`. False if it was already. Tells nobody before Deliver: first everything stops.
  bool Stop(const absl::Status& reason) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the listener what it has not been told; another thread may be at it, and then tells it all.
  void Deliver() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Event = std::function<void(EventListener&)>;

  HealthState Wanted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(std::string_view reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(Event event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellOfIssue(HealthIssue issue, bool begins) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  EventListener* const listener_;
  std::atomic<HealthState> state_;
  mutable absl::Mutex mutex_;
  std::map<HealthIssue::Kind, std::string> issues_ ABSL_GUARDED_BY(mutex_);
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool delivering_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_HEALTH_H_
