#include "recovery/record_table.h"

#include <absl/strings/str_format.h>

#include "base/codec.h"
#include "base/status.h"
#include "recovery/operations.h"

namespace keel::recovery {

void EncodeRecordHead(const Record& record, std::string* out) {
  ByteWriter writer(out);
  writer.Fixed(static_cast<uint8_t>(record.kind));
  writer.Varint(record.number.value);
  if (record.kind != RecordKind::kCommit) writer.Varint(record.index);
}

std::optional<Record> DecodeRecord(std::string_view bytes) {
  ByteReader reader(bytes);
  uint8_t kind = 0;
  Record record;
  if (!reader.Fixed(&kind) || kind < static_cast<uint8_t>(RecordKind::kCommit) ||
      kind > static_cast<uint8_t>(RecordKind::kCheckpointCommit) ||
      !reader.Varint(&record.number.value)) {
    return std::nullopt;
  }
  record.kind = static_cast<RecordKind>(kind);
  if (record.kind != RecordKind::kCommit && !reader.Varint(&record.index)) return std::nullopt;
  record.payload = reader.rest();
  const bool carries = record.kind == RecordKind::kCommit || record.kind == RecordKind::kChunk;
  if (!carries && !record.payload.empty()) return std::nullopt;
  return record;
}

namespace {

std::string DescribeOperation(const Operation& operation) {
  const uint32_t keyspace = operation.keyspace.value;
  switch (operation.kind) {
    case OperationKind::kPut:
      return absl::StrFormat("put keyspace %d key \"%s\" value of %d bytes", keyspace,
                             Printable(operation.key), operation.value.size());
    case OperationKind::kDelete:
      return absl::StrFormat("delete keyspace %d key \"%s\"", keyspace, Printable(operation.key));
    case OperationKind::kDeleteRange:
      return absl::StrFormat(
          "delete range keyspace %d from \"%s\" to %s", keyspace, Printable(operation.key),
          operation.has_end ? "\"" + Printable(operation.value) + "\"" : "the end");
    case OperationKind::kCreateKeyspace:
      return absl::StrFormat("create keyspace %d \"%s\"", keyspace, Printable(operation.key));
    case OperationKind::kDropKeyspace:
      return absl::StrFormat("drop keyspace %d", keyspace);
    case OperationKind::kSavepoint:
      return absl::StrFormat("savepoint %d", operation.savepoint);
    case OperationKind::kRollbackTo:
      return absl::StrFormat("rollback to savepoint %d", operation.savepoint);
  }
  return "?";
}

std::string DescribeHead(const Record& record) {
  const uint64_t number = record.number.value;
  switch (record.kind) {
    case RecordKind::kCommit:
      return absl::StrFormat("commit %d, %d bytes of operations", number, record.payload.size());
    case RecordKind::kChunk:
      return absl::StrFormat("chunk %d of stream %d, %d bytes", record.index, number,
                             record.payload.size());
    case RecordKind::kChunkedCommit:
      return absl::StrFormat("commit %d of %d chunks", number, record.index);
    case RecordKind::kChunkedRollback:
      return absl::StrFormat("rollback of stream %d, %d chunks", number, record.index);
    case RecordKind::kCheckpointCommit:
      return absl::StrFormat("commit %d by checkpoint, generation %d", number, record.index);
  }
  return "?";
}

}  // namespace

std::string DescribeRecord(std::string_view bytes, bool operations) {
  const std::optional<Record> record = DecodeRecord(bytes);
  if (!record) return absl::StrFormat("not a record (%d bytes)", bytes.size());
  std::string text = DescribeHead(*record);
  if (!operations || record->kind != RecordKind::kCommit) return text;
  std::string_view rest = record->payload;
  while (!rest.empty()) {
    const std::optional<Operation> operation = DecodeOperation(&rest);
    if (!operation) return text + "\n    damaged operation";
    text += "\n    " + DescribeOperation(*operation);
  }
  return text;
}

}  // namespace keel::recovery
