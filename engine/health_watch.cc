#include "engine/health_watch.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace keel::engine {

namespace {

using Kind = HealthIssue::Kind;

constexpr uint64_t kRoomMin = uint64_t{16} << 20;
constexpr uint64_t kRoomMax = uint64_t{8} << 30;
constexpr uint64_t kRoomShare = 32;     // of the data file, one part in
constexpr uint64_t kSnapshotShare = 8;  // likewise
constexpr absl::Duration kSnapshotAge = absl::Minutes(1);

}  // namespace

void HealthWatch::Look(const HealthFigures& figures) {
  Changes changes;
  {
    absl::MutexLock lock(&mutex_);
    LookAtDisk(figures, &changes);
    LookAtLog(figures, &changes);
    LookAtMemory(figures, &changes);
    LookAtSnapshots(figures, &changes);
  }
  for (HealthIssue& issue : changes.begun) health_.Raise(issue.kind, std::move(issue.message));
  for (const Kind kind : changes.ended) health_.Clear({kind});
}

void HealthWatch::LookAtDisk(const HealthFigures& figures, Changes* changes) {
  const uint64_t room = figures.disk_free_bytes + figures.file_free_bytes;
  const uint64_t low = std::clamp(figures.file_bytes / kRoomShare, kRoomMin, kRoomMax);
  Judge({Kind::kDiskNearlyFull,
         absl::StrFormat("the disk is nearly full: %d bytes are free on it, and %d in the data "
                         "file above its reserve",
                         figures.disk_free_bytes, figures.file_free_bytes)},
        {room < low, room >= 2 * low}, figures.now, changes);
  Judge({Kind::kDiskFull, {}}, {false, !figures.writes_refused || figures.room_for_writes},
        figures.now, changes);
}

void HealthWatch::LookAtLog(const HealthFigures& figures, Changes* changes) {
  const uint64_t limit = figures.log_bytes_max;
  Judge({Kind::kLogNearLimit,
         absl::StrFormat("%d bytes of log since the last checkpoint; commits wait at %d",
                         figures.log_bytes, limit)},
        {figures.log_bytes >= limit - limit / 4, figures.log_bytes <= limit / 2}, figures.now,
        changes);
}

void HealthWatch::LookAtMemory(const HealthFigures& figures, Changes* changes) {
  const uint64_t changed = figures.changed_frames;
  const uint64_t changed_max = figures.changed_frames_max;
  Judge({Kind::kMemoryChanged,
         absl::StrFormat("%d of %d page frames are changed and not yet written; writers wait at %d",
                         changed, figures.frames, changed_max)},
        {10 * changed >= 9 * changed_max, 10 * changed <= 7 * changed_max}, figures.now, changes);
  const uint64_t pinned = figures.pinned_frames;
  Judge({Kind::kMemoryPinned,
         absl::StrFormat("about %d of %d page frames are pinned by values and cursors", pinned,
                         figures.frames)},
        {2 * pinned >= figures.frames, 8 * pinned <= 3 * figures.frames}, figures.now, changes);
}

void HealthWatch::LookAtSnapshots(const HealthFigures& figures, Changes* changes) {
  const uint64_t much = std::max<uint64_t>(figures.file_bytes / kSnapshotShare, 1);
  if (figures.snapshot_epoch != holder_ || figures.snapshot_bytes == 0) {
    holder_ = figures.snapshot_epoch;
    holder_since_ = figures.now;
  }
  const absl::Duration seen = figures.now - holder_since_;
  const bool old = std::max(figures.snapshot_age, seen) >= kSnapshotAge;
  Judge({Kind::kOldSnapshot, absl::StrFormat("space cannot be used again: %s", figures.snapshot)},
        {old && figures.snapshot_bytes >= much, !old || figures.snapshot_bytes < much / 2},
        figures.now, changes);
}

void HealthWatch::Judge(HealthIssue issue, Verdict verdict, absl::Duration now, Changes* changes) {
  const bool present = health_.Has(issue.kind);
  if (!present) since_.erase(issue.kind);
  if (!present && !verdict.begins) return;
  const absl::Duration since = since_.emplace(issue.kind, now).first->second;
  if (verdict.begins) {
    changes->begun.push_back(std::move(issue));
  } else if (verdict.may_end && now - since >= kHoldTime) {
    changes->ended.push_back(issue.kind);
  }
}

}  // namespace keel::engine
