// Where the frames written since the last release begin, and the chain between them: what it takes to
// name any record's end as a place to begin reading (LogStart).

#ifndef KEEL_WAL_FRAME_TABLE_H_
#define KEEL_WAL_FRAME_TABLE_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <deque>

#include "wal/frame_format.h"
#include "wal/log_types.h"

namespace keel::wal {

// 24 bytes a frame; frames are 4 KiB at least, so at most 1/170 of the log since the last release.
class FrameTable {
 public:
  // Frames begin at `start`.
  explicit FrameTable(const LogStart& start) : start_(start) {}

  // The next frame, sealed with `checksum`.
  void Add(const FrameHeader& header, uint64_t checksum);

  // Records below `lsn` will not be asked for any more.
  void Release(Lsn lsn);

  // Where reading begins behind the record that ends at `lsn` (see LogStart). As far on as possible, so
  // that segments can go: past frames without records, and in the next segment if the log goes on
  // there; but not past `durable_mark`, since what is named must be found. OutOfRange: below what was
  // released.
  absl::StatusOr<LogStart> StartAt(Lsn lsn, Lsn durable_mark) const;

 private:
  struct Entry {
    uint64_t lsn;
    uint64_t previous;       // checksum of the frame before
    uint32_t records_bytes;  // from the frame's begin to the end of its last record
    uint32_t padded_bytes;

    uint64_t end() const { return lsn + padded_bytes; }
    uint64_t records_end() const { return lsn + records_bytes; }
    bool empty() const { return records_bytes == kFrameHeaderBytes; }
  };

  LogStart StartBefore(size_t index, Lsn durable_mark) const;

  LogStart start_;
  uint64_t released_records_end_ = 0;  // end of the last record in a frame that is gone
  uint64_t last_checksum_ = 0;         // of the last frame
  std::deque<Entry> frames_;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_FRAME_TABLE_H_
