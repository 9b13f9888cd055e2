// Who wants to be told when a commit is durable.
//
//   C1  Each callback is called once, with no lock held, by whoever calls Run or Close.
//   C2  In the order of their positions, and of registration where those are equal; one at a time.

#ifndef KEEL_ENGINE_DURABLE_CALLBACKS_H_
#define KEEL_ENGINE_DURABLE_CALLBACKS_H_

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "base/types.h"

namespace keel::engine {

// Thread-safe.
class DurableCallbacks {
 public:
  using Callback = std::function<void(const absl::Status&)>;
  // What is known of a position: OK, durable; an error, never known to be; none: not yet.
  using Outcome = absl::FunctionRef<std::optional<absl::Status>(Lsn lsn)>;

  static constexpr size_t kWaitingMax = 65536;

  // ResourceExhausted: too many wait.
  absl::Status Add(Lsn lsn, Callback callback) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the first in line waits for no more than `durable`. One atomic load.
  bool Due(Lsn durable) const { return first_.load(std::memory_order_acquire) <= durable.value; }
  bool empty() const { return first_.load(std::memory_order_acquire) == kNone; }

  // Calls those of which the outcome is known. Returns at once if another thread is at it, which then calls them.
  void Run(Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, once no other thread is at it; REQUIRES: all outcomes are known.
  void Finish(Outcome outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the calling thread is in a callback.
  bool RunsHere() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr uint64_t kNone = UINT64_MAX;

  void RunLocked(Outcome outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<uint64_t> first_ = kNone;
  mutable absl::Mutex mutex_;
  std::multimap<Lsn, Callback> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t runner_ ABSL_GUARDED_BY(mutex_) = 0;  // the token of the thread that is at it
  absl::CondVar idle_;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;  // somebody knew more while one was at it
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_DURABLE_CALLBACKS_H_
