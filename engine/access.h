// The engine's way into the private parts of public handles.

#ifndef KEEL_ENGINE_ACCESS_H_
#define KEEL_ENGINE_ACCESS_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <keel/keyspace.h>
#include <keel/pinned_value.h>
#include <keel/write_batch.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/types.h"
#include "recovery/operations.h"

namespace keel {

class KeyspaceAccess {
 public:
  static Keyspace Make(KeyspaceId id, uint64_t database) { return Keyspace(id.value, database); }
  static KeyspaceId Id(Keyspace keyspace) { return KeyspaceId{keyspace.id_}; }
  static uint64_t Database(Keyspace keyspace) { return keyspace.database_; }
};

class PinnedValueAccess {
 public:
  static constexpr size_t kInlineBytes = PinnedValue::kInlineBytes;

  // Copies. REQUIRES: bytes.size() <= kInlineBytes.
  static void SetCopy(PinnedValue* value, std::string_view bytes) {
    std::memcpy(value->inline_, bytes.data(), bytes.size());
    value->data_ = value->inline_;
    value->size_ = bytes.size();
  }
  // Refers to bytes that `owner` keeps.
  static void SetOwned(PinnedValue* value, std::string_view bytes,
                       std::shared_ptr<const void> owner) {
    value->data_ = bytes.data();
    value->size_ = bytes.size();
    value->owner_ = std::move(owner);
  }
};

class WriteBatchAccess {
 public:
  // Calls visit(keyspace, operation) for each change, in order; the operation's keyspace id is not filled in.
  // Views are good while the batch is not changed.
  static absl::Status Decode(
      const WriteBatch& batch,
      absl::FunctionRef<absl::Status(Keyspace keyspace, recovery::Operation operation)> visit);
  static void Append(WriteBatch* batch, Keyspace keyspace, recovery::Operation operation);
};

}  // namespace keel

#endif  // KEEL_ENGINE_ACCESS_H_
