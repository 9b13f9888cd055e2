// The commits of several threads, in the order that the database gave them.

#ifndef KEEL_TORTURE_LEDGER_H_
#define KEEL_TORTURE_LEDGER_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "torture/history.h"

namespace keel::torture {

// Safe for use by many threads. Every commit has its number from the database itself, read within
// the transaction that commits it.
class Ledger {
 public:
  using Changes = std::vector<std::pair<std::string, std::string>>;  // an empty value deletes

  void Begin(uint64_t number, Changes changes);
  // The same for one that may lose to another one of its number: until it is settled it counts where nothing else does.
  // Returns what to settle it by. At most one of a number is not settled when a history is made.
  uint64_t Offer(uint64_t number, Changes changes);
  void Settle(uint64_t offer, bool committed);
  void Acknowledge(uint64_t number);
  // What an empty database that took these commits holds after each of them.
  History MakeHistory() const;

 private:
  mutable absl::Mutex mutex_;
  struct Offered {
    uint64_t number;
    Changes changes;
  };

  std::map<uint64_t, Changes> commits_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Offered> offers_ ABSL_GUARDED_BY(mutex_);  // not settled
  uint64_t offers_made_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace keel::torture

#endif  // KEEL_TORTURE_LEDGER_H_
