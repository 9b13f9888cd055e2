#include "engine/write_set.h"

#include <iterator>

#include "base/status.h"

namespace keel::engine {

using recovery::Operation;
using recovery::OperationKind;

namespace {

// A map's entry beside its bytes, about.
constexpr size_t kOverheadBytes = 96;

}  // namespace

size_t WriteSet::Bytes(std::string_view key, const Value& value) {
  return key.size() + (value ? value->size() : 0) + kOverheadBytes;
}

size_t WriteSet::Undo::bytes() const {
  const size_t value_bytes = value && *value ? (*value)->size() : 0;
  // Twice, for half of the vector that it is in may be empty.
  return 2 * sizeof(Undo) + key.size() + value_bytes + (deleted ? deleted->memory_bytes() : 0);
}

void WriteSet::Put(KeyspaceId keyspace, std::string_view key, std::string_view value) {
  SetValue(keyspace, key, std::string(value));
}

void WriteSet::Delete(KeyspaceId keyspace, std::string_view key) {
  SetValue(keyspace, key, std::nullopt);
}

void WriteSet::SetValue(KeyspaceId keyspace, std::string_view key, Value value) {
  ++changes_;
  Values& values = keyspaces_[keyspace.value].values;
  const auto [at, is_new] = values.try_emplace(std::string(key));
  if (has_marks_) {
    Undo undo{.keyspace = keyspace, .key = at->first, .value = {}, .deleted = {}};
    if (!is_new) undo.value = at->second;
    Remember(std::move(undo));
  }
  if (!is_new) bytes_ -= Bytes(key, at->second);
  bytes_ += Bytes(key, value);
  at->second = std::move(value);
}

void WriteSet::DeleteRange(KeyspaceId keyspace, const btree::Range& range) {
  if (range.end && *range.end <= range.begin) return;
  ++changes_;
  KeyspaceWrites& writes = keyspaces_[keyspace.value];
  auto at = writes.values.lower_bound(range.begin);
  while (at != writes.values.end() && range.Contains(at->first)) {
    bytes_ -= Bytes(at->first, at->second);
    if (has_marks_) {
      Remember({.keyspace = keyspace, .key = at->first, .value = at->second, .deleted = {}});
    }
    at = writes.values.erase(at);
  }
  bytes_ -= writes.deleted.memory_bytes();
  std::optional<RangeSet::Addition> addition = writes.deleted.Add(range);
  bytes_ += writes.deleted.memory_bytes();
  if (has_marks_ && addition) {
    Remember({.keyspace = keyspace, .key = {}, .value = {}, .deleted = std::move(addition)});
  }
}

size_t WriteSet::BytesOfWayBack(KeyspaceId keyspace, const btree::Range& range) const {
  const KeyspaceWrites* const writes = Of(keyspace);
  if (!has_marks_ || writes == nullptr) return 0;
  size_t keys = 0;
  for (auto at = writes->values.lower_bound(range.begin);
       at != writes->values.end() && range.Contains(at->first); ++at) {
    ++keys;
  }
  return keys * Undo().bytes();
}

bool WriteSet::Find(KeyspaceId keyspace, std::string_view key,
                    std::optional<std::string_view>* value) const {
  value->reset();
  const KeyspaceWrites* const writes = Of(keyspace);
  if (writes == nullptr) return false;
  const auto at = writes->values.find(key);
  if (at == writes->values.end()) return writes->deleted.Contains(key);
  if (at->second) *value = *at->second;
  return true;
}

const WriteSet::KeyspaceWrites* WriteSet::Of(KeyspaceId keyspace) const {
  const auto at = keyspaces_.find(keyspace.value);
  return at == keyspaces_.end() ? nullptr : &at->second;
}

absl::Status WriteSet::ForEachKeyspace(
    absl::FunctionRef<absl::Status(KeyspaceId keyspace, const KeyspaceWrites& writes)> visit)
    const {
  for (const auto& [id, writes] : keyspaces_) KEEL_RETURN_IF_ERROR(visit(KeyspaceId{id}, writes));
  return absl::OkStatus();
}

absl::Status WriteSet::ForEachOperation(
    absl::FunctionRef<absl::Status(const Operation& operation)> visit) const {
  return ForEachKeyspace([&](KeyspaceId keyspace, const KeyspaceWrites& writes) {
    KEEL_RETURN_IF_ERROR(writes.deleted.ForEach([&](const btree::Range& range) {
      Operation operation;
      operation.kind = OperationKind::kDeleteRange;
      operation.keyspace = keyspace;
      operation.key = range.begin;
      operation.has_end = range.end.has_value();
      operation.value = range.end.value_or(std::string_view());
      return visit(operation);
    }));
    for (const auto& [key, value] : writes.values) {
      Operation operation;
      operation.kind = value ? OperationKind::kPut : OperationKind::kDelete;
      operation.keyspace = keyspace;
      operation.key = key;
      if (value) operation.value = *value;
      KEEL_RETURN_IF_ERROR(visit(operation));
    }
    return absl::OkStatus();
  });
}

// --- the way back ---

size_t WriteSet::SetMark() {
  has_marks_ = true;
  return undo_.size();
}

void WriteSet::Remember(Undo undo) {
  bytes_ += undo.bytes();
  undo_.push_back(std::move(undo));
}

void WriteSet::RollbackTo(size_t mark) {
  ++changes_;
  while (undo_.size() > mark) {
    bytes_ -= undo_.back().bytes();
    TakeBack(std::move(undo_.back()));
    undo_.pop_back();
  }
}

void WriteSet::TakeBack(Undo undo) {
  KeyspaceWrites& writes = keyspaces_[undo.keyspace.value];
  if (undo.deleted) {
    bytes_ -= writes.deleted.memory_bytes();
    writes.deleted.TakeBack(*undo.deleted);
    bytes_ += writes.deleted.memory_bytes();
  } else {
    const auto at = writes.values.find(undo.key);
    if (at != writes.values.end()) {
      bytes_ -= Bytes(at->first, at->second);
      writes.values.erase(at);
    }
    if (undo.value) {
      bytes_ += Bytes(undo.key, *undo.value);
      writes.values.emplace(std::move(undo.key), *std::move(undo.value));
    }
  }
  if (writes.values.empty() && writes.deleted.empty()) keyspaces_.erase(undo.keyspace.value);
}

}  // namespace keel::engine
