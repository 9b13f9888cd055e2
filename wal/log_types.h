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
struct LogStart {
  Lsn lsn;             // the first frame begins here, or in the first segment that begins later
  uint64_t chain = 0;  // checksum of the frame that ended here, 0 at the start of a fresh log
  uint64_t salt = 0;
};

// One record as read back. `bytes` is valid until the next call on the reader.
struct LogRecord {
  Lsn end;  // position just behind the record: the value that Append returned for it
  std::string_view bytes;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_LOG_TYPES_H_
