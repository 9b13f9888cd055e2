// Keel: figures of an open database.

#ifndef KEEL_STATS_H_
#define KEEL_STATS_H_

#include <absl/time/time.h>
#include <keel/health.h>
#include <keel/lsn.h>
#include <keel/options.h>

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

  struct Disk {
    uint64_t free_bytes = 0;       // of the file system; UINT64_MAX: it does not say
    uint64_t file_bytes = 0;       // of the data file
    uint64_t file_free_bytes = 0;  // of these, free above the reserve
    bool writes_refused = false;   // the last ordinary write was, for want of disk
  } disk;

  struct Io {
    std::string backend;         // "io_uring", "posix"
    std::string backend_reason;  // why not another one
    bool direct = false;
    std::string flush_method;  // how the log is made durable; measured soon after the open
  } io;

  struct Commits {
    Lsn visible;  // what a new snapshot contains
    Lsn durable;
    uint64_t number = 0;         // of the newest commit
    uint64_t by_checkpoint = 0;  // since open: what the log could not take
    // Single writes, batches and optimistic transactions are applied in groups: with `groups` as large as `grouped`
    // nobody ever waited for another one.
    uint64_t groups = 0;
    uint64_t grouped = 0;  // commits in them
    uint64_t waiting = 0;  // in line for the writer
    // Visible, but lost if the power fails now: kAsync and kNone commits, and what they have made visible with them. Of
    // more than about a thousand, number and age are upper bounds.
    uint64_t undurable = 0;
    uint64_t undurable_bytes = 0;  // of log
    absl::Duration undurable_age;  // of the oldest
    uint64_t async_waits =
        0;  // kAsync commits that waited (Options::async_lag_bytes_max, async_lag_max)
    uint64_t durable_callbacks = 0;  // of OnDurable, not yet called
    uint64_t latched_lookups = 0;    // of Get, that took turns with commits instead of passing them
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

  // How many of the following lists are shown at most: the oldest.
  static constexpr size_t kOldestShown = 16;

  struct SnapshotInfo {
    SnapshotKind kind = SnapshotKind::kSnapshot;
    std::string label;
    Lsn lsn;
    absl::Duration age;
    uint64_t pages_held = 0;  // dead pages that it keeps from reuse (some may be shared)
    uint64_t bytes_held = 0;
  };
  std::vector<SnapshotInfo> snapshots;
  struct SnapshotTotals {
    uint64_t open = 0;
    uint64_t refused = 0;  // since open, as those that follow: by SnapshotLimits::count_max
    uint64_t warned = 0;
    uint64_t expired = 0;
  } snapshot_totals;

  struct TransactionInfo {
    Concurrency concurrency = Concurrency::kExclusive;
    Isolation isolation = Isolation::kSerializable;
    std::string label;
    absl::Duration age;
    absl::Duration time_limit;
    // As of its last idle moment, if a call of it is running.
    uint64_t changes =
        0;  // calls that changed something, those taken back by RollbackTo among them
    uint64_t memory_bytes = 0;  // optimistic: of what it has read and written
    uint64_t bytes_held =
        0;  // optimistic: dead pages that its snapshot keeps; exclusive: pages that it has made
  };
  std::vector<TransactionInfo> transactions;
  struct TransactionTotals {
    uint64_t exclusive = 0;  // open; the one that has the writer lock
    uint64_t optimistic = 0;
    uint64_t timed_out = 0;  // since open: rolled back for their time limit
  } transaction_totals;

  struct Keyspace {
    std::string name;
    uint64_t entries = 0;
    uint32_t height = 0;
  };
  std::vector<Keyspace> keyspaces;
};

}  // namespace keel

#endif  // KEEL_STATS_H_
