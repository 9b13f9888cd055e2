#include <keel/write_batch.h>

#include <optional>

#include "base/codec.h"
#include "base/status.h"
#include "engine/access.h"

namespace keel {

using recovery::Operation;
using recovery::OperationKind;

// A batch is a list of {u64 tag of the handle's database, operation as in the log}.
void WriteBatchAccess::Append(WriteBatch* batch, Keyspace keyspace, Operation operation) {
  ByteWriter(&batch->operations_).Fixed(KeyspaceAccess::Database(keyspace));
  operation.keyspace = KeyspaceAccess::Id(keyspace);
  recovery::EncodeOperation(operation, &batch->operations_);
  ++batch->count_;
}

absl::Status WriteBatchAccess::Decode(
    const WriteBatch& batch,
    absl::FunctionRef<absl::Status(Keyspace keyspace, Operation operation)> visit) {
  std::string_view rest = batch.operations_;
  while (!rest.empty()) {
    const uint64_t database = Load<uint64_t>(rest.data());
    rest.remove_prefix(sizeof(database));
    const std::optional<Operation> operation = recovery::DecodeOperation(&rest);
    if (!operation) return absl::InternalError("a write batch was damaged in memory");
    KEEL_RETURN_IF_ERROR(visit(KeyspaceAccess::Make(operation->keyspace, database), *operation));
  }
  return absl::OkStatus();
}

void WriteBatch::Put(Keyspace keyspace, std::string_view key, std::string_view value) {
  Operation operation;
  operation.key = key;
  operation.value = value;
  WriteBatchAccess::Append(this, keyspace, operation);
}

void WriteBatch::Delete(Keyspace keyspace, std::string_view key) {
  Operation operation;
  operation.kind = OperationKind::kDelete;
  operation.key = key;
  WriteBatchAccess::Append(this, keyspace, operation);
}

void WriteBatch::DeleteRange(Keyspace keyspace, const KeyRange& range) {
  WriteBatchAccess::Append(this, keyspace,
                           recovery::RangeOperation(range.begin_key(), range.end_key()));
}

void WriteBatch::Clear() {
  operations_.clear();
  count_ = 0;
}

}  // namespace keel
