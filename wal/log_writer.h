// The writing end of the log.
//
// Invariants:
//   L1  A byte that was acknowledged is never written again (R9).
//   L2  One flush is in flight at a time; it lies within one segment (R10).
//   L3  The first block of segment n+1 is written only after n's last flush was synced (R10).
//   L4  A failed write is repeated at the same place with the same bytes, a bounded number of times
//       with growing pauses; a failed sync never. Either way out of luck, the writer fails for good
//       (G4): failure() tells why, and every later call returns it.
//   L5  Reserve comes before Append, so that a flush never meets a full disk.
//   L6  Segments are released on the strength of generation G only after a flush that carries G (R7).
//
// A legal sequence for one commit: Reserve(bytes) -> apply the change to pages -> Append(record) ->
// publish -> Flush(lsn). Reserve and Append are called under the engine's writer lock, one thread at
// a time; all else is thread-safe.

#ifndef KEEL_WAL_LOG_WRITER_H_
#define KEEL_WAL_LOG_WRITER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "io/file_system.h"
#include "wal/log_types.h"
#include "wal/segment.h"

namespace keel::wal {

struct LogWriterOptions {
  uint64_t segment_bytes = uint64_t{64} << 20;       // segments double up to this
  uint64_t first_segment_bytes = uint64_t{1} << 20;  // capped by segment_bytes
  uint64_t block_bytes = 4096;  // frames are padded to a multiple of this; 64 KiB at most
  size_t max_frame_bytes = size_t{1} << 20;  // capped by a quarter of the smallest segment in use
  size_t buffer_bytes = size_t{4} << 20;     // frames gathered but not yet written, at most
  int write_attempts = 5;                    // of one flush's write (L4)
  bool direct_io = true;
  // How long Create waits for segments still locked by requests of a killed process (R6).
  absl::Duration lock_timeout = absl::ZeroDuration();
};

struct LogStats {
  io::FlushMethod flush_method = io::FlushMethod::kWriteThenSync;
  uint64_t segments = 0;        // files
  uint64_t spare_segments = 0;  // of these, ready for use
  uint64_t segment_bytes = 0;   // of all files
  uint64_t bytes_written = 0;   // since open, with padding
  uint64_t records = 0;
  uint64_t frames = 0;
  uint64_t flushes = 0;
  uint64_t syncs = 0;
  uint64_t idle_marks = 0;
  uint64_t company_waits = 0;  // flushes whose leader waited for others
  uint64_t write_retries = 0;
};

class LogWriter {
 public:
  // Begins a fresh log in `directory` (which exists): picks a start beyond every LSN that any segment
  // there can ever have held, takes or makes a segment that does not hold [keep_from, ...) of the
  // old log, writes and syncs its header, and makes spare segments unless the old log will give some.
  // Nothing of the old log at or above `keep_from` is touched until Release() passes it. `floor` is a
  // further lower bound for the start (the superblock's). `identity.salt` must be new. `files`: the
  // segments, from LogReader::TakeFiles; without they are opened here.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Create(
      io::FileSystem* file_system, std::filesystem::path directory, const LogIdentity& identity,
      Lsn floor, Lsn keep_from, const LogWriterOptions& options,
      std::optional<std::vector<SegmentFile>> files = std::nullopt);
  virtual ~LogWriter() = default;

  // Where this log begins: goes into the superblock of the checkpoint that ends recovery.
  virtual LogStart start() const = 0;

  // From now on Reserve makes spare segments itself only where it cannot do without; that one is missing it tells by
  // `request`, which returns at once and leads to a call of MakeSpares on another thread. REQUIRES: no other call at
  // the same time.
  virtual void HaveSparesMade(std::function<void()> request) = 0;
  // Makes the spares that Reserve has asked for, beside all other calls. What fails it asks for again, after a while.
  virtual void MakeSpares() = 0;

  // Largest record that Append takes.
  virtual size_t max_record_bytes() const = 0;

  // Makes sure that records of `bytes` in total, in up to `records` records, can be appended: log
  // space exists on disk (ResourceExhausted, IsDiskFull, if not; nothing changed, works again once
  // there is room), and buffered frames stay within buffer_bytes, writing out, without a sync, what is over.
  // Waits at a segment's end for its last sync. The last spare segment is not for records: with it
  // FlushGeneration goes through on a full disk, so that a checkpoint can release segments. What does
  // not fit into the buffers at once is written out, and goes on in further segments, by Append.
  virtual absl::Status Reserve(uint64_t bytes, uint64_t records) = 0;

  // Appends one record behind all earlier ones, in memory; returns the position behind it.
  // REQUIRES: a Reserve that covers it. Fails only with failure(): the record was then not taken.
  virtual absl::StatusOr<Lsn> Append(std::string_view record) = 0;

  // Returns once everything up to `lsn` is durable. One caller leads (it writes and syncs on its own
  // thread), those that come meanwhile follow or lead the next round. Unknown: the flush that carried
  // it failed. Unavailable: the log had failed before.
  // `commits`: of the calling thread and others, which may soon be followed by as many more; with 0 it waits for no
  // company (wal/flush_rounds.h).
  virtual absl::Status Flush(Lsn lsn, uint32_t commits) = 0;
  absl::Status Flush(Lsn lsn) { return Flush(lsn, 0); }
  // Measures which method of io::FlushMethod suits the device, by one write to a block that is not used, beside all other
  // calls; whether there is more to measure. By two dozen calls at most, from one thread at a time, it is known and
  // used; until then, and if this is not called, it is the first one. An error ends it: the method stays, and the log has
  // stopped (failure()) if it was a sync's, which an error of kDataSyncWrite always counts as.
  virtual absl::StatusOr<bool> ProbeFlushMethod() = 0;
  // Durable up to here.
  virtual Lsn durable() const = 0;
  // Position behind the last record appended.
  virtual Lsn end() const = 0;

  // For an idle log: if the mark on disk lags behind durable(), writes an empty frame that carries it,
  // without a sync (R11) unless it is the first of a segment. Does nothing while a flush is under way or
  // records wait; a mark that would need the last spare segment, or room that is reserved, is left out.
  virtual absl::Status WriteIdleMark() = 0;

  // The newest durable superblock generation, carried by every later frame.
  virtual void AnnounceGeneration(Generation generation) = 0;
  // Writes and syncs a frame (empty if nothing waits) that carries the announced generation.
  virtual absl::Status FlushGeneration() = 0;

  // The position and chain value at `lsn`, the end of a record of this log, as the superblock names
  // it: reading from there yields exactly the records behind `lsn` (see LogStart). FailedPrecondition:
  // `lsn` is not durable yet. OutOfRange: records behind it have been released. May be asked again
  // for the same position after its own release. A position before this log gives start().
  virtual absl::StatusOr<LogStart> StartAt(Lsn lsn) = 0;

  // Segments that lie wholly below `lsn` may be used again. FailedPrecondition, and nothing happens,
  // if a generation is announced that no durable frame carries yet (L6).
  virtual absl::Status Release(Lsn lsn) = 0;

  // Why the log stopped for good; OK while it works.
  virtual absl::Status failure() const = 0;
  virtual LogStats stats() const = 0;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_LOG_WRITER_H_
