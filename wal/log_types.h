// What the log's writer and reader agree on with the layers above.
//
// A log is a sequence of frames in segments; a frame carries whole records, which the log does not
// look into. Everything written under one salt is one log; recovery ends a log and names the start
// of a fresh one.

#ifndef KEEL_WAL_LOG_TYPES_H_
#define KEEL_WAL_LOG_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/types.h"

namespace keel::wal {

// Ties frames to one log of one database.
struct LogIdentity {
  DatabaseId database;
  uint64_t incarnation = 0;  // of the process that writes this log
  uint64_t salt = 0;         // random, new with every fresh log start
};

// Where reading begins: kept in the superblock.
//
// The first frame read is the one that contains `lsn` (frame.lsn <= lsn < frame.lsn + padded_bytes) or,
// if `lsn` lies in the unused end of a segment, the first one of the next segment. Either way it is
// believed only if it carries `chain` as the checksum of the frame before it. Records of it that end
// at or below `lsn` are skipped. So a start names exactly the records behind `lsn`, wherever `lsn`
// lies in a frame, without need of any frame that holds none of them.
//
// Why the chain value is that of the frame *before*: it is known while the frame is still gathered, it
// is the same for every position within the frame, and the frame's own checksum vouches for the rest.
struct LogStart {
  Lsn lsn;             // end of a record, of a frame, or where a fresh log begins
  uint64_t chain = 0;  // checksum of the frame before the first one read; 0 in a fresh log
  uint64_t salt = 0;   // of the log

  friend bool operator==(const LogStart&, const LogStart&) = default;
};

// One record as read back. `bytes` is valid until the next call on the reader.
struct LogRecord {
  Lsn end;  // position just behind the record: the value that Append returned for it
  std::string_view bytes;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_LOG_TYPES_H_
