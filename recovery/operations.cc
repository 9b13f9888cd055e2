#include "recovery/operations.h"

#include "base/codec.h"

namespace keel::recovery {

Operation RangeOperation(std::string_view begin, const std::optional<std::string>& end) {
  Operation operation;
  operation.kind = OperationKind::kDeleteRange;
  operation.key = begin;
  operation.has_end = end.has_value();
  if (end) operation.value = *end;
  return operation;
}

void EncodeOperationHead(const Operation& operation, std::string* out) {
  ByteWriter writer(out);
  writer.Fixed(static_cast<uint8_t>(operation.kind));
  switch (operation.kind) {
    case OperationKind::kPut:
      writer.Varint(operation.keyspace.value);
      writer.Prefixed(operation.key);
      writer.Varint(operation.value.size());
      break;
    case OperationKind::kDelete:
    case OperationKind::kCreateKeyspace:
      writer.Varint(operation.keyspace.value);
      writer.Prefixed(operation.key);
      break;
    case OperationKind::kDeleteRange:
      writer.Varint(operation.keyspace.value);
      writer.Prefixed(operation.key);
      writer.Fixed(static_cast<uint8_t>(operation.has_end ? 1 : 0));
      writer.Prefixed(operation.value);
      break;
    case OperationKind::kDropKeyspace:
      writer.Varint(operation.keyspace.value);
      break;
    case OperationKind::kSavepoint:
    case OperationKind::kRollbackTo:
      writer.Varint(operation.savepoint);
      break;
  }
}

void EncodeOperation(const Operation& operation, std::string* out) {
  EncodeOperationHead(operation, out);
  if (operation.kind == OperationKind::kPut) out->append(operation.value);
}

size_t EncodedBytes(const Operation& operation) {
  // Kind, keyspace, flag and three lengths, each at its longest.
  constexpr size_t kFieldsMax = 2 + 5 + 3 * kMaxVarintBytes;
  return kFieldsMax + operation.key.size() + operation.value.size();
}

namespace {

bool ReadKeyspace(ByteReader& reader, KeyspaceId* keyspace) {
  uint64_t id = 0;
  if (!reader.Varint(&id) || id > UINT32_MAX) return false;
  keyspace->value = static_cast<uint32_t>(id);
  return true;
}

bool ReadDeleteRange(ByteReader& reader, Operation* operation) {
  uint8_t has_end = 0;
  if (!ReadKeyspace(reader, &operation->keyspace) || !reader.Prefixed(&operation->key) ||
      !reader.Fixed(&has_end) || has_end > 1 || !reader.Prefixed(&operation->value)) {
    return false;
  }
  operation->has_end = has_end == 1;
  return true;
}

bool ReadBody(ByteReader& reader, Operation* operation) {
  switch (operation->kind) {
    case OperationKind::kPut:
      return ReadKeyspace(reader, &operation->keyspace) && reader.Prefixed(&operation->key) &&
             reader.Prefixed(&operation->value);
    case OperationKind::kDelete:
    case OperationKind::kCreateKeyspace:
      return ReadKeyspace(reader, &operation->keyspace) && reader.Prefixed(&operation->key);
    case OperationKind::kDeleteRange:
      return ReadDeleteRange(reader, operation);
    case OperationKind::kDropKeyspace:
      return ReadKeyspace(reader, &operation->keyspace);
    case OperationKind::kSavepoint:
    case OperationKind::kRollbackTo:
      return reader.Varint(&operation->savepoint);
  }
  return false;
}

bool IsKind(uint8_t kind) {
  return kind >= static_cast<uint8_t>(OperationKind::kPut) &&
         kind <= static_cast<uint8_t>(OperationKind::kRollbackTo);
}

}  // namespace

std::optional<Operation> DecodeOperation(std::string_view* bytes) {
  ByteReader reader(*bytes);
  uint8_t kind = 0;
  if (!reader.Fixed(&kind) || !IsKind(kind)) return std::nullopt;
  Operation operation;
  operation.kind = static_cast<OperationKind>(kind);
  if (!ReadBody(reader, &operation)) return std::nullopt;
  *bytes = reader.rest();
  return operation;
}

void OperationDecoder::Feed(std::string_view bytes) {
  buffer_.erase(0, position_);
  position_ = 0;
  buffer_.append(bytes);
}

OperationDecoder::Result OperationDecoder::Next(Operation* operation) {
  std::string_view rest = std::string_view(buffer_).substr(position_);
  if (rest.empty()) return Result::kNeedMore;
  if (!IsKind(static_cast<uint8_t>(rest.front()))) return Result::kDamaged;
  const size_t before = rest.size();
  const std::optional<Operation> decoded = DecodeOperation(&rest);
  if (!decoded) return Result::kNeedMore;
  position_ += before - rest.size();
  *operation = *decoded;
  return Result::kOperation;
}

void OperationDecoder::Clear() {
  buffer_.clear();
  position_ = 0;
}

}  // namespace keel::recovery
