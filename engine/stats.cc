// Database::Impl::Stats.

#include <utility>

#include "base/status.h"
#include "engine/database_impl.h"

namespace keel {

using engine::Version;

namespace {

void FillLog(const wal::LogWriter& log, DatabaseStats* stats) {
  const wal::LogStats figures = log.stats();
  stats->io.flush_method = io::FlushMethodName(figures.flush_method);
  stats->log.segments = figures.segments;
  stats->log.spare_segments = figures.spare_segments;
  stats->log.segment_bytes = figures.segment_bytes;
  stats->log.bytes_written = figures.bytes_written;
  stats->log.frames = figures.frames;
  stats->log.records = figures.records;
  stats->log.syncs = figures.syncs;
  stats->log.write_retries = figures.write_retries;
}

void FillPages(const engine::Storage& storage, DatabaseStats* stats) {
  const pager::SpaceStats space = storage.space->stats();
  stats->pages.page_bytes = storage.cache->page_bytes();
  stats->pages.file_pages = space.page_count;
  stats->pages.free_pages = space.free_pages;
  stats->pages.reserve_pages = space.reserve_pages;
  stats->pages.damaged_groups = space.damaged_groups;
  const pager::PageCacheStats cache = storage.cache->stats();
  stats->memory.frames = cache.frames;
  stats->memory.free_frames = cache.free_frames;
  stats->memory.dirty_frames = cache.dirty_frames;
  stats->memory.pinned_frames = cache.pinned_frames;
  stats->memory.table_bytes = cache.table_bytes;
  stats->memory.hits = cache.hits;
  stats->memory.misses = cache.misses;
  stats->memory.evictions = cache.evictions;
  stats->memory.pages_read = cache.pages_read;
  stats->memory.pages_written = cache.pages_written;
}

void FillKeyspaces(const Version& version, DatabaseStats* stats) {
  for (const auto& [id, name] : version.state.names->names()) {
    const pager::TreeRoot root = version.state.roots.Get(KeyspaceId{id});
    stats->keyspaces.push_back(
        {name, root.reference.entries, root.empty() ? 0U : uint32_t{root.level} + 1});
  }
}

}  // namespace

DatabaseStats Database::Impl::Stats() {
  DatabaseStats stats;
  stats.memory.budget_bytes = options_.memory_bytes;
  const Call call(this);
  stats.health.state = health_.state();
  if (!call.status().ok()) {
    stats.health.ok = false;
    stats.health.reason = std::string(MessageOf(call.status()));
    return stats;
  }
  const absl::Status refusal = health_.Refusal();
  stats.health.ok = refusal.ok() || options_.read_only;
  stats.health.reason = std::string(MessageOf(refusal));
  stats.health.issues = health_.issues();
  const io::BackendInfo backend = storage_->file_system->backend();
  stats.io.backend = backend.name;
  stats.io.backend_reason = backend.reason;
  stats.io.direct = storage_->data_file->direct();

  PublishCommits();
  const std::shared_ptr<const Version> visible = registry_.Visible();
  FillCommits(&stats);
  FillDisk(&stats);
  if (storage_->log != nullptr) {
    FillLog(*storage_->log, &stats);
    stats.log.bytes_since_checkpoint = log_bytes_since_checkpoint();
  }
  FillPages(*storage_, &stats);
  stats.pages.dead_pages_held = registry_.dead_pages_held();

  const engine::CheckpointFigures checkpoints = checkpointer_.figures();
  stats.checkpoints.generation = checkpointer_.superblock().generation.value;
  stats.checkpoints.completed = checkpoints.completed;
  stats.checkpoints.failed = checkpoints.failed;
  stats.checkpoints.last_error = checkpoints.last_error;
  stats.checkpoints.last_duration = checkpoints.last_duration;
  stats.checkpoints.last_pages = checkpoints.last_pages;

  FillTransactions(&stats);
  FillSnapshots(&stats);
  FillKeyspaces(*visible, &stats);
  return stats;
}

}  // namespace keel
