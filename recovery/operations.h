// Operations: what a transaction does, as it stands in the log and in a write batch.
//
//   kind u8, then by kind (varint lengths in front of byte strings):
//     kPut             keyspace, key, value
//     kDelete          keyspace, key
//     kDeleteRange     keyspace, begin, u8 has end, end
//     kCreateKeyspace  keyspace, name
//     kDropKeyspace    keyspace
//     kSavepoint       number
//     kRollbackTo      number
//
// Logical, blind and deterministic: repeating the operations of a log in order makes the same contents.

#ifndef KEEL_RECOVERY_OPERATIONS_H_
#define KEEL_RECOVERY_OPERATIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace keel::recovery {

enum class OperationKind : uint8_t {
  kPut = 1,
  kDelete = 2,
  kDeleteRange = 3,
  kCreateKeyspace = 4,
  kDropKeyspace = 5,
  kSavepoint = 6,
  kRollbackTo = 7,
};

struct Operation {
  OperationKind kind = OperationKind::kPut;
  KeyspaceId keyspace;
  std::string_view key;    // or begin of the range, or name of the keyspace
  std::string_view value;  // or end of the range
  bool has_end = false;
  uint64_t savepoint = 0;
};

// A kDeleteRange; without an end it is unbounded. The views must outlive it.
Operation RangeOperation(std::string_view begin, const std::optional<std::string>& end);

// Appends the operation without its value; for kPut the value's bytes follow, `operation.value.size()` of
// them, so that a large value need not be copied.
void EncodeOperationHead(const Operation& operation, std::string* out);
void EncodeOperation(const Operation& operation, std::string* out);
// Size that EncodeOperation will append.
size_t EncodedBytes(const Operation& operation);

// Takes operations from a byte stream that arrives in pieces.
class OperationDecoder {
 public:
  enum class Result : uint8_t { kOperation, kNeedMore, kDamaged };

  // More bytes of the stream. Views of operations returned before are no longer good.
  void Feed(std::string_view bytes);
  // The next whole operation. Its views are good until the next Feed.
  Result Next(Operation* operation);
  // Whether the stream ended between two operations.
  bool drained() const { return position_ == buffer_.size(); }
  void Clear();

 private:
  std::string buffer_;
  size_t position_ = 0;
};

// Takes one operation from the front of `bytes`; nothing if they are cut off or damaged.
std::optional<Operation> DecodeOperation(std::string_view* bytes);

}  // namespace keel::recovery

#endif  // KEEL_RECOVERY_OPERATIONS_H_
