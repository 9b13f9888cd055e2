// The snapshots that are open: for statistics, for the bound on their number, and to find those that are too old.
//
//   N1  Every SharedVersion that still keeps its pages is here, and no other.
//   N2  Its locks are leaves: nothing is called while one is held, not even the last reference to a version is given up.
//   N3  A cursor for a few rows comes and goes here too. So each thread has a list to add to, almost always its own, and
//       the entries lie in the snapshots themselves; who asks for the oldest looks through all lists.

#ifndef KEEL_ENGINE_OPEN_SNAPSHOTS_H_
#define KEEL_ENGINE_OPEN_SNAPSHOTS_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <keel/options.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace keel::engine {

class SharedVersion;

struct OpenSnapshot {
  std::weak_ptr<SharedVersion> version;
  SnapshotKind kind = SnapshotKind::kSnapshot;
  std::string label;
  absl::Duration taken;  // on the clock
  Lsn lsn;
  Epoch epoch;
};

// Thread-safe.
class OpenSnapshots {
  struct List;

 public:
  // What is known of a snapshot, a part of it. Changed by OpenSnapshots alone.
  class Entry {
    friend class OpenSnapshots;

    SharedVersion* version_ = nullptr;
    SnapshotKind kind_ = SnapshotKind::kSnapshot;
    std::string label_;
    absl::Duration taken_;
    List* list_ = nullptr;  // where it was added; what follows is guarded by that list's lock
    Entry* older_ = nullptr;
    Entry* newer_ = nullptr;
    bool open_ = false;
    bool too_old_ = false;
  };

  // At most `count_max` at a time; 0: any number.
  explicit OpenSnapshots(uint64_t count_max) : count_max_(count_max) {}

  // ResourceExhausted, if `bounded`: there are as many as there may be; names the oldest. REQUIRES: it was not added
  // before.
  absl::Status Add(SharedVersion& version, SnapshotKind kind, std::string_view label,
                   absl::Duration now, bool bounded);
  // Does nothing if it is not there (any more).
  void Remove(SharedVersion& version);

  // Of those that nobody has been told of: the oldest `most`, and all that were taken before `before`.
  std::vector<OpenSnapshot> Candidates(size_t most, absl::Duration before) const;
  // It is too old. False: that is known already, or it has gone.
  bool NoteTooOld(SharedVersion& version, bool expires);

  struct Totals {
    uint64_t open = 0;
    uint64_t refused = 0;
    uint64_t warned = 0;
    uint64_t expired = 0;
  };
  Totals totals() const;
  // The oldest `most`.
  std::vector<OpenSnapshot> Oldest(size_t most) const;
  // The oldest of versions of that epoch.
  std::optional<OpenSnapshot> OldestOf(Epoch epoch) const;

 private:
  // Those that some of the threads have added, the oldest first.
  struct alignas(64) List {
    mutable absl::Mutex mutex;
    Entry* oldest ABSL_GUARDED_BY(mutex) = nullptr;
    Entry* newest ABSL_GUARDED_BY(mutex) = nullptr;
    uint64_t count ABSL_GUARDED_BY(mutex) = 0;

    void Append(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
    void Erase(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  };
  struct Seen {
    OpenSnapshot snapshot;
    bool too_old = false;
  };

  static OpenSnapshot Describe(const Entry& entry);
  // The oldest `most`, and all that were taken before `before`; the oldest first.
  std::vector<Seen> Collect(size_t most, absl::Duration before) const;
  // Whether there is room for one more; it is counted then.
  bool CountIn(bool bounded);
  absl::Status TooMany(absl::Duration now) const;

  const uint64_t count_max_;
  std::atomic<uint64_t> bounded_count_ = 0;  // of all, where their number is bounded
  std::array<List, 16> lists_;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> warned_ = 0;
  std::atomic<uint64_t> expired_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPEN_SNAPSHOTS_H_
