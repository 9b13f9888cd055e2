#include "engine/exclusive_transaction.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "engine/database_impl.h"
#include "engine/thread_token.h"
#include "engine/tree_cursor.h"

namespace keel::engine {

using recovery::Operation;
using recovery::OperationKind;

ExclusiveTransaction::ExclusiveTransaction(std::shared_ptr<Database::Impl> database,
                                           const TransactionOptions& options)
    : OpenTransaction(options, &database->storage().clock()), database_(std::move(database)) {}

ExclusiveTransaction::~ExclusiveTransaction() {
  End(absl::FailedPreconditionError("the transaction was destroyed"));
}

void ExclusiveTransaction::Start() {
  // Held, so that its limit does not end it in between: what follows would then be done to the next holder of the lock.
  absl::MutexLock lock(&mutex_);
  database_->SetTransaction(shared_from_this());
  database_->open_transactions().Add(shared_from_this());
  if (limit().limit() == absl::InfiniteDuration()) return;
  database_->writer_lock().SetLimit(limit().left(), [weak = weak_from_this()] {
    const std::shared_ptr<ExclusiveTransaction> transaction = weak.lock();
    return transaction == nullptr || transaction->TryEnd(transaction->TimeExceeded());
  });
}

absl::Status ExclusiveTransaction::Enter() {
  if (!active_) return ended_;
  // A forked child shares the parent's files and log, and must not write to them.
  KEEL_RETURN_IF_ERROR(database_->Usable());
  if (limit().over()) {
    EndLocked(TimeExceeded());
    return ended_;
  }
  // Nobody else sets it while the lock is held (T1).
  if (const uint64_t thread = ThisThreadToken(); thread != owner_) {
    database_->writer_lock().SetOwner();
    owner_ = thread;
  }
  return absl::OkStatus();
}

absl::Status ExclusiveTransaction::Write(Keyspace keyspace, Operation operation) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  KEEL_RETURN_IF_ERROR(database_->Prepare(keyspace, &operation));
  ++changes_;  // also where it fails: what cannot be logged may have been applied
  KEEL_RETURN_IF_ERROR(database_->ApplyAndLog(operation));
  ++writes_;
  return absl::OkStatus();
}

Savepoint ExclusiveTransaction::SetSavepoint() {
  absl::MutexLock lock(&mutex_);
  // RollbackTo will refuse it, and say why.
  if (!Enter().ok()) return Savepoint{0};
  if (savepoints_.size() >= database_->savepoints_max()) {
    savepoint_not_set_ = absl::ResourceExhaustedError(
        "the savepoint was not set, for want of memory: a transaction may have one for each "
        "16 KiB of Options::memory_bytes; commit now and then, or raise that");
    return Savepoint{0};
  }
  TransactionLog& log = database_->transaction_log();
  Operation operation;
  operation.kind = OperationKind::kSavepoint;
  operation.savepoint = savepoints_set_ + 1;
  // The log's room before the mark: a full disk costs the savepoint, not the transaction.
  absl::Status status = database_->MakeLoggable(operation);
  if (status.ok()) status = log.Prepare(operation);
  if (!status.ok()) {
    savepoint_not_set_ = WithContext(status, "the savepoint was not set");
    return Savepoint{0};
  }
  ++savepoints_set_;
  savepoints_.push_back({NewSavepoint(), operation.savepoint, log.position()});
  database_->applier().SetSavepoint(operation.savepoint);
  // A failure is kept, and refuses every later change and the commit.
  log.Add(operation).IgnoreError();
  return savepoints_.back().savepoint;
}

absl::Status ExclusiveTransaction::RollbackTo(Savepoint savepoint) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const auto found = std::find_if(savepoints_.begin(), savepoints_.end(),
                                  [&](const SavepointMark& s) { return s.savepoint == savepoint; });
  if (found == savepoints_.end()) {
    if (savepoint == Savepoint{0}) return savepoint_not_set_;
    return NoSuchSavepoint();
  }
  TransactionLog& log = database_->transaction_log();
  Operation operation;
  operation.kind = OperationKind::kRollbackTo;
  operation.savepoint = found->number;
  KEEL_RETURN_IF_ERROR(database_->MakeLoggable(operation));
  KEEL_RETURN_IF_ERROR(log.Prepare(operation));
  ++changes_;
  KEEL_RETURN_IF_ERROR(database_->applier().RollbackTo(found->number));
  const TransactionLog::Position position = found->position;
  savepoints_.erase(found + 1, savepoints_.end());
  if (log.TakeBackTo(position)) {
    operation.kind = OperationKind::kSavepoint;  // taken back with what followed it: set it again
  }
  return log.Add(operation);
}

absl::StatusOr<Lsn> ExclusiveTransaction::Commit(const WriteOptions& options) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  // Close waits for a commit that has begun, and ends a transaction whose commit has not.
  KEEL_RETURN_IF_ERROR(database_->Enter());
  active_ = false;
  ended_ = absl::FailedPreconditionError("the transaction has been committed");
  absl::StatusOr<Lsn> lsn = database_->CommitWriter(options);
  if (!lsn.ok()) ended_ = absl::FailedPreconditionError("the transaction's commit failed");
  database_->ForgetTransaction(this);
  database_->open_transactions().Remove(*this, /*timed_out=*/false);
  database_->Leave();
  return lsn;
}

void ExclusiveTransaction::End(const absl::Status& reason) {
  absl::MutexLock lock(&mutex_);
  EndLocked(reason);
}

bool ExclusiveTransaction::TryEnd(const absl::Status& reason) {
  if (!mutex_.TryLock()) return false;
  EndLocked(reason);
  mutex_.Unlock();
  return true;
}

void ExclusiveTransaction::EndLocked(const absl::Status& reason) {
  if (!active_) return;
  active_ = false;
  ended_ = reason;
  if (database_->InForkedChild()) return;  // the parent's transaction goes on
  database_->RollbackWriter();
  database_->ForgetTransaction(this);
  database_->open_transactions().Remove(*this, absl::IsDeadlineExceeded(reason));
}

TransactionFigures ExclusiveTransaction::Figures() {
  if (!mutex_.TryLock()) {
    absl::MutexLock lock(&figures_mutex_);
    return figures_;
  }
  TransactionFigures figures;
  figures.changes = writes_;
  if (active_) figures.pages = database_->storage().session->born_pages();
  mutex_.Unlock();
  absl::MutexLock lock(&figures_mutex_);
  return figures_ = figures;
}

absl::Status ExclusiveTransaction::Change(absl::FunctionRef<absl::Status()> change) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  ++changes_;
  return change();
}

absl::Status ExclusiveTransaction::Read(
    absl::FunctionRef<absl::Status(const TreeState& state, uint64_t changes)> read) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  return read(database_->working(), changes_);
}

absl::StatusOr<PinnedValue> ExclusiveTransaction::Get(Keyspace keyspace, std::string_view key) {
  PinnedValue value;
  KEEL_RETURN_IF_ERROR(Read([&](const TreeState& state, uint64_t) {
    KEEL_ASSIGN_OR_RETURN(value, database_->GetAt(state, database_->writer_pages(), keyspace, key));
    return absl::OkStatus();
  }));
  return value;
}

std::vector<absl::StatusOr<PinnedValue>> ExclusiveTransaction::MultiGet(
    Keyspace keyspace, std::span<const std::string_view> keys) {
  std::vector<absl::StatusOr<PinnedValue>> values;
  values.reserve(keys.size());
  for (const std::string_view key : keys) values.push_back(Get(keyspace, key));
  return values;
}

absl::StatusOr<uint64_t> ExclusiveTransaction::Count(Keyspace keyspace, const KeyRange& range) {
  uint64_t count = 0;
  KEEL_RETURN_IF_ERROR(Read([&](const TreeState& state, uint64_t) {
    KEEL_ASSIGN_OR_RETURN(count,
                          database_->CountAt(state, database_->writer_pages(), keyspace, range));
    return absl::OkStatus();
  }));
  return count;
}

std::unique_ptr<Cursor::Impl> ExclusiveTransaction::NewCursor(Keyspace keyspace,
                                                              const KeyRange& range) {
  return std::make_unique<TreeCursor>(shared_from_this(), keyspace, range);
}

}  // namespace keel::engine
