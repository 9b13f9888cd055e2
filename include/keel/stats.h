// Keel: figures of an open database.

#ifndef KEEL_STATS_H_
#define KEEL_STATS_H_

#include <absl/time/time.h>
#include <keel/health.h>
#include <keel/lsn.h>

#include <cstdint>
#include <string>
#include <vector>

namespace keel {

// A consistent-enough picture: each figure is exact when it is read, not all at one moment.
struct DatabaseStats {
  struct Health {
    bool ok = true;      // commits are taken, or the database was opened read-only
    std::string reason;  // why commits are refused
    HealthState state = HealthState::kHealthy;
    std::vector<HealthIssue> issues;  // all there are, warnings too
  } health;

  struct Io {
    std::string backend;         // "io_uring", "posix"
    std::string backend_reason;  // why not another one
    bool direct = false;
    std::string flush_method;  // how the log is made durable
  } io;

  struct Commits {
    Lsn visible;  // what a new snapshot contains
    Lsn durable;
    uint64_t number = 0;         // of the newest commit
    uint64_t by_checkpoint = 0;  // since open: what the log could not take
  } commits;

  struct Log {
    uint64_t bytes_since_checkpoint = 0;
    uint64_t segments = 0;
    uint64_t spare_segments = 0;
    uint64_t segment_bytes = 0;
    uint64_t bytes_written = 0;
    uint64_t frames = 0;
    uint64_t records = 0;
    uint64_t syncs = 0;
    uint64_t write_retries = 0;
  } log;

  struct Pages {
    uint32_t page_bytes = 0;
    uint64_t file_pages = 0;
    uint64_t free_pages = 0;  // in the file, the reserve among them
    uint64_t reserve_pages = 0;
    uint64_t dead_pages_held = 0;  // dropped, but kept for snapshots or the last checkpoint
    uint64_t damaged_groups = 0;
  } pages;

  struct Memory {
    uint64_t budget_bytes = 0;
    uint64_t frames = 0;
    uint64_t free_frames = 0;
    uint64_t dirty_frames = 0;
    uint64_t pinned_frames = 0;  // in large budgets an estimate
    uint64_t table_bytes = 0;
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t evictions = 0;
    uint64_t pages_read = 0;
    uint64_t pages_written = 0;
  } memory;

  struct Checkpoints {
    uint64_t generation = 0;
    uint64_t completed = 0;
    uint64_t failed = 0;
    std::string last_error;
    absl::Duration last_duration;
    uint64_t last_pages = 0;
  } checkpoints;

  struct SnapshotInfo {
    Lsn lsn;
    uint64_t count = 0;
    uint64_t pages_held = 0;  // dead pages that it keeps from reuse (some may be shared)
    absl::Duration age;       // of the oldest
    std::string label;        // of the oldest that has one
  };
  std::vector<SnapshotInfo> snapshots;

  struct Keyspace {
    std::string name;
    uint64_t entries = 0;
    uint32_t height = 0;
  };
  std::vector<Keyspace> keyspaces;
};

}  // namespace keel

#endif  // KEEL_STATS_H_
