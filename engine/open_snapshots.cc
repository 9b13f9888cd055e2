#include "engine/open_snapshots.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "engine/shared_version.h"
#include "engine/thread_token.h"
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

void OpenSnapshots::List::Append(Entry& entry) {
  entry.older_ = newest;
  (newest == nullptr ? oldest : newest->newer_) = &entry;
  newest = &entry;
  ++count;
}

void OpenSnapshots::List::Erase(Entry& entry) {
  (entry.older_ == nullptr ? oldest : entry.older_->newer_) = entry.newer_;
  (entry.newer_ == nullptr ? newest : entry.newer_->older_) = entry.older_;
  --count;
}

absl::Status OpenSnapshots::Add(SharedVersion& version, SnapshotKind kind, std::string_view label,
                                absl::Duration now, bool bounded) {
  if (!CountIn(bounded)) return TooMany(now);
  Entry& entry = version.entry_;
  KEEL_DCHECK(entry.list_ == nullptr);
  List& list = lists_[ThisThreadToken() % lists_.size()];
  entry.version_ = &version;
  entry.kind_ = kind;
  entry.label_ = label;
  entry.taken_ = now;
  entry.list_ = &list;
  const io::LatchLock lock(&list.mutex);
  entry.open_ = true;
  list.Append(entry);
  return absl::OkStatus();
}

bool OpenSnapshots::CountIn(bool bounded) {
  if (count_max_ == 0) return true;
  if (!bounded) {
    bounded_count_.fetch_add(1);
    return true;
  }
  // Who is refused is never counted, so that nobody is refused for it.
  for (uint64_t open = bounded_count_.load(); open < count_max_;) {
    if (bounded_count_.compare_exchange_weak(open, open + 1)) return true;
  }
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

absl::Status OpenSnapshots::TooMany(absl::Duration now) const {
  const std::vector<OpenSnapshot> oldest = Oldest(1);
  if (oldest.empty()) {  // they have all gone meanwhile
    return MakeStatus(
        absl::StatusCode::kResourceExhausted,
        "as many snapshots were open as SnapshotLimits::count_max allows, %d: try again",
        count_max_);
  }
  const OpenSnapshot& first = oldest.front();
  const std::string label =
      first.label.empty() ? "" : absl::StrFormat(" \"%s\"", Printable(first.label));
  return MakeStatus(absl::StatusCode::kResourceExhausted,
                    "%d snapshots are open, as many as SnapshotLimits::count_max allows; the "
                    "oldest is the %s%s, which is %s old: let some go, or raise the bound",
                    totals().open, SnapshotKindName(first.kind), label,
                    absl::FormatDuration(now - first.taken));
}

void OpenSnapshots::Remove(SharedVersion& version) {
  Entry& entry = version.entry_;
  if (entry.list_ == nullptr) return;
  {
    const io::LatchLock lock(&entry.list_->mutex);
    if (!entry.open_) return;
    entry.open_ = false;
    entry.list_->Erase(entry);
  }
  if (count_max_ != 0) bounded_count_.fetch_sub(1);
}

OpenSnapshot OpenSnapshots::Describe(const Entry& entry) {
  OpenSnapshot snapshot;
  snapshot.version = entry.version_->weak_from_this();
  snapshot.kind = entry.kind_;
  snapshot.label = entry.label_;
  snapshot.taken = entry.taken_;
  snapshot.lsn = entry.version_->lsn();
  snapshot.epoch = entry.version_->epoch();
  return snapshot;
}

std::vector<OpenSnapshots::Seen> OpenSnapshots::Collect(size_t most, absl::Duration before) const {
  std::vector<Seen> seen;
  for (const List& list : lists_) {
    absl::MutexLock lock(&list.mutex);
    size_t nth = 0;
    for (const Entry* entry = list.oldest; entry != nullptr; entry = entry->newer_) {
      if (nth++ >= most && entry->taken_ >= before) break;
      seen.push_back({Describe(*entry), entry->too_old_});
    }
  }
  const auto taken_of = [](const Seen& one) { return one.snapshot.taken; };
  std::ranges::stable_sort(seen, {}, taken_of);
  const auto young = std::ranges::lower_bound(seen, before, {}, taken_of) - seen.begin();
  const size_t wanted = std::max(most, static_cast<size_t>(young));
  if (wanted < seen.size()) seen.resize(wanted);
  return seen;
}

std::vector<OpenSnapshot> OpenSnapshots::Candidates(size_t most, absl::Duration before) const {
  std::vector<OpenSnapshot> candidates;
  for (Seen& one : Collect(most, before)) {
    if (!one.too_old) candidates.push_back(std::move(one.snapshot));
  }
  return candidates;
}

bool OpenSnapshots::NoteTooOld(SharedVersion& version, bool expires) {
  Entry& entry = version.entry_;
  absl::MutexLock lock(&entry.list_->mutex);
  if (!entry.open_ || entry.too_old_) return false;
  entry.too_old_ = true;
  (expires ? expired_ : warned_).fetch_add(1, std::memory_order_relaxed);
  return true;
}

OpenSnapshots::Totals OpenSnapshots::totals() const {
  Totals totals;
  totals.refused = refused_.load(std::memory_order_relaxed);
  totals.warned = warned_.load(std::memory_order_relaxed);
  totals.expired = expired_.load(std::memory_order_relaxed);
  for (const List& list : lists_) {
    absl::MutexLock lock(&list.mutex);
    totals.open += list.count;
  }
  return totals;
}

std::vector<OpenSnapshot> OpenSnapshots::Oldest(size_t most) const {
  std::vector<OpenSnapshot> oldest;
  for (Seen& one : Collect(most, -absl::InfiniteDuration())) {
    oldest.push_back(std::move(one.snapshot));
  }
  return oldest;
}

std::optional<OpenSnapshot> OpenSnapshots::OldestOf(Epoch epoch) const {
  std::optional<OpenSnapshot> oldest;
  for (const List& list : lists_) {
    absl::MutexLock lock(&list.mutex);
    const Entry* entry = list.oldest;
    while (entry != nullptr && entry->version_->epoch() != epoch) entry = entry->newer_;
    if (entry == nullptr || (oldest && oldest->taken <= entry->taken_)) continue;
    oldest = Describe(*entry);
  }
  return oldest;
}

}  // namespace engine
}  // namespace keel
