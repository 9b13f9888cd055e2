// The segment files of one log writer: which are in use, which are still needed, which are spare.
//
//   P1  A file whose contents may be needed is never handed out: it is `held` until Release passes
//       its last LSN.
//   P2  LSNs and segment numbers handed out are above all that any file here can ever have held, also
//       files whose header is damaged.
//   P3  Every file is locked exclusively for as long as the pool lives (R6).
//   P4  A file is in the pool only once its name is durable, which its header proves (MakeSegment).

#ifndef KEEL_WAL_SEGMENT_POOL_H_
#define KEEL_WAL_SEGMENT_POOL_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "wal/frame_scanner.h"
#include "wal/segment.h"

namespace keel::wal {

struct SegmentPoolOptions {
  DatabaseId database;
  uint64_t segment_bytes = 0;        // new files double up to this
  uint64_t first_segment_bytes = 0;  // of the first files
  uint64_t segment_bytes_min = 0;    // files below it, of a time with smaller blocks, are not used
  SegmentAccess access;
};

// A file of the pool and the use it is in.
struct Segment {
  enum class State : uint8_t { kSpare, kActive, kHeld };

  SegmentFile file;
  State state = State::kSpare;
  Lsn begin;  // LSNs that it holds, unless spare
  Lsn end;
  uint64_t salt = 0;
};

struct SegmentPoolCounts {
  uint64_t files = 0;
  uint64_t spares = 0;
  uint64_t held = 0;
  uint64_t bytes = 0;
};

// Thread-safe. Segments stay where they are until the pool ends.
class SegmentPool {
 public:
  // Opens what is in `directory`. Files of the log that `keep_from` belongs to are held from there on;
  // files of logs that were begun after it and never named by a superblock are spare.
  // FailedPrecondition: a file belongs to another database, or is locked.
  static absl::StatusOr<std::unique_ptr<SegmentPool>> Open(io::FileSystem* file_system,
                                                           std::filesystem::path directory,
                                                           Lsn keep_from,
                                                           const SegmentPoolOptions& options);
  // The same with files that a reader has opened under the same locks, and nobody has written to since.
  static absl::StatusOr<std::unique_ptr<SegmentPool>> Open(io::FileSystem* file_system,
                                                           std::filesystem::path directory,
                                                           std::vector<SegmentFile> files,
                                                           Lsn keep_from,
                                                           const SegmentPoolOptions& options);

  // Above every LSN, and the highest segment number, that any file can have held at Open (P2).
  Lsn end_at_open() const { return end_at_open_; }
  uint64_t last_number_at_open() const { return last_number_at_open_; }

  // Takes a spare for writing; makes one if there is none.
  absl::StatusOr<Segment*> Take() ABSL_LOCKS_EXCLUDED(mutex_, making_);
  // Takes back what Take gave and nobody wrote to.
  void Return(Segment* segment) ABSL_LOCKS_EXCLUDED(mutex_);
  // The writer goes on in another segment; this one is held until Release passes its end.
  void Hold(Segment* segment) ABSL_LOCKS_EXCLUDED(mutex_);
  // Held segments that end at or below `lsn` become spare.
  void Release(Lsn lsn) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes files until `count` spares exist. ResourceExhausted: the disk is full.
  absl::Status MakeSpares(size_t count) ABSL_LOCKS_EXCLUDED(mutex_, making_);

  size_t spares() const { return spares_; }
  // Size of the smallest file that can be used.
  uint64_t smallest_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);
  SegmentPoolCounts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  SegmentPool(io::FileSystem* file_system, std::filesystem::path directory,
              const SegmentPoolOptions& options)
      : file_system_(file_system), directory_(std::move(directory)), options_(options) {}

  absl::Status Adopt(std::vector<SegmentFile> files, Lsn keep_from);
  absl::StatusOr<bool> FindContents(Segment* segment);
  static void NoteContents(Segment* segment, const FoundFrame& frame);
  absl::Status MakeOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(making_);
  Segment* PickSpare() ABSL_LOCKS_EXCLUDED(mutex_);
  void DropUnfit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountSpares() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint32_t FreeSlot() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  uint64_t NextBytes() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  io::FileSystem* const file_system_;
  const std::filesystem::path directory_;
  const SegmentPoolOptions options_;
  Lsn end_at_open_;
  uint64_t last_number_at_open_ = 0;

  absl::Mutex making_ ABSL_ACQUIRED_BEFORE(mutex_);  // one file is made at a time
  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Segment>> segments_ ABSL_GUARDED_BY(mutex_);
  std::atomic<size_t> spares_{0};  // changed under the mutex, read without it
};

}  // namespace keel::wal

#endif  // KEEL_WAL_SEGMENT_POOL_H_
