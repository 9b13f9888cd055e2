#include "engine/optimistic_transaction.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "engine/access.h"
#include "engine/database_impl.h"
#include "engine/merged_cursor.h"
#include "engine/validation.h"

namespace keel::engine {

using recovery::Operation;
using recovery::OperationKind;

namespace {

// A transaction's reads and writes take at most this part of the memory budget.
constexpr size_t kMemoryShare = 16;

absl::Status Absent() { return absl::Status(absl::StatusCode::kNotFound, absl::string_view()); }

PinnedValue Copy(std::string_view bytes) {
  PinnedValue value;
  if (bytes.size() <= PinnedValueAccess::kInlineBytes) {
    PinnedValueAccess::SetCopy(&value, bytes);
  } else {
    auto owned = std::make_shared<const std::string>(bytes);
    const std::string_view view = *owned;
    PinnedValueAccess::SetOwned(&value, view, std::move(owned));
  }
  return value;
}

}  // namespace

OptimisticTransaction::OptimisticTransaction(std::shared_ptr<Database::Impl> database,
                                             const TransactionOptions& options)
    : database_(std::move(database)),
      isolation_(options.isolation),
      label_(options.label),
      lock_timeout_(options.lock_timeout),
      deadline_(options.time_limit == absl::InfiniteDuration()
                    ? options.time_limit
                    : database_->storage().clock().Now() + options.time_limit),
      memory_max_(database_->options().memory_bytes / kMemoryShare),
      base_(ShareVisible(database_, label_)) {}

absl::Status OptimisticTransaction::Enter() {
  if (!active_) return ended_;
  KEEL_RETURN_IF_ERROR(database_->Usable());
  if (deadline_ != absl::InfiniteDuration() && database_->storage().clock().Now() >= deadline_) {
    EndLocked(
        absl::DeadlineExceededError("the transaction outlived its time limit and was rolled back"));
    return ended_;
  }
  return absl::OkStatus();
}

void OptimisticTransaction::End(const absl::Status& reason) {
  absl::MutexLock lock(&mutex_);
  EndLocked(reason);
}

void OptimisticTransaction::EndLocked(const absl::Status& reason) {
  if (!active_) return;
  active_ = false;
  ended_ = reason;
  base_.reset();
  writes_ = WriteSet();
  reads_ = ReadSet();
}

absl::Status OptimisticTransaction::CheckMemory(size_t more) {
  const size_t bytes = writes_.memory_bytes() + reads_.memory_bytes() + more;
  if (bytes <= memory_max_) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kResourceExhausted,
                    "what this optimistic transaction has read and written takes %d bytes of "
                    "memory, and %d are allowed: use a smaller one, an exclusive one "
                    "(Concurrency::kExclusive), or a larger Options::memory_bytes",
                    bytes, memory_max_);
}

std::shared_ptr<SharedVersion> OptimisticTransaction::VersionToRead() {
  if (isolation_ == Isolation::kReadCommitted) base_ = ShareVisible(database_, label_);
  return base_;
}

// --- changes ---

absl::Status OptimisticTransaction::Write(Keyspace keyspace, Operation operation) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  KEEL_RETURN_IF_ERROR(database_->Prepare(keyspace, &operation));
  KEEL_RETURN_IF_ERROR(database_->Resolve(VersionToRead()->keeper->state, keyspace).status());
  KEEL_RETURN_IF_ERROR(CheckMemory(operation.key.size() + operation.value.size()));
  switch (operation.kind) {
    case OperationKind::kPut:
      writes_.Put(operation.keyspace, operation.key, operation.value);
      return absl::OkStatus();
    case OperationKind::kDelete:
      writes_.Delete(operation.keyspace, operation.key);
      return absl::OkStatus();
    case OperationKind::kDeleteRange: {
      btree::Range range{.begin = operation.key, .end = {}};
      if (operation.has_end) range.end = operation.value;
      writes_.DeleteRange(operation.keyspace, range);
      return absl::OkStatus();
    }
    default:
      return absl::InternalError("no change of a transaction");
  }
}

Savepoint OptimisticTransaction::SetSavepoint() {
  absl::MutexLock lock(&mutex_);
  if (!Enter().ok()) return Savepoint{0};  // RollbackTo will refuse it
  savepoints_.push_back({next_savepoint_++, writes_.SetMark()});
  return Savepoint{savepoints_.back().id};
}

absl::Status OptimisticTransaction::RollbackTo(Savepoint savepoint) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const auto found = std::find_if(savepoints_.begin(), savepoints_.end(),
                                  [&](const SavepointMark& s) { return s.id == savepoint.id; });
  if (found == savepoints_.end()) {
    return absl::FailedPreconditionError(
        "the savepoint is not one of this transaction, or a rollback to an earlier one removed it");
  }
  writes_.RollbackTo(found->mark);
  savepoints_.erase(found + 1, savepoints_.end());
  return absl::OkStatus();
}

// --- reads ---

absl::StatusOr<PinnedValue> OptimisticTransaction::Get(Keyspace keyspace, std::string_view key) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const std::shared_ptr<SharedVersion> version = VersionToRead();
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, database_->Resolve(version->keeper->state, keyspace));
  std::optional<std::string_view> own;
  if (writes_.Find(id, key, &own)) {
    if (!own) return Absent();
    return Copy(*own);
  }
  if (reads() != nullptr) {
    KEEL_RETURN_IF_ERROR(CheckMemory(key.size()));
    reads()->AddKey(id, key);
  }
  return database_->GetAt(version->keeper->state, database_->pages(), keyspace, key);
}

absl::StatusOr<uint64_t> OptimisticTransaction::Count(Keyspace keyspace, const KeyRange& range) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const std::shared_ptr<SharedVersion> version = VersionToRead();
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, database_->Resolve(version->keeper->state, keyspace));
  if (reads() != nullptr) {
    KEEL_RETURN_IF_ERROR(CheckMemory(range.begin_key().size()));
    reads()->AddCount(id, ToRange(range));
  }
  return CountMerged(*version, id, ToRange(range));
}

// What the version has there, less what was deleted or replaced, and what was put.
absl::StatusOr<uint64_t> OptimisticTransaction::CountMerged(const SharedVersion& version,
                                                            KeyspaceId keyspace,
                                                            const btree::Range& range) {
  pager::PageSource& pages = database_->pages();
  const pager::TreeRoot root = version.keeper->state.roots.Get(keyspace);
  KEEL_ASSIGN_OR_RETURN(uint64_t count, btree::Count(pages, keyspace, root, range));
  const WriteSet::KeyspaceWrites* const own = writes_.Of(keyspace);
  if (own == nullptr) return count;
  KEEL_RETURN_IF_ERROR(own->deleted.ForEach([&](const btree::Range& deleted) {
    btree::Range both{.begin = std::max(range.begin, deleted.begin), .end = range.end};
    if (deleted.end && (!both.end || *deleted.end < *both.end)) both.end = deleted.end;
    if (both.end && *both.end <= both.begin) return absl::OkStatus();
    KEEL_ASSIGN_OR_RETURN(const uint64_t gone, btree::Count(pages, keyspace, root, both));
    count -= gone;
    return absl::OkStatus();
  }));
  for (auto at = own->values.lower_bound(range.begin);
       at != own->values.end() && range.Contains(at->first); ++at) {
    if (!own->deleted.Contains(at->first)) {
      KEEL_ASSIGN_OR_RETURN(const btree::Found found,
                            btree::Find(pages, keyspace, root, at->first));
      if (found) --count;
    }
    if (at->second) ++count;
  }
  return count;
}

std::unique_ptr<Cursor::Impl> OptimisticTransaction::NewCursor(Keyspace keyspace,
                                                               const KeyRange& range) {
  absl::MutexLock lock(&mutex_);
  if (const absl::Status status = Enter(); !status.ok()) {
    return std::make_unique<FailedCursor>(status);
  }
  std::shared_ptr<SharedVersion> version = VersionToRead();
  const absl::StatusOr<KeyspaceId> id = database_->Resolve(version->keeper->state, keyspace);
  if (!id.ok()) return std::make_unique<FailedCursor>(id.status());
  return std::make_unique<MergedCursor>(shared_from_this(), std::move(version), *id, range);
}

absl::Status OptimisticTransaction::Read(
    absl::FunctionRef<absl::Status(const WriteSet& writes, ReadSet* reads)> read) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  if (reads() != nullptr) KEEL_RETURN_IF_ERROR(CheckMemory(0));
  return read(writes_, reads());
}

// --- commit ---

absl::StatusOr<Lsn> OptimisticTransaction::Commit(const WriteOptions& options) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  KEEL_RETURN_IF_ERROR(database_->Enter());
  absl::StatusOr<Lsn> lsn = CommitLocked(options);
  database_->Leave();
  EndLocked(absl::FailedPreconditionError(lsn.ok() ? "the transaction has been committed"
                                                   : "the transaction's commit failed"));
  return lsn;
}

absl::Status OptimisticTransaction::ValidateUpTo(pager::PageSource& pages, const TreeState& state) {
  if (isolation_ == Isolation::kReadCommitted) return absl::OkStatus();
  return Validate(pages, base_->keeper->state, state, reads_, writes_);
}

absl::StatusOr<Lsn> OptimisticTransaction::CommitLocked(const WriteOptions& options) {
  if (writes_.empty()) {
    // It has seen one version, and stands where that stands in the order of commits.
    const Lsn lsn = base_->keeper->lsn;
    KEEL_RETURN_IF_ERROR(database_->FinishCommit(lsn, options.durability));
    return lsn;
  }
  // Most of the way without the lock, so that little is left for the time that others wait.
  std::shared_ptr<SharedVersion> visible = ShareVisible(database_, label_);
  KEEL_RETURN_IF_ERROR(ValidateUpTo(database_->pages(), visible->keeper->state));
  base_ = std::move(visible);
  KEEL_RETURN_IF_ERROR(database_->AcquireWriter(lock_timeout_, label_));
  if (absl::Status status = Apply(); !status.ok()) {
    database_->RollbackWriter();
    return status;
  }
  return database_->CommitWriter(options);
}

absl::Status OptimisticTransaction::Apply() {
  KEEL_RETURN_IF_ERROR(ValidateUpTo(database_->writer_pages(), database_->working()));
  return writes_.ForEachOperation(
      [this](const Operation& operation) { return database_->ApplyAndLog(operation); });
}

}  // namespace keel::engine
