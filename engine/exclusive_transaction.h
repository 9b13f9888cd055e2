// The exclusive transaction: holds the writer lock from Begin to Commit and builds on the working state.
//
//   active --Commit--> ended      active --Rollback, Close, time limit--> ended
//
// T1  The writer lock is held exactly while the state is active.
// T2  mutex_ is held during each call, so that Close and a time limit can end an idle transaction from outside; the
//     latter only tries for it. Who ends it finds it in every list, or in none (Start).
// T3  A change is applied to the tree first, then logged. If logging fails half-way (streaming to a full disk)
//     the transaction can only be rolled back, and says so.

#ifndef KEEL_ENGINE_EXCLUSIVE_TRANSACTION_H_
#define KEEL_ENGINE_EXCLUSIVE_TRANSACTION_H_

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <keel/database.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/open_transaction.h"
#include "engine/transaction_log.h"
#include "engine/version.h"
#include "recovery/operations.h"

namespace keel::engine {

class ExclusiveTransaction final : public OpenTransaction,
                                   public std::enable_shared_from_this<ExclusiveTransaction> {
 public:
  // REQUIRES: the writer lock, which is taken over.
  ExclusiveTransaction(std::shared_ptr<Database::Impl> database, const TransactionOptions& options);
  ~ExclusiveTransaction() override;

  // From here on others see it, and may end it.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status Write(Keyspace keyspace, recovery::Operation operation) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  Savepoint SetSavepoint() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RollbackTo(Savepoint savepoint) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Lsn> Commit(const WriteOptions& options) override ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& reason) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool TryEnd(const absl::Status& reason) override ABSL_LOCKS_EXCLUDED(mutex_);
  TransactionFigures Figures() override ABSL_LOCKS_EXCLUDED(mutex_, figures_mutex_);
  absl::StatusOr<PinnedValue> Get(Keyspace keyspace, std::string_view key) override;
  std::vector<absl::StatusOr<PinnedValue>> MultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) override;
  absl::StatusOr<uint64_t> Count(Keyspace keyspace, const KeyRange& range) override;
  std::unique_ptr<Cursor::Impl> NewCursor(Keyspace keyspace, const KeyRange& range) override;

  // Runs `change`, which changes the database's working state, as one of the transaction's calls.
  absl::Status Change(absl::FunctionRef<absl::Status()> change) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs `read` on the state as it is now. `changes` is raised by every change.
  absl::Status Read(absl::FunctionRef<absl::Status(const TreeState& state, uint64_t changes)> read)
      ABSL_LOCKS_EXCLUDED(mutex_);

  Database::Impl& database() { return *database_; }
  const std::shared_ptr<Database::Impl>& shared_database() { return database_; }

 private:
  struct SavepointMark {
    Savepoint savepoint;
    uint64_t number;  // of this transaction, from 1, as in the log
    TransactionLog::Position position;
  };

  // Whether calls may go on; ends the transaction if its time is over.
  absl::Status Enter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<Database::Impl> database_;
  absl::Mutex mutex_;
  bool active_ ABSL_GUARDED_BY(mutex_) = true;
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
  uint64_t owner_ ABSL_GUARDED_BY(mutex_) = 0;  // thread of the last call; 0: none yet
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t writes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t savepoints_set_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<SavepointMark> savepoints_ ABSL_GUARDED_BY(mutex_);
  // Why the last one that was not set was not.
  absl::Status savepoint_not_set_ ABSL_GUARDED_BY(mutex_) = NoSuchSavepoint();
  absl::Mutex figures_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  TransactionFigures figures_ ABSL_GUARDED_BY(figures_mutex_);  // when last looked at
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_EXCLUSIVE_TRANSACTION_H_
