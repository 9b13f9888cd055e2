// Keel: how a database is opened and how work on it is done.
//
//   keel::Options options;
//   options.memory_bytes = uint64_t{64} << 20;
//   absl::StatusOr<std::unique_ptr<keel::Database>> db = keel::Database::Open("/data/db", options);
//
// All options are read once, at open. Those marked "at creation" are kept in the database and ignored
// (but must be valid) when it exists.

#ifndef KEEL_OPTIONS_H_
#define KEEL_OPTIONS_H_

#include <absl/time/time.h>
#include <keel/health.h>
#include <keel/lsn.h>

#include <cstdint>
#include <string_view>

namespace keel {

namespace io {
class FileSystem;
}  // namespace io

class EventListener;

// When a commit counts as done. All commits are in the log in commit order, so a crash always leaves a
// prefix of them; a later commit is never there without an earlier one.
enum class Durability : uint8_t {
  kSync,   // durable when Commit returns OK (the default)
  kAsync,  // visible at once, durable within Options::async_flush_interval; waits while too much is not (async_lag...)
  kNone,  // visible at once, logged, durable with the next flush or checkpoint; never waits for one
};

// What a transaction sees of others. Exclusive transactions are serializable whatever is asked for; of optimistic
// ones it says also what makes their commit fail with Aborted.
enum class Isolation : uint8_t {
  // As if it had run alone, at its commit: reads one state, and fails if anything that it read (keys found and not
  // found, ranges scanned or counted, keyspaces) would be read differently now. What it only wrote does not matter.
  kSerializable,
  // Reads one state, and fails if what it wrote was changed by others meanwhile. Two of them may each read what the
  // other writes, and both commit (write skew). Values are compared: to write a value that is there already does not
  // count as a change, so write one that differs where a conflict is wanted.
  kSnapshot,
  // Every call reads what is committed by then; never fails because of others, but for those that drop a keyspace it
  // has written to (NotFound).
  kReadCommitted,
};

enum class Concurrency : uint8_t {
  kExclusive,   // one at a time, first come first served; never conflicts
  kOptimistic,  // many at a time, none waits for another; a conflict is found at commit (Aborted)
};

enum class IoBackend : uint8_t {
  kAuto,   // io_uring where the system grants it, else POSIX; Stats() says which and why
  kUring,  // FailedPrecondition if it is refused
  kPosix,
};

enum class Background : uint8_t {
  kThreads,  // checkpoints, page writing and log upkeep run on threads of the database
  kManual,  // nothing runs unless Database::RunBackgroundWork() is called; who has to wait does the work
};

// Who reads a fixed state, and so keeps its pages from being used again.
enum class SnapshotKind : uint8_t {
  kSnapshot,     // Database::GetSnapshot
  kCursor,       // a cursor, or ForEach, of the database
  kTransaction,  // an optimistic transaction
};
// "snapshot", "cursor", "transaction".
std::string_view SnapshotKindName(SnapshotKind kind);

// What to do about snapshots that are many, or that live long. By default nothing.
struct SnapshotLimits {
  // Open at a time, those of cursors and optimistic transactions among them. One more is ResourceExhausted (which says
  // who has the oldest): from Begin, from a cursor's status(), from every call of the snapshot. 0: any number.
  uint64_t count_max = 0;
  // A snapshot is too old once it has lived longer than this, or keeps more than this from being used again (of the
  // oldest 32 that is looked at). Looked at once a second, or in each RunBackgroundWork.
  absl::Duration age_max = absl::InfiniteDuration();
  uint64_t held_bytes_max = UINT64_MAX;
  enum class WhenTooOld : uint8_t {
    // EventListener::OnOldSnapshot, once for each.
    kWarn,
    // The same, and its pages are given back: its calls, and those of its cursors, are DeadlineExceeded from then on,
    // and an optimistic transaction is rolled back. A call that is running ends as if nothing had happened, and what
    // was returned stays good.
    kExpire,
  };
  WhenTooOld when_too_old = WhenTooOld::kWarn;
};

struct WriteOptions {
  Durability durability = Durability::kSync;
};

struct TransactionOptions {
  Concurrency concurrency = Concurrency::kExclusive;
  Isolation isolation = Isolation::kSerializable;
  // How long Begin, or Commit of an optimistic transaction, may wait for the writer lock before DeadlineExceeded (the
  // transaction is then over).
  absl::Duration lock_timeout = absl::InfiniteDuration();
  // How long the transaction may live. One that lives longer is rolled back, though its thread does nothing: within
  // about 50 ms by a thread of the database, at once by whoever wants the writer lock, with Background::kManual by
  // RunBackgroundWork; a call that is running is waited for. Its next call returns DeadlineExceeded, with limit and
  // label.
  absl::Duration time_limit = absl::InfiniteDuration();
  // Shown where the transaction is named (errors, statistics). Copied.
  std::string_view label;
};

struct Options {
  bool create_if_missing = true;
  bool error_if_exists = false;
  // Opens without writing a byte, beside other readers; a database that was not closed cleanly is shown
  // with the log's commits applied in memory. Writes give FailedPrecondition.
  bool read_only = false;
  // At creation: 4096, 8192, 16384, 32768 or 65536.
  uint32_t page_bytes = 4096;
  // Everything the database keeps in memory: pages, log buffers, transactions, tables. 0: a quarter of the
  // memory of the cgroup or machine. At least 4 MiB.
  uint64_t memory_bytes = 0;
  // Log written since the last checkpoint that starts the next one; commits wait at twice as much. Bounds
  // the time of a restart. A transaction that outgrows it commits by a checkpoint. At least 1 MiB.
  uint64_t checkpoint_log_bytes = uint64_t{256} << 20;
  // Size that log segments grow to, from 1 MiB on. 256 KiB to 1 GiB, a multiple of 64 KiB.
  uint64_t log_segment_bytes = uint64_t{64} << 20;
  absl::Duration async_flush_interval = absl::Milliseconds(10);
  // What may be visible and not yet durable: a kAsync commit that would leave more bytes of log, or that finds a commit
  // older than this, does not return before it is durable itself. So a slow disk slows commits down, instead of making
  // the loss at a crash larger. kNone commits never wait, but count.
  uint64_t async_lag_bytes_max = uint64_t{16} << 20;
  absl::Duration async_lag_max = absl::Seconds(1);
  SnapshotLimits snapshots;
  IoBackend io_backend = IoBackend::kAuto;
  // Bypass the operating system's page cache where the file system allows it.
  bool direct_io = true;
  Background background = Background::kThreads;
  // How long to retry while another process holds the database.
  absl::Duration open_timeout = absl::Seconds(5);
  // For tests: all access to files, time and randomness goes through it. Outlives the database.
  io::FileSystem* file_system = nullptr;
  // Told of events; outlives the database.
  EventListener* listener = nullptr;
};

// What the database does by itself. Called on the thread that did it, while others may wait for that thread: return
// soon, and do not call the database. Calls may overlap.
class EventListener {
 public:
  virtual ~EventListener() = default;

  struct RecoveryProgress {
    uint64_t bytes_done = 0;
    uint64_t bytes_total = 0;
  };
  virtual void OnRecoveryProgress(const RecoveryProgress& /*progress*/) {}

  struct CheckpointEnd {
    uint64_t pages_written = 0;
    uint64_t bytes_written = 0;
    absl::Duration duration;
    bool ok = false;
    std::string_view message;  // of the error
  };
  virtual void OnCheckpointEnd(const CheckpointEnd& /*event*/) {}

  // The state of health changed (docs/health.md). Events of health come in order, one at a time.
  struct HealthChange {
    HealthState from = HealthState::kHealthy;
    HealthState to = HealthState::kHealthy;
    std::string_view reason;  // what began or ended
  };
  virtual void OnHealthChange(const HealthChange& /*change*/) {}
  // An issue began, or ended: failures, and early warnings of disk, log and memory. Warnings do not end within five
  // seconds, so that there is no storm of them.
  virtual void OnHealthIssue(const HealthIssue& /*issue*/, bool /*begins*/) {}

  // A snapshot is too old (SnapshotLimits). Told once of each.
  struct OldSnapshot {
    SnapshotKind kind = SnapshotKind::kSnapshot;
    std::string_view label;
    Lsn lsn;
    absl::Duration age;
    uint64_t held_bytes = 0;
    bool expired = false;  // or only warned of
  };
  virtual void OnOldSnapshot(const OldSnapshot& /*snapshot*/) {}

  // The database stopped taking commits (promise G4), with the reason. OnHealthChange tells the same.
  virtual void OnStopped(std::string_view /*reason*/) {}
};

}  // namespace keel

#endif  // KEEL_OPTIONS_H_
