// The snapshots that are open: for statistics, for the bound on their number, and to find those that are too old.
//
//   N1  Every SharedVersion that still keeps its pages is here, and no other.
//   N2  Its lock is a leaf: nothing is called while it is held, not even the last reference to a version is given up.

#ifndef KEEL_ENGINE_OPEN_SNAPSHOTS_H_
#define KEEL_ENGINE_OPEN_SNAPSHOTS_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <keel/options.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace keel::engine {

class SharedVersion;

struct OpenSnapshot {
  uint64_t number = 0;  // ascending: the oldest has the lowest
  std::weak_ptr<SharedVersion> version;
  SnapshotKind kind = SnapshotKind::kSnapshot;
  std::string label;
  absl::Duration taken;  // on the clock
  Lsn lsn;
  Epoch epoch;
};

// Thread-safe.
class OpenSnapshots {
 public:
  // At most `count_max` at a time; 0: any number.
  explicit OpenSnapshots(uint64_t count_max) : count_max_(count_max) {}

  // ResourceExhausted, if `bounded`: there are as many as there may be; names the oldest.
  absl::Status Add(const std::shared_ptr<SharedVersion>& version, SnapshotKind kind,
                   std::string_view label, absl::Duration now, bool bounded)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Does nothing if it is not there (any more).
  void Remove(const SharedVersion& version) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of those that nobody has been told of: the oldest `most`, and all that were taken before `before`.
  std::vector<OpenSnapshot> Candidates(size_t most, absl::Duration before) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // It is too old. False: that is known already, or it has gone.
  bool NoteTooOld(uint64_t number, bool expires) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Totals {
    uint64_t open = 0;
    uint64_t refused = 0;
    uint64_t warned = 0;
    uint64_t expired = 0;
  };
  Totals totals() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The oldest `most`.
  std::vector<OpenSnapshot> Oldest(size_t most) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    OpenSnapshot snapshot;
    bool too_old = false;
  };

  absl::Status TooMany(absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t count_max_;
  mutable absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  Totals totals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPEN_SNAPSHOTS_H_
