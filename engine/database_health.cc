// Database::Impl: what it does about failures and limits, and how it tells of them (G4, G5).

#include <algorithm>
#include <string>
#include <utility>

#include "base/disk_full.h"
#include "base/status.h"
#include "engine/database_impl.h"

namespace keel {

namespace {

using Kind = HealthIssue::Kind;

// Free pages above the reserve, or bytes of disk, that a write refused for want of them may be tried with again.
constexpr uint64_t kRoomPages = 64;
constexpr uint64_t kRoomBytes = uint64_t{1} << 20;
// Where the file system does not say what is free: no reason to warn.
constexpr uint64_t kUnknownBytes = uint64_t{1} << 60;
// Snapshots looked at in search of the one that holds most: the oldest, since looking takes the registry's lock.
constexpr size_t kHoldersMax = 32;

}  // namespace

// --- stopping (G4) ---

absl::Status Database::Impl::CheckRunning() const {
  if (!options_.read_only && health_.state() != HealthState::kStopped) [[likely]]
    return absl::OkStatus();
  return health_.Refusal();
}

void Database::Impl::Stop(const absl::Status& reason) {
  EndUnpublished();    // they have been answered
  registry_.Freeze();  // before anyone is told
  if (!health_.Stop(reason)) return;
  writer_lock_.Fail(CheckRunning());
  storage_->cache->StopWriting(reason, checkpointer_.epoch());
  health_.Deliver();
  NoteDurable();
}

void Database::Impl::StopOnFailure() {
  if (const absl::Status grown = storage_->space->failed_sync(); !grown.ok()) Stop(grown);
  if (const absl::Status log = storage_->log->failure(); !log.ok()) Stop(log);
}

// --- checkpoints that fail, and the log's limit ---

absl::Status Database::Impl::RunCheckpoint(bool clean) {
  PublishCommits();
  absl::Status status = PerformCheckpoint([&](bool* fatal) {
    return checkpointer_.Run(
        clean, [&] { return KeepForCheckpoint(); }, fatal);
  });
  NoteCheckpoint(status);
  return status;
}

absl::Status Database::Impl::PerformCheckpoint(absl::FunctionRef<absl::Status(bool* fatal)> run) {
  const absl::Duration begin = Now();
  const uint64_t written = storage_->cache->stats().pages_written;
  bool fatal = false;
  absl::Status status = run(&fatal);
  if (fatal) Stop(status);
  NoteDurable();
  if (options_.listener != nullptr) {
    EventListener::CheckpointEnd event;
    event.pages_written = storage_->cache->stats().pages_written - written;
    event.bytes_written = event.pages_written * storage_->cache->page_bytes();
    event.duration = Now() - begin;
    event.ok = status.ok();
    event.message = MessageOf(status);
    options_.listener->OnCheckpointEnd(event);
  }
  return status;
}

void Database::Impl::NoteCheckpoint(const absl::Status& status) {
  if (status.ok()) {
    checkpoint_pause_.NoteSuccess();
    health_.Clear({Kind::kLogAtLimit, Kind::kCheckpointsFail, Kind::kPageWritesFail});
  } else {
    checkpoint_pause_.NoteFailure(Now());
    health_.Raise(
        Kind::kCheckpointsFail,
        absl::StrFormat("a checkpoint failed, and is tried again (%s)", MessageOf(status)));
  }
}

bool Database::Impl::CheckpointDue() const {
  if (!checkpoint_pause_.Over(Now())) return false;
  if (log_bytes_since_checkpoint() >= options_.checkpoint_log_bytes) return true;
  if (health_.Has(Kind::kCheckpointsFail)) return true;
  return health_.Has(Kind::kDiskFull) && registry_.ReturnedByCheckpoint(checkpointer_.epoch()) > 0;
}

absl::Status Database::Impl::CheckCommitsTaken() {
  KEEL_RETURN_IF_ERROR(CheckRunning());
  if (health_.state() != HealthState::kReadOnly) [[likely]]
    return absl::OkStatus();
  // The log is at its limit. Without threads nobody else would try.
  if (options_.background == Background::kManual && CheckpointDue()) {
    RunCheckpoint(/*clean=*/false).IgnoreError();
  }
  return health_.Refusal();
}

// Commits wait here when the log has grown to twice its setting: a checkpoint never waits for them.
absl::Status Database::Impl::WaitForLogRoom() {
  const uint64_t bytes = log_bytes_since_checkpoint();
  if (bytes < options_.checkpoint_log_bytes) [[likely]]
    return absl::OkStatus();
  if (bytes < log_bytes_max()) {
    if (options_.background == Background::kThreads) background_->RequestCheckpoint();
    return absl::OkStatus();
  }
  // What is published but not yet flushed would keep the checkpoint from cutting the log.
  if (!FlushThrough(working_lsn_).ok()) return CheckRunning();
  const absl::Status cut = background_->AwaitCheckpoint();
  if (cut.ok()) return absl::OkStatus();
  health_.Raise(Kind::kLogAtLimit,
                absl::StrFormat("commits are refused until a checkpoint succeeds: the log has "
                                "reached its limit of %d bytes and cannot be cut (%s); reads go on",
                                log_bytes_max(), MessageOf(cut)));
  KEEL_RETURN_IF_ERROR(health_.Refusal());
  return WithContext(cut, "the log has reached its limit and cannot be cut");
}

// --- a full disk (G5) ---

bool Database::Impl::MakeRoom(Shortage shortage) {
  if (!checkpoint_pause_.Over(Now())) return false;
  if (!FlushThrough(registry_.Newest()->lsn).ok()) return false;
  const bool worth_it = shortage == Shortage::kLog
                            ? log_bytes_since_checkpoint() > 0
                            : registry_.ReturnedByCheckpoint(checkpointer_.epoch()) > 0;
  return worth_it && background_->AwaitCheckpoint().ok();
}

absl::Status Database::Impl::ExplainFailure(const absl::Status& status) {
  if (status.ok()) return status;
  StopOnFailure();
  KEEL_RETURN_IF_ERROR(CheckRunning());
  if (!IsDiskFull(status)) return status;
  absl::Status explained = MakeStatus(absl::StatusCode::kResourceExhausted, "%s; %s",
                                      MessageOf(status), DescribeHolder());
  writes_refused_.store(true, std::memory_order_relaxed);
  health_.Raise(Kind::kDiskFull, std::string(MessageOf(explained)));
  return explained;
}

std::optional<engine::VersionRegistry::KeptVersion> Database::Impl::BiggestHolder() const {
  std::optional<engine::VersionRegistry::KeptVersion> biggest;
  for (const engine::VersionRegistry::KeptVersion& kept : registry_.KeptVersions(kHoldersMax)) {
    if (kept.pages_held == 0) continue;
    if (!biggest || kept.pages_held > biggest->pages_held) biggest = kept;
  }
  return biggest;
}

std::string Database::Impl::DescribeHolder() const {
  const auto holder = BiggestHolder();
  if (!holder) return "no snapshot holds pages";
  const std::string held = absl::StrFormat(
      "holds %d pages (%d bytes)%s", holder->pages_held,
      holder->pages_held * storage_->cache->page_bytes(),
      holder->readers > 1 ? absl::StrFormat(", with %d handles", holder->readers) : "");
  const std::optional<engine::OpenSnapshot> oldest = open_snapshots_.OldestOf(holder->epoch);
  if (!oldest) {
    return absl::StrFormat("a call that reads the state of LSN %d %s", holder->lsn.value, held);
  }
  const std::string label =
      oldest->label.empty() ? "" : absl::StrFormat(" \"%s\"", Printable(oldest->label));
  const absl::Duration age = absl::Floor(Now() - oldest->taken, absl::Seconds(1));
  return absl::StrFormat("the snapshot%s of LSN %d, taken %s ago, %s", label, holder->lsn.value,
                         absl::FormatDuration(age), held);
}

// --- early warnings ---

void Database::Impl::NotePageWrites(const absl::Status& status) {
  if (status.ok()) {
    health_.Clear({Kind::kPageWritesFail});
  } else {
    health_.Raise(
        Kind::kPageWritesFail,
        absl::StrFormat("pages cannot be written, and it is tried again (%s)", MessageOf(status)));
  }
}

void Database::Impl::LookAtHealth() {
  engine::HealthFigures figures;
  figures.now = Now();
  FillDiskFigures(&figures);
  figures.log_bytes = log_bytes_since_checkpoint();
  figures.log_bytes_max = log_bytes_max();
  const pager::PageCacheStats cache = storage_->cache->stats();
  figures.frames = cache.frames;
  figures.changed_frames = cache.dirty_frames;
  figures.changed_frames_max = cache.dirty_frames_max;
  figures.pinned_frames = cache.pinned_frames;
  if (const auto holder = BiggestHolder(); holder.has_value()) {
    figures.snapshot_bytes = holder->pages_held * storage_->cache->page_bytes();
    figures.snapshot_epoch = holder->epoch;
    const auto oldest = open_snapshots_.OldestOf(holder->epoch);
    if (oldest) figures.snapshot_age = figures.now - oldest->taken;
    figures.snapshot = DescribeHolder();
  }
  health_watch_.Look(figures);
}

void Database::Impl::FillDisk(DatabaseStats* stats) const {
  engine::HealthFigures figures;
  FillDiskFigures(&figures);
  stats->disk.free_bytes =
      figures.disk_free_bytes == kUnknownBytes ? UINT64_MAX : figures.disk_free_bytes;
  stats->disk.file_bytes = figures.file_bytes;
  stats->disk.file_free_bytes = figures.file_free_bytes;
  stats->disk.writes_refused = figures.writes_refused;
}

void Database::Impl::FillDiskFigures(engine::HealthFigures* figures) const {
  const uint64_t page_bytes = storage_->cache->page_bytes();
  const pager::SpaceStats space = storage_->space->stats();
  const uint64_t free = space.free_pages - std::min(space.free_pages, space.reserve_pages);
  const absl::StatusOr<uint64_t> disk = storage_->file_system->FreeSpace(storage_->directory);
  figures->disk_free_bytes = disk.value_or(kUnknownBytes);
  figures->file_bytes = space.page_count * page_bytes;
  figures->file_free_bytes = free * page_bytes;
  const bool pages = free >= kRoomPages || figures->disk_free_bytes >= kRoomBytes;
  const bool log = storage_->log == nullptr || storage_->log->stats().spare_segments >= 2 ||
                   figures->disk_free_bytes >= options_.log_segment_bytes;
  figures->room_for_writes = pages && log;
  figures->writes_refused = writes_refused_.load(std::memory_order_relaxed);
}

}  // namespace keel
