// The reading end of the log: finds the frames of one log, checks each, and decides where it ends.
//
// Nothing is ever written. Segments are known by their contents, not by their names; a frame is
// believed only if its checksum, database, salt, LSN, segment and chain all agree.

#ifndef KEEL_WAL_LOG_READER_H_
#define KEEL_WAL_LOG_READER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/file_system.h"
#include "wal/log_types.h"
#include "wal/segment.h"

namespace keel::wal {

struct LogReaderOptions {
  bool direct_io = true;
  io::LockMode lock = io::LockMode::kExclusive;  // taken on every segment before it is read (R6)
  // The superblock that this log belongs to: any frame of the database with a newer generation or
  // incarnation means that a newer superblock was lost (R7, R11).
  Generation generation;
  uint64_t incarnation = 0;
  // The clean flag was set: the log is empty; only segment headers and first frames are searched for
  // evidence of a lost superblock.
  bool clean = false;
  // A copy of the superblock is damaged: perhaps of a newer one, of which only the log can tell.
  bool newer_may_be_lost = false;
  // Take blocks that cannot be read, and may hold records behind the end, for torn instead of refusing.
  bool unreadable_as_torn = false;
  // How long Open waits for segments still locked by requests of a killed process (R6).
  absl::Duration lock_timeout = absl::ZeroDuration();
};

// What was found about the end of the log.
struct LogEnd {
  Lsn lsn;              // behind the last valid, chained frame
  Lsn last_record;      // behind the last record
  uint64_t frames = 0;  // valid, chained, from the start on
  uint64_t records = 0;
  uint64_t bytes = 0;       // of these frames
  Lsn durable_mark;         // the highest seen
  bool torn = false;        // something unreadable or unchained stands at the end
  uint64_t torn_bytes = 0;  // of blocks at the end that hold discarded data
  std::string reason;       // why the log ends there, for people
};

class LogReader {
 public:
  // Opens the segments of `directory` and follows the chain from `start` to its end, with the search
  // of R11. DataLoss, naming file, position and lost range: acknowledged records are damaged or a newer
  // superblock was lost, or no segment holds the start. The rules stand in wal/log_survey.h. A missing
  // directory is legal only with `clean`, and if no newer superblock can have been lost. The segments stay
  // open and locked as long as the reader lives; it has to go, or to give them away, before a LogWriter
  // is created.
  static absl::StatusOr<std::unique_ptr<LogReader>> Open(io::FileSystem* file_system,
                                                         std::filesystem::path directory,
                                                         const DatabaseId& database,
                                                         const LogStart& start,
                                                         const LogReaderOptions& options);
  virtual ~LogReader() = default;

  virtual const LogEnd& end() const = 0;

  // The next record; false behind the last. Reads sequentially with bounded memory.
  virtual absl::StatusOr<bool> Next(LogRecord* record) = 0;
  // Begins again at the start.
  virtual absl::Status Rewind() = 0;

  // The segments, open and locked, for the LogWriter that goes on in this directory: so nobody else can come in
  // between, and what was read at open need not be read again. Nothing if there was no directory. Only end() may be
  // called afterwards.
  virtual std::optional<std::vector<SegmentFile>> TakeFiles() = 0;
};

// Whether any segment in `directory` holds a valid frame, of whatever log or database: then a database
// without a data file must not be made there. False if there is no directory.
absl::StatusOr<bool> HoldsFrames(io::FileSystem* file_system,
                                 const std::filesystem::path& directory, bool direct_io);

}  // namespace keel::wal

#endif  // KEEL_WAL_LOG_READER_H_
