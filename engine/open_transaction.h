// What every kind of transaction can do, as the Transaction handle asks for it, and what it tells of itself.

#ifndef KEEL_ENGINE_OPEN_TRANSACTION_H_
#define KEEL_ENGINE_OPEN_TRANSACTION_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <keel/key_range.h>
#include <keel/transaction.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "engine/cursor_impl.h"
#include "engine/time_limit.h"
#include "io/clock.h"
#include "recovery/operations.h"

namespace keel::engine {

// No two of the process are the same: so a savepoint of another transaction is known for what it is.
inline Savepoint NewSavepoint() {
  static std::atomic<uint64_t> last{0};
  return Savepoint{last.fetch_add(1, std::memory_order_relaxed) + 1};
}

// `savepoint` is none that can be returned to: 0 is the one that SetSavepoint gives when it has set none, for which
// there is another error.
inline absl::Status NoSuchSavepoint() {
  return absl::FailedPreconditionError(
      "the savepoint is not one of this transaction, or a rollback to an earlier one removed it");
}

// What changes in the life of a transaction, as it was at its last idle moment.
struct TransactionFigures {
  uint64_t changes =
      0;  // calls that changed something, those rolled back to a savepoint among them
  uint64_t memory_bytes = 0;  // optimistic: of what it has read and written
  uint64_t pages = 0;         // exclusive: made by it
  std::optional<Epoch> base;  // optimistic: of the version that it keeps
};

// Used by one thread at a time, but for End, TryEnd and Figures.
class OpenTransaction {
 public:
  OpenTransaction(const TransactionOptions& options, io::Clock* clock)
      : concurrency_(options.concurrency),
        isolation_(options.isolation),
        label_(options.label),
        begun_(clock->Now()),
        limit_(clock, options.time_limit) {}
  virtual ~OpenTransaction() = default;

  virtual absl::Status Write(Keyspace keyspace, recovery::Operation operation) = 0;
  virtual Savepoint SetSavepoint() = 0;
  virtual absl::Status RollbackTo(Savepoint savepoint) = 0;
  virtual absl::StatusOr<Lsn> Commit(const WriteOptions& options) = 0;
  // Ends it, if it is active, with the status that later calls return. Any thread.
  virtual void End(const absl::Status& reason) = 0;
  // The same, unless a call is running, for which it does not wait. Whether it is over. Any thread.
  virtual bool TryEnd(const absl::Status& reason) = 0;
  // Ends it if what it reads has expired and no call is running. Whether it is over. Any thread.
  virtual bool TryEndExpired() { return false; }
  // Any thread; does not wait for a running call.
  virtual TransactionFigures Figures() = 0;

  virtual absl::StatusOr<PinnedValue> Get(Keyspace keyspace, std::string_view key) = 0;
  // All of one state.
  virtual std::vector<absl::StatusOr<PinnedValue>> MultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) = 0;
  virtual absl::StatusOr<uint64_t> Count(Keyspace keyspace, const KeyRange& range) = 0;
  virtual std::unique_ptr<Cursor::Impl> NewCursor(Keyspace keyspace, const KeyRange& range) = 0;

  Concurrency concurrency() const { return concurrency_; }
  Isolation isolation() const { return isolation_; }
  const std::string& label() const { return label_; }
  absl::Duration begun() const { return begun_; }  // on the clock
  const TimeLimit& limit() const { return limit_; }
  // What its calls answer once its time is over.
  absl::Status TimeExceeded() const { return limit_.Exceeded(label_); }

 private:
  friend class OpenTransactions;

  const Concurrency concurrency_;
  const Isolation isolation_;
  const std::string label_;
  const absl::Duration begun_;
  const TimeLimit limit_;
  uint64_t number_ = 0;  // among those that are open; 0: not one of them
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPEN_TRANSACTION_H_
