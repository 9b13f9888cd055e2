#include "engine/open_snapshots.h"

#include <utility>

#include "base/status.h"
#include "engine/shared_version.h"
#include "io/latch.h"

namespace keel {

std::string_view SnapshotKindName(SnapshotKind kind) {
  switch (kind) {
    case SnapshotKind::kSnapshot:
      return "snapshot";
    case SnapshotKind::kCursor:
      return "cursor";
    case SnapshotKind::kTransaction:
      return "transaction";
  }
  return "unknown";
}

namespace engine {

absl::Status OpenSnapshots::Add(const std::shared_ptr<SharedVersion>& version, SnapshotKind kind,
                                std::string_view label, absl::Duration now, bool bounded) {
  const io::LatchLock lock(&mutex_);
  if (bounded && count_max_ != 0 && entries_.size() >= count_max_) {
    ++totals_.refused;
    return TooMany(now);
  }
  OpenSnapshot snapshot;
  snapshot.number = next_++;
  snapshot.version = version;
  snapshot.kind = kind;
  snapshot.label = label;
  snapshot.taken = now;
  snapshot.lsn = version->lsn();
  snapshot.epoch = version->epoch();
  version->number_ = snapshot.number;  // before anybody finds it here
  const uint64_t number = snapshot.number;
  entries_.emplace(number, Entry{std::move(snapshot)});
  return absl::OkStatus();
}

absl::Status OpenSnapshots::TooMany(absl::Duration now) const {
  const OpenSnapshot& oldest = entries_.begin()->second.snapshot;
  const std::string label =
      oldest.label.empty() ? "" : absl::StrFormat(" \"%s\"", Printable(oldest.label));
  return MakeStatus(absl::StatusCode::kResourceExhausted,
                    "%d snapshots are open, as many as SnapshotLimits::count_max allows; the "
                    "oldest is the %s%s, which is %s old: let some go, or raise the bound",
                    entries_.size(), SnapshotKindName(oldest.kind), label,
                    absl::FormatDuration(now - oldest.taken));
}

void OpenSnapshots::Remove(const SharedVersion& version) {
  const io::LatchLock lock(&mutex_);
  entries_.erase(version.number_);
}

std::vector<OpenSnapshot> OpenSnapshots::Candidates(size_t most, absl::Duration before) const {
  std::vector<OpenSnapshot> candidates;
  size_t seen = 0;
  absl::MutexLock lock(&mutex_);
  for (const auto& [number, entry] : entries_) {
    if (seen++ >= most && entry.snapshot.taken >= before) break;
    if (!entry.too_old) candidates.push_back(entry.snapshot);
  }
  return candidates;
}

bool OpenSnapshots::NoteTooOld(uint64_t number, bool expires) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end() || found->second.too_old) return false;
  found->second.too_old = true;
  ++(expires ? totals_.expired : totals_.warned);
  return true;
}

OpenSnapshots::Totals OpenSnapshots::totals() const {
  absl::MutexLock lock(&mutex_);
  Totals totals = totals_;
  totals.open = entries_.size();
  return totals;
}

std::vector<OpenSnapshot> OpenSnapshots::Oldest(size_t most) const {
  std::vector<OpenSnapshot> oldest;
  absl::MutexLock lock(&mutex_);
  for (const auto& [number, entry] : entries_) {
    if (oldest.size() == most) break;
    oldest.push_back(entry.snapshot);
  }
  return oldest;
}

}  // namespace engine
}  // namespace keel
