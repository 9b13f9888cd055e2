// What every kind of transaction can do, as the Transaction handle asks for it.

#ifndef KEEL_ENGINE_OPEN_TRANSACTION_H_
#define KEEL_ENGINE_OPEN_TRANSACTION_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/key_range.h>
#include <keel/transaction.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/cursor_impl.h"
#include "recovery/operations.h"

namespace keel::engine {

inline absl::Status StaleSavepoint() {
  return absl::FailedPreconditionError(
      "the savepoint is not one of this transaction, or a rollback to an earlier one removed it");
}

// Used by one thread at a time, but for End.
class OpenTransaction {
 public:
  virtual ~OpenTransaction() = default;

  virtual absl::Status Write(Keyspace keyspace, recovery::Operation operation) = 0;
  virtual Savepoint SetSavepoint() = 0;
  virtual absl::Status RollbackTo(Savepoint savepoint) = 0;
  virtual absl::StatusOr<Lsn> Commit(const WriteOptions& options) = 0;
  // Ends it, if it is active, with the status that later calls return. Any thread.
  virtual void End(const absl::Status& reason) = 0;
  // The same, unless a call is running, for which it does not wait. Whether it is over.
  virtual bool TryEnd(const absl::Status& reason) = 0;

  virtual absl::StatusOr<PinnedValue> Get(Keyspace keyspace, std::string_view key) = 0;
  // All of one state.
  virtual std::vector<absl::StatusOr<PinnedValue>> MultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) = 0;
  virtual absl::StatusOr<uint64_t> Count(Keyspace keyspace, const KeyRange& range) = 0;
  virtual std::unique_ptr<Cursor::Impl> NewCursor(Keyspace keyspace, const KeyRange& range) = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPEN_TRANSACTION_H_
