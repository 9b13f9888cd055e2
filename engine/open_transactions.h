// The transactions that are open: for statistics, and to end those over their time limit from outside.
//
//   A1  Its lock comes after a transaction's own: no transaction is asked for anything while it is held.
//   A2  Nobody waits for a transaction in which a call is running: that call finds the limit itself when it is the next
//       one's turn, and until then it is tried again.

#ifndef KEEL_ENGINE_OPEN_TRANSACTIONS_H_
#define KEEL_ENGINE_OPEN_TRANSACTIONS_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/open_transaction.h"

namespace keel::engine {

// Thread-safe.
class OpenTransactions {
 public:
  void Add(const std::shared_ptr<OpenTransaction>& transaction) ABSL_LOCKS_EXCLUDED(mutex_);
  // It has ended; `timed_out`: for its time limit.
  void Remove(const OpenTransaction& transaction, bool timed_out) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends those whose time is over and in which no call is running. One atomic load if there are none.
  void EndOverdue(absl::Duration now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends those whose snapshot has expired and in which no call is running.
  void EndExpired() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    uint64_t exclusive = 0;
    uint64_t optimistic = 0;
    uint64_t timed_out = 0;  // ever
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The oldest `most`.
  std::vector<std::shared_ptr<OpenTransaction>> Oldest(size_t most) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::weak_ptr<OpenTransaction> transaction;
    absl::Duration deadline;
  };

  void NoteNextDeadline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t& CountOf(Concurrency concurrency) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return concurrency == Concurrency::kExclusive ? counts_.exclusive : counts_.optimistic;
  }

  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by number: the oldest first
  std::set<std::pair<absl::Duration, uint64_t>> deadlines_ ABSL_GUARDED_BY(mutex_);  // finite ones
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> next_deadline_ns_ = INT64_MAX;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPEN_TRANSACTIONS_H_
