// Database::Impl: what lives too long, and what is not durable yet: limits, figures, callbacks.

#include <algorithm>
#include <string>
#include <utility>

#include "base/status.h"
#include "engine/database_impl.h"
#include "engine/shared_version.h"

namespace keel {

namespace {

// Snapshots of which is looked at how much they hold: the oldest, since looking takes the registry's lock.
constexpr size_t kHoldersMax = 32;

absl::Status TooOld(const engine::OpenSnapshot& snapshot, const SnapshotLimits& limits,
                    absl::Duration age, uint64_t held_bytes) {
  const std::string label =
      snapshot.label.empty() ? "" : absl::StrFormat(" \"%s\"", Printable(snapshot.label));
  const std::string bytes_max =
      limits.held_bytes_max == UINT64_MAX ? "none" : absl::StrFormat("%d", limits.held_bytes_max);
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    "the snapshot of the %s%s has expired: it was %s old and kept %d bytes from "
                    "being used again (SnapshotLimits: age_max %s, held_bytes_max %s); take a new "
                    "one",
                    SnapshotKindName(snapshot.kind), label, absl::FormatDuration(age), held_bytes,
                    absl::FormatDuration(limits.age_max), bytes_max);
}

}  // namespace

// --- snapshots ---

void Database::Impl::LookAtSnapshots() {
  const SnapshotLimits& limits = options_.snapshots;
  const bool by_age = limits.age_max != absl::InfiniteDuration();
  const bool by_bytes = limits.held_bytes_max != UINT64_MAX;
  if (!by_age && !by_bytes) return;
  const absl::Duration now = Now();
  const absl::Duration before = by_age ? now - limits.age_max : -absl::InfiniteDuration();
  const bool expires = limits.when_too_old == SnapshotLimits::WhenTooOld::kExpire;
  bool of_transactions = false;
  for (const engine::OpenSnapshot& snapshot :
       open_snapshots_.Candidates(by_bytes ? kHoldersMax : 0, before)) {
    const uint64_t held = registry_.PagesHeldBy(snapshot.epoch) * storage_->cache->page_bytes();
    if (snapshot.taken >= before && held <= limits.held_bytes_max) continue;
    const std::shared_ptr<engine::SharedVersion> version = snapshot.version.lock();
    if (version == nullptr || !open_snapshots_.NoteTooOld(*version, expires)) continue;
    if (expires) version->Expire(TooOld(snapshot, limits, now - snapshot.taken, held));
    of_transactions |= expires && snapshot.kind == SnapshotKind::kTransaction;
    TellOfOldSnapshot(snapshot, held, expires);
  }
  // Their pages are free; this is for what they remember.
  if (of_transactions) open_transactions_.EndExpired();
}

void Database::Impl::TellOfOldSnapshot(const engine::OpenSnapshot& snapshot, uint64_t held_bytes,
                                       bool expires) {
  if (options_.listener == nullptr) return;
  EventListener::OldSnapshot event;
  event.kind = snapshot.kind;
  event.label = snapshot.label;
  event.lsn = snapshot.lsn;
  event.age = Now() - snapshot.taken;
  event.held_bytes = held_bytes;
  event.expired = expires;
  options_.listener->OnOldSnapshot(event);
}

void Database::Impl::FillSnapshots(DatabaseStats* stats) {
  const absl::Duration now = Now();
  for (const engine::OpenSnapshot& open : open_snapshots_.Oldest(DatabaseStats::kOldestShown)) {
    DatabaseStats::SnapshotInfo& info = stats->snapshots.emplace_back();
    info.kind = open.kind;
    info.label = open.label;
    info.lsn = open.lsn;
    info.age = now - open.taken;
    info.pages_held = registry_.PagesHeldBy(open.epoch);
    info.bytes_held = info.pages_held * storage_->cache->page_bytes();
  }
  const engine::OpenSnapshots::Totals totals = open_snapshots_.totals();
  stats->snapshot_totals.open = totals.open;
  stats->snapshot_totals.refused = totals.refused;
  stats->snapshot_totals.warned = totals.warned;
  stats->snapshot_totals.expired = totals.expired;
}

// --- transactions ---

void Database::Impl::FillTransactions(DatabaseStats* stats) {
  const absl::Duration now = Now();
  for (const auto& transaction : open_transactions_.Oldest(DatabaseStats::kOldestShown)) {
    const engine::TransactionFigures figures = transaction->Figures();
    DatabaseStats::TransactionInfo& info = stats->transactions.emplace_back();
    info.concurrency = transaction->concurrency();
    info.isolation = transaction->isolation();
    info.label = transaction->label();
    info.age = now - transaction->begun();
    info.time_limit = transaction->limit().limit();
    info.changes = figures.changes;
    info.memory_bytes = figures.memory_bytes;
    const uint64_t pages = figures.base ? registry_.PagesHeldBy(*figures.base) : figures.pages;
    info.bytes_held = pages * storage_->cache->page_bytes();
  }
  const engine::OpenTransactions::Counts counts = open_transactions_.counts();
  stats->transaction_totals.exclusive = counts.exclusive;
  stats->transaction_totals.optimistic = counts.optimistic;
  stats->transaction_totals.timed_out = counts.timed_out;
}

// --- visible, and not yet durable ---

bool Database::Impl::LagsTooFar(Lsn lsn) {
  const Lsn durable = storage_->log->durable();
  if (lsn <= durable) return false;
  if (lsn.value - durable.value > options_.async_lag_bytes_max) return true;
  if (options_.async_lag_max == absl::InfiniteDuration()) return false;
  const absl::Duration now = Now();
  // What comes to be undurable after a look is younger than the look: until the oldest of then would be too old, none is.
  const absl::Duration known = absl::Nanoseconds(undurable_since_.load(std::memory_order_relaxed));
  if (now - known <= options_.async_lag_max) return false;
  const CommitNumber newest{UINT64_MAX};
  const absl::Duration oldest = std::min(now, commit_history_.Behind(durable, newest).oldest);
  undurable_since_.store(absl::ToInt64Nanoseconds(oldest), std::memory_order_relaxed);
  return now - oldest > options_.async_lag_max;
}

void Database::Impl::FillCommits(DatabaseStats* stats) {
  DatabaseStats::Commits& commits = stats->commits;
  // In this order: what is durable by then may be seen as such, and not the other way round.
  const std::shared_ptr<const engine::Version> visible = registry_.Visible();
  commits.visible = visible->lsn;
  commits.durable = durable_lsn();
  commits.number = registry_.Newest()->number.value;
  if (storage_->log == nullptr) return;
  commits.by_checkpoint = checkpointer_.figures().commits;
  const engine::CommitQueue::Figures queue = commit_queue_->figures();
  commits.groups = queue.groups;
  commits.grouped = queue.members;
  commits.waiting = queue.waiting;
  commits.async_waits = async_waits_.load(std::memory_order_relaxed);
  commits.durable_callbacks = durable_callbacks_.waiting();
  commits.latched_lookups = latched_lookups_.load(std::memory_order_relaxed);
  if (visible->lsn <= commits.durable) return;
  const auto behind = commit_history_.Behind(commits.durable, visible->number);
  commits.undurable = behind.commits;
  commits.undurable_bytes = visible->lsn.value - commits.durable.value;
  if (behind.commits > 0) commits.undurable_age = Now() - behind.oldest;
}

// --- callbacks ---

absl::Status Database::Impl::OnDurable(Lsn lsn, engine::DurableCallbacks::Callback callback) {
  if (options_.read_only) {  // everything it shows is on disk, and no thread runs
    KEEL_RETURN_IF_ERROR(Call(this).status());
    callback(absl::OkStatus());  // not within a call, for which Close would wait
    return absl::OkStatus();
  }
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  KEEL_RETURN_IF_ERROR(CheckWithinLog(lsn));
  KEEL_RETURN_IF_ERROR(durable_callbacks_.Add(lsn, std::move(callback)));
  background_->NoteAsync(lsn);
  NoteDurable();
  return absl::OkStatus();
}

void Database::Impl::NoteDurable() {
  if (durable_callbacks_.empty() || background_ == nullptr) return;
  if (options_.background != Background::kThreads) return;
  const wal::LogWriter& log = *storage_->log;
  if (durable_callbacks_.Due(log.durable()) || !log.failure().ok()) {
    background_->RequestCallbacks();
  }
}

void Database::Impl::RunCallbacks() {
  if (durable_callbacks_.empty() || InForkedChild()) return;
  durable_callbacks_.Run([this](Lsn lsn) { return DurableOutcome(lsn); });
}

std::optional<absl::Status> Database::Impl::DurableOutcome(Lsn lsn) {
  const Call call(this);
  if (!call.status().ok()) return std::nullopt;  // Close calls what is left
  wal::LogWriter& log = *storage_->log;
  if (lsn > log.durable() && log.failure().ok()) return std::nullopt;
  TellDurable(log.durable());
  return log.Flush(lsn);  // does nothing: it is durable, or the log has failed
}

void Database::Impl::EndCallbacks() {
  durable_callbacks_.Finish([this](Lsn lsn) -> std::optional<absl::Status> {
    wal::LogWriter& log = *storage_->log;
    TellDurable(log.durable());
    if (lsn <= std::max(log.durable(), checkpointer_.lsn())) return absl::OkStatus();
    if (!log.failure().ok()) return log.Flush(lsn);
    return MakeStatus(absl::StatusCode::kUnknown,
                      "the database was closed before LSN %d was durable; whether it is will be "
                      "known when it is reopened",
                      lsn.value);
  });
}

}  // namespace keel
