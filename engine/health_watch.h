// Early warnings: figures are held against thresholds now and then, and what is near a limit becomes an issue.
//
//   warning          begins                                              may end
//   kDiskNearlyFull  room under 1/32 of the data file (16 MiB to 8 GiB)  at twice as much
//   kLogNearLimit    log since the last checkpoint at 3/4 of its limit   at half, where a checkpoint begins
//   kMemoryChanged   90 % of the frames that may be changed are          at 70 %
//   kMemoryPinned    half of the frames are pinned                       at 3/8
//   kOldSnapshot     one snapshot, a minute old, holds 1/8 of the file   at half as much, or when it is gone
//
// Room is what the file system has free and what the file has free above the reserve. Between the two
// thresholds nothing changes, and nothing ends within kHoldTime of its beginning: so a figure that sways about
// a threshold gives one warning, not a storm. A full disk (kDiskFull) is begun by the write that is refused; its end
// is seen here.

#ifndef KEEL_ENGINE_HEALTH_WATCH_H_
#define KEEL_ENGINE_HEALTH_WATCH_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/types.h"
#include "engine/health.h"

namespace keel::engine {

struct HealthFigures {
  absl::Duration now;
  uint64_t disk_free_bytes = 0;  // of the file system
  uint64_t file_bytes = 0;
  uint64_t file_free_bytes = 0;  // of the data file, above the reserve
  bool writes_refused = false;   // the last ordinary write was, for want of disk
  bool room_for_writes = true;   // what such a write needs is there: pages, and a log segment
  uint64_t log_bytes = 0;        // since the last checkpoint
  uint64_t log_bytes_max = 0;
  uint64_t frames = 0;
  uint64_t changed_frames = 0;
  uint64_t changed_frames_max = 0;
  uint64_t pinned_frames = 0;
  uint64_t snapshot_bytes = 0;  // held by those who read the version that holds most
  Epoch snapshot_epoch;         // that version's
  absl::Duration snapshot_age;  // of the oldest snapshot among them; a call has none that is known
  std::string snapshot;         // its description
};

// Thread-safe.
class HealthWatch {
 public:
  static constexpr absl::Duration kHoldTime = absl::Seconds(5);

  explicit HealthWatch(Health* health) : health_(*health) {}

  void Look(const HealthFigures& figures) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What the figures say of one issue: that it is there, that it is not, or neither.
  struct Verdict {
    bool begins;
    bool may_end;
  };

  // What comes of a look; told without a lock, since a listener hears of it.
  struct Changes {
    std::vector<HealthIssue> begun;
    std::vector<HealthIssue::Kind> ended;
  };

  void LookAtDisk(const HealthFigures& figures, Changes* changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LookAtLog(const HealthFigures& figures, Changes* changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LookAtMemory(const HealthFigures& figures, Changes* changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LookAtSnapshots(const HealthFigures& figures, Changes* changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Judge(HealthIssue issue, Verdict verdict, absl::Duration now, Changes* changes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Health& health_;
  absl::Mutex mutex_;
  Epoch holder_ ABSL_GUARDED_BY(mutex_);  // that held most at the last look
  absl::Duration holder_since_ ABSL_GUARDED_BY(mutex_);
  std::map<HealthIssue::Kind, absl::Duration> since_ ABSL_GUARDED_BY(mutex_);  // seen first
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_HEALTH_WATCH_H_
