// The seam to the operating system: the only interface through which Keel touches files, time or
// randomness. Three implementations keep one contract (tests/unit/io/file_system_contract.h):
// UringFileSystem, PosixFileSystem, and the simulated disk of fault_injection.
//
// Contract, beyond what each method says:
//   IO1  Errors are absl::Status with operation, path, offset and the system's reason:
//        NotFound (no such file), AlreadyExists, PermissionDenied (access, read-only file system),
//        ResourceExhausted (disk, quota or file size limit, descriptors, memory), Unavailable (I/O
//        error and all else), FailedPrecondition (lock held elsewhere, directory not empty),
//        InvalidArgument (misaligned or impossible range, not a regular file).
//   IO2  A write that returned OK is visible to every later read. It is durable only after a later
//        Sync of the same file returned OK. A sync covers what had completed before it was called.
//   IO3  A failed or torn write may have left any part of its bytes. A failed sync may have lost
//        any write since the last good one; the layer above never retries it (promise G4).
//   IO4  Short transfers and interruptions are continued inside; callers see all or an error.
//   IO5  A buffer given to an IoQueue belongs to it until that operation's completion is reaped.
//   IO6  Names are durable only after SyncDirectory of their directory; a file's contents are not
//        made durable by it.

#ifndef KEEL_IO_FILE_SYSTEM_H_
#define KEEL_IO_FILE_SYSTEM_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/clock.h"

namespace keel::io {

// Why a sync is made. Counted in statistics; the fault injector addresses faults by it.
enum class SyncPurpose : uint8_t {
  kLogFlush,           // acknowledged commits depend on it
  kLogSegment,         // zeros or header of a log segment
  kLogDirectory,       // names of log segments
  kDataCreate,         // a new data file before its rename
  kDataGrowth,         // size of the data file before new page ids are used
  kCheckpointPages,    // pages, map and catalogue before the superblock that names them
  kSuperblock,         // the superblock itself
  kDatabaseDirectory,  // names in the database directory
  kParentDirectory,    // name of the database directory
};
inline constexpr size_t kSyncPurposes = static_cast<size_t>(SyncPurpose::kParentDirectory) + 1;
std::string_view SyncPurposeName(SyncPurpose purpose);

// How many syncs were begun for each purpose, whatever came of them. Thread-safe.
class SyncCounters {
 public:
  void Add(SyncPurpose purpose) { At(purpose).fetch_add(1, std::memory_order_relaxed); }
  uint64_t Get(SyncPurpose purpose) const {
    return counts_[static_cast<size_t>(purpose)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t>& At(SyncPurpose purpose) { return counts_[static_cast<size_t>(purpose)]; }

  std::array<std::atomic<uint64_t>, kSyncPurposes> counts_{};
};

enum class LockMode : uint8_t { kShared, kExclusive };

// How WriteThenSync makes a write durable; chosen by measuring (wal/flush_probe.h).
enum class FlushMethod : uint8_t {
  kWriteThenSync,   // pwrite, then fdatasync
  kDataSyncWrite,   // one write with data-sync semantics (RWF_DSYNC)
  kLinkedRequests,  // io_uring: write and sync linked in one submission
};
std::string_view FlushMethodName(FlushMethod method);

// Outcome of a write and the sync after it, told apart because only the write may be repeated.
struct FlushOutcome {
  absl::Status write;  // not OK: the sync was not begun
  absl::Status sync;   // not OK: never retried; kDataSyncWrite reports its failures here

  bool ok() const { return write.ok() && sync.ok(); }
};

struct FileOptions {
  bool read_only = false;
  bool create = false;     // make it if missing
  bool exclusive = false;  // with create: AlreadyExists if it is there
  bool direct = false;     // bypass the operating system's cache where the file system allows it
};

// An open file. Read, Write and Sync may be called by several threads at once on disjoint ranges.
class File {
 public:
  virtual ~File() = default;

  const std::filesystem::path& path() const { return path_; }
  // Offsets, lengths and addresses of Read and Write must be multiples of this (1: any).
  uint32_t alignment() const { return alignment_; }
  // Whether the operating system's cache is bypassed.
  bool direct() const { return alignment_ > 1; }

  // Reads up to buffer.size() bytes; fewer only at the end of the file. Returns how many.
  virtual absl::StatusOr<size_t> Read(uint64_t offset, std::span<std::byte> buffer) = 0;
  // Writes all of `data`; extends the file where needed.
  virtual absl::Status Write(uint64_t offset, std::span<const std::byte> data) = 0;
  // Makes completed writes and the size needed to reach them durable (fdatasync).
  virtual absl::Status Sync(SyncPurpose purpose) = 0;
  // Write, then Sync, by the given method (one that is not supported falls back to the first). Like
  // Sync it covers all writes completed before, by whatever method: where kDataSyncWrite would
  // leave earlier writes of this File uncovered, the first method is taken.
  virtual FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                     SyncPurpose purpose, FlushMethod method) = 0;
  // Reserves disk space for [offset, offset + length) and extends the size to its end. Falls back
  // to writing zeros beyond the old end where the file system cannot reserve. On failure the size
  // is set back, and with it what was reserved beyond it. Not while others extend the file.
  virtual absl::Status Allocate(uint64_t offset, uint64_t length) = 0;
  // Sets the size: cuts off, or extends by a hole that reads as zeros.
  virtual absl::Status Truncate(uint64_t size) = 0;
  virtual absl::StatusOr<uint64_t> Size() = 0;

  // Takes an open-file-description lock on the whole file without waiting (R6). The lock is held
  // by the descriptor that carries the I/O and is gone with its last reference, which an I/O
  // request of a killed process still in flight also holds; destroying the File gives it up at
  // once, also where a forked child still has the descriptor. A second call changes the mode. An
  // exclusive lock needs a file opened for writing (InvalidArgument). FailedPrecondition: somebody
  // else has it, perhaps another File of this process; the message names the holder where the
  // system knows it.
  virtual absl::Status TryLock(LockMode mode) = 0;
  // Gives the lock back before the file is closed. Does nothing without a lock.
  virtual void Unlock() {}

 protected:
  File(std::filesystem::path path, uint32_t alignment)
      : path_(std::move(path)), alignment_(alignment) {}

  void set_alignment(uint32_t alignment) { alignment_ = alignment; }

 private:
  std::filesystem::path path_;
  uint32_t alignment_;
};

// One request of a batch.
struct IoRequest {
  enum class Kind : uint8_t { kRead, kWrite, kSync };

  Kind kind = Kind::kRead;
  File* file = nullptr;
  uint64_t offset = 0;
  std::byte* data = nullptr;  // read into, or written from
  size_t length = 0;
  SyncPurpose purpose = SyncPurpose::kCheckpointPages;  // of kSync
  uint64_t tag = 0;                                     // returned with the completion
};

struct IoCompletion {
  uint64_t tag = 0;
  absl::Status status;
  size_t bytes = 0;  // of a read: fewer than asked only at the end of the file
};

// Requests under way side by side. Owned by one thread at a time; never shared. Requests of a queue
// are not ordered among themselves. Destruction waits for what is under way. Every request handed
// to Submit is answered by exactly one completion, also a bad one and one that could not be begun;
// files outlive their requests.
class IoQueue {
 public:
  virtual ~IoQueue() = default;

  // Requests that may be under way at once; Submit blocks on completions beyond it.
  virtual size_t depth() const = 0;
  // Requests submitted whose completion Wait has not yet delivered.
  virtual size_t pending() const = 0;
  // An error speaks of the queue, never of a request.
  virtual absl::Status Submit(std::span<const IoRequest> requests) = 0;
  // Waits until `count` requests have completed (or none is left) and appends what has completed,
  // in the order of completion. 0 does not wait.
  virtual absl::Status Wait(size_t count, std::vector<IoCompletion>* completions) = 0;
};

// Which implementation serves, and why (shown in Stats).
struct BackendInfo {
  std::string name;    // "io_uring", "posix", "simulated"
  std::string reason;  // e.g. "io_uring_setup: Operation not permitted"
};

// Thread-safe. Outlives every file and queue made by it.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::filesystem::path& path,
                                                     const FileOptions& options) = 0;
  // REQUIRES: depth > 0. The queue may be shallower than asked.
  virtual absl::StatusOr<std::unique_ptr<IoQueue>> NewQueue(size_t depth) = 0;

  // AlreadyExists if the directory is there.
  virtual absl::Status CreateDirectory(const std::filesystem::path& path) = 0;
  virtual absl::Status SyncDirectory(const std::filesystem::path& path, SyncPurpose purpose) = 0;
  // Names in a directory, without "." and "..", sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::filesystem::path& path) = 0;
  virtual absl::StatusOr<bool> Exists(const std::filesystem::path& path) = 0;
  // Atomically takes the place of `to`, if there is one.
  virtual absl::Status Rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  // A file, or an empty directory. NotFound if it is not there.
  virtual absl::Status Remove(const std::filesystem::path& path) = 0;
  // Bytes that an unprivileged writer can still use on the file system of `path`.
  virtual absl::StatusOr<uint64_t> FreeSpace(const std::filesystem::path& path) = 0;

  virtual Clock& clock() = 0;
  virtual Random& random() = 0;
  virtual BackendInfo backend() const = 0;
  // Id of the calling process (0 in a simulation that has no forks): handles refuse to work in a
  // forked child.
  virtual uint64_t process_id() const = 0;

  // Of all files and directories.
  SyncCounters& sync_counters() { return sync_counters_; }

 private:
  SyncCounters sync_counters_;
};

}  // namespace keel::io

#endif  // KEEL_IO_FILE_SYSTEM_H_
