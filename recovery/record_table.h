// Records: what the engine writes to the log. The log carries them as opaque bytes.
//
//   kind u8, then by kind:
//     kCommit            varint commit number, operations        a whole transaction
//     kChunk             varint stream, varint index, bytes      a piece of a large one's operations
//     kChunkedCommit     varint commit number, varint chunks     ... which is committed
//     kChunkedRollback   varint stream, varint chunks            ... which was rolled back
//     kCheckpointCommit  varint commit number, varint generation a transaction that is a checkpoint
//
// A stream's number is the commit number that its transaction would get. Its writer holds the writer lock, so
// its chunks stand together: nothing else comes between them.

#ifndef KEEL_RECOVERY_RECORD_TABLE_H_
#define KEEL_RECOVERY_RECORD_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace keel::recovery {

enum class RecordKind : uint8_t {
  kCommit = 1,
  kChunk = 2,
  kChunkedCommit = 3,
  kChunkedRollback = 4,
  kCheckpointCommit = 5,
};

struct Record {
  RecordKind kind = RecordKind::kCommit;
  CommitNumber number;       // commit number, or the stream's
  uint64_t index = 0;        // of a chunk; number of chunks; generation
  std::string_view payload;  // operations, or a piece of them
};

// Longest head of any record.
inline constexpr size_t kRecordHeadBytes = 1 + 2 * 10;

void EncodeRecordHead(const Record& record, std::string* out);
// Nothing if the bytes are no record.
std::optional<Record> DecodeRecord(std::string_view bytes);

// One line a record (and one an operation, with `operations`), for people.
std::string DescribeRecord(std::string_view bytes, bool operations);

}  // namespace keel::recovery

#endif  // KEEL_RECOVERY_RECORD_TABLE_H_
