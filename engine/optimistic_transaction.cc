#include "engine/optimistic_transaction.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "engine/access.h"
#include "engine/answers.h"
#include "engine/database_impl.h"
#include "engine/merged_cursor.h"
#include "engine/validation.h"
#include "recovery/record_table.h"

namespace keel::engine {

using recovery::Operation;
using recovery::OperationKind;

namespace {

constexpr absl::string_view kOverMemoryMark = "keel/optimistic-memory";
constexpr size_t kReserveStep = 4096;  // taken from the share at a time
constexpr size_t kEntryBytes =
    3 * 96;  // of a set's entry and the way back, beside its keys and values; about

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

bool IsOverMemory(const absl::Status& status) {
  return status.GetPayload(kOverMemoryMark).has_value();
}

OptimisticTransaction::OptimisticTransaction(std::shared_ptr<SharedVersion> base,
                                             const TransactionOptions& options)
    : OpenTransaction(options, &base->database()->storage().clock()),
      database_(base->database()),
      lock_timeout_(options.lock_timeout),
      share_(database_->optimistic_share()),
      base_(std::move(base)) {}

OptimisticTransaction::~OptimisticTransaction() {
  End(absl::FailedPreconditionError("the transaction was destroyed"));
}

absl::Status OptimisticTransaction::Enter() {
  if (!active_) return ended_;
  KEEL_RETURN_IF_ERROR(database_->Usable());
  if (limit().over()) {
    EndLocked(TimeExceeded());
  } else if (base_->expired()) {
    EndLocked(base_->status());
  }
  return ended_;
}

void OptimisticTransaction::End(const absl::Status& reason) {
  absl::MutexLock lock(&mutex_);
  EndLocked(reason);
}

bool OptimisticTransaction::TryEnd(const absl::Status& reason) {
  if (!mutex_.TryLock()) return false;
  EndLocked(reason);
  mutex_.Unlock();
  return true;
}

void OptimisticTransaction::EndLocked(const absl::Status& reason) {
  if (!active_) return;
  active_ = false;
  ended_ = reason;
  if (!database_->InForkedChild()) {
    base_->Expire(reason);  // though cursors have it too
    for (const std::weak_ptr<SharedVersion>& lent : lent_) {
      if (const std::shared_ptr<SharedVersion> version = lent.lock()) version->Expire(reason);
    }
    database_->open_transactions().Remove(*this,
                                          limit().over() && absl::IsDeadlineExceeded(reason));
  }
  base_.reset();
  lent_.clear();
  writes_ = WriteSet();
  reads_ = ReadSet();
  savepoints_.clear();
  share_.GiveBack(std::exchange(reserved_, 0));
}

bool OptimisticTransaction::TryEndExpired() {
  if (!mutex_.TryLock()) return false;
  if (active_ && base_->expired()) EndLocked(base_->status());
  const bool over = !active_;
  mutex_.Unlock();
  return over;
}

TransactionFigures OptimisticTransaction::Figures() {
  if (!mutex_.TryLock()) {
    absl::MutexLock lock(&figures_mutex_);
    return figures_;
  }
  TransactionFigures figures;
  figures.changes = changes_;
  figures.memory_bytes = reserved_;
  if (active_) figures.base = base_->epoch();
  mutex_.Unlock();
  absl::MutexLock lock(&figures_mutex_);
  return figures_ = figures;
}

size_t OptimisticTransaction::memory_bytes() const {
  return writes_.memory_bytes() + reads_.memory_bytes() +
         savepoints_.size() * sizeof(SavepointMark);
}

absl::Status OptimisticTransaction::Reserve(size_t more) {
  while (true) {
    const size_t wanted = memory_bytes() + more;
    if (wanted <= reserved_) return absl::OkStatus();
    // In steps, so that the share is not asked each time; the last bytes of it by the byte.
    const size_t needed = wanted - reserved_;
    for (const size_t step : {std::max(kReserveStep, needed), needed}) {
      if (!share_.Take(step)) continue;
      reserved_ += step;
      return absl::OkStatus();
    }
    if (reads_.Coarsen()) {
      GiveBackUnused();
      continue;
    }
    absl::Status status = MakeStatus(
        absl::StatusCode::kResourceExhausted,
        "what this optimistic transaction has read and written takes %d bytes of memory; all of "
        "them together may take %d, and %d are taken: use a smaller one, an exclusive one "
        "(Concurrency::kExclusive), or a larger Options::memory_bytes",
        wanted, share_.bytes_max(), share_.taken());
    status.SetPayload(kOverMemoryMark, absl::Cord());
    return status;
  }
}

void OptimisticTransaction::GiveBackUnused() {
  const size_t unused = reserved_ - std::min(reserved_, memory_bytes());
  share_.GiveBack(unused);
  reserved_ -= unused;
}

// Without room what is read is noted all the same. The set is as coarse as can be then, and what comes to it beyond
// what is reserved is one entry, which the next call makes part of the rest.
void OptimisticTransaction::ReserveForRead(size_t more) { Reserve(more).IgnoreError(); }

absl::StatusOr<KeyspaceId> OptimisticTransaction::Resolve(const SharedVersion& version,
                                                          Keyspace keyspace) {
  absl::StatusOr<KeyspaceId> id = database_->Resolve(version.state(), keyspace);
  if (reads() != nullptr && (id.ok() || absl::IsNotFound(id.status()))) {
    reads()->AddKeyspace(KeyspaceAccess::Id(keyspace));
  }
  return id;
}

std::shared_ptr<SharedVersion> OptimisticTransaction::VersionToRead() {
  if (isolation() == Isolation::kReadCommitted) {
    base_ = RenewSnapshot(database_, SnapshotKind::kTransaction, label());
  }
  return base_;
}

void OptimisticTransaction::Lend(const std::shared_ptr<SharedVersion>& version) {
  if (lent_.size() == lent_.capacity()) {
    std::erase_if(lent_, [](const std::weak_ptr<SharedVersion>& lent) { return lent.expired(); });
  }
  lent_.push_back(version);
}

// --- changes ---

absl::Status OptimisticTransaction::Write(Keyspace keyspace, Operation operation) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  KEEL_RETURN_IF_ERROR(database_->Prepare(keyspace, &operation));
  KEEL_RETURN_IF_ERROR(Resolve(*VersionToRead(), keyspace).status());
  btree::Range range{.begin = operation.key, .end = {}};
  if (operation.has_end) range.end = operation.value;
  const size_t way_back = operation.kind == OperationKind::kDeleteRange
                              ? writes_.BytesOfWayBack(operation.keyspace, range)
                              : 0;
  KEEL_RETURN_IF_ERROR(
      Reserve(kEntryBytes + 2 * operation.key.size() + operation.value.size() + way_back));
  ++changes_;
  switch (operation.kind) {
    case OperationKind::kPut:
      writes_.Put(operation.keyspace, operation.key, operation.value);
      return absl::OkStatus();
    case OperationKind::kDelete:
      writes_.Delete(operation.keyspace, operation.key);
      return absl::OkStatus();
    case OperationKind::kDeleteRange:
      writes_.DeleteRange(operation.keyspace, range);
      return absl::OkStatus();
    default:
      return absl::InternalError("no change of a transaction");
  }
}

Savepoint OptimisticTransaction::SetSavepoint() {
  absl::MutexLock lock(&mutex_);
  // RollbackTo will refuse it, and say why.
  if (!Enter().ok()) return Savepoint{0};
  if (absl::Status status = Reserve(sizeof(SavepointMark)); !status.ok()) {
    savepoint_not_set_ = WithContext(status, "the savepoint was not set");
    return Savepoint{0};
  }
  savepoints_.push_back({NewSavepoint(), writes_.SetMark()});
  return savepoints_.back().savepoint;
}

absl::Status OptimisticTransaction::RollbackTo(Savepoint savepoint) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const auto found = std::find_if(savepoints_.begin(), savepoints_.end(),
                                  [&](const SavepointMark& s) { return s.savepoint == savepoint; });
  if (found == savepoints_.end()) {
    if (savepoint == Savepoint{0}) return savepoint_not_set_;
    return NoSuchSavepoint();
  }
  writes_.RollbackTo(found->mark);
  savepoints_.erase(found + 1, savepoints_.end());
  GiveBackUnused();
  return absl::OkStatus();
}

// --- reads ---

absl::StatusOr<PinnedValue> OptimisticTransaction::Get(Keyspace keyspace, std::string_view key) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const std::shared_ptr<SharedVersion> version = VersionToRead();
  const SharedVersion::Use use(*version);
  KEEL_RETURN_IF_ERROR(use.status());
  return GetAt(*version, keyspace, key);
}

std::vector<absl::StatusOr<PinnedValue>> OptimisticTransaction::MultiGet(
    Keyspace keyspace, std::span<const std::string_view> keys) {
  absl::MutexLock lock(&mutex_);
  if (const absl::Status status = Enter(); !status.ok()) return AllRefused(keys.size(), status);
  const std::shared_ptr<SharedVersion> version = VersionToRead();
  const SharedVersion::Use use(*version);
  if (const absl::Status status = use.status(); !status.ok()) {
    return AllRefused(keys.size(), status);
  }
  std::vector<absl::StatusOr<PinnedValue>> values;
  values.reserve(keys.size());
  for (const std::string_view key : keys) values.push_back(GetAt(*version, keyspace, key));
  return values;
}

absl::StatusOr<PinnedValue> OptimisticTransaction::GetAt(const SharedVersion& version,
                                                         Keyspace keyspace, std::string_view key) {
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, Resolve(version, keyspace));
  std::optional<std::string_view> own;
  if (writes_.Find(id, key, &own)) {
    if (!own) return Absent();
    return Copy(*own);
  }
  if (reads() != nullptr) {
    ReserveForRead(kEntryBytes + 2 * key.size());
    reads()->AddKey(id, key);
  }
  return database_->GetFrom(version.state(), keyspace, key);
}

absl::StatusOr<uint64_t> OptimisticTransaction::Count(Keyspace keyspace, const KeyRange& range) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  const std::shared_ptr<SharedVersion> version = VersionToRead();
  const SharedVersion::Use use(*version);
  KEEL_RETURN_IF_ERROR(use.status());
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, Resolve(*version, keyspace));
  if (reads() != nullptr) {
    ReserveForRead(kEntryBytes + 2 * range.begin_key().size());
    reads()->AddCount(id, ToRange(range));
  }
  return CountMerged(*version, id, ToRange(range));
}

// What the version has there, less what was deleted or replaced, and what was put. Whether the version has what was
// deleted or replaced is read as well: a rollback may take the change back, but not what was made of the answer.
absl::StatusOr<uint64_t> OptimisticTransaction::CountMerged(const SharedVersion& version,
                                                            KeyspaceId keyspace,
                                                            const btree::Range& range) {
  pager::PageSource& pages = database_->pages();
  const pager::TreeRoot root = version.state().roots.Get(keyspace);
  KEEL_ASSIGN_OR_RETURN(uint64_t count, btree::Count(pages, keyspace, root, range));
  const WriteSet::KeyspaceWrites* const own = writes_.Of(keyspace);
  if (own == nullptr) return count;
  KEEL_RETURN_IF_ERROR(own->deleted.ForEach([&](const btree::Range& deleted) {
    mutex_.AssertHeld();
    btree::Range both{.begin = std::max(range.begin, deleted.begin), .end = range.end};
    if (deleted.end && (!both.end || *deleted.end < *both.end)) both.end = deleted.end;
    if (both.end && *both.end <= both.begin) return absl::OkStatus();
    if (reads() != nullptr) reads()->AddCount(keyspace, both);
    KEEL_ASSIGN_OR_RETURN(const uint64_t gone, btree::Count(pages, keyspace, root, both));
    count -= gone;
    return absl::OkStatus();
  }));
  for (auto at = own->values.lower_bound(range.begin);
       at != own->values.end() && range.Contains(at->first); ++at) {
    if (!own->deleted.Contains(at->first)) {
      if (reads() != nullptr) reads()->AddKey(keyspace, at->first);
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
  const absl::StatusOr<KeyspaceId> id = Resolve(*version, keyspace);
  if (!id.ok()) return std::make_unique<FailedCursor>(id.status());
  if (isolation() == Isolation::kReadCommitted) Lend(version);  // the next call has another one
  return std::make_unique<MergedCursor>(shared_from_this(), std::move(version), *id, range);
}

absl::Status OptimisticTransaction::Read(
    absl::FunctionRef<absl::Status(const WriteSet& writes, ReadSet* reads)> read) {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(Enter());
  if (reads() != nullptr) ReserveForRead(kEntryBytes);
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

absl::Status OptimisticTransaction::ValidateUpTo(pager::PageSource& pages, const TreeState& state,
                                                 CommitNumber number) {
  const TreeState& before = base_->state();
  const auto winner = [&, base = base_->number()](std::optional<Epoch> born) {
    return database_->commit_history().DescribeMaker(born, base, number);
  };
  switch (isolation()) {
    case Isolation::kSerializable:
      return ValidateReads(pages, before, state, reads_, winner);
    case Isolation::kSnapshot:
      return ValidateWrites(pages, before, state, writes_, winner);
    case Isolation::kReadCommitted:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<Lsn> OptimisticTransaction::CommitLocked(const WriteOptions& options) {
  // Whether it has not expired since the call began; from here on it does not.
  const std::shared_ptr<SharedVersion> base = base_;
  const SharedVersion::Use use(*base);
  KEEL_RETURN_IF_ERROR(use.status());
  if (writes_.empty()) {
    // It has seen one version, and stands where that stands in the order of commits.
    const Lsn lsn = base->lsn();
    KEEL_RETURN_IF_ERROR(database_->FinishReading(lsn, options.durability));
    return lsn;
  }
  // Most of the way without the lock, so that little is left for the time that others wait.
  const std::shared_ptr<SharedVersion> visible =
      RenewSnapshot(database_, SnapshotKind::kTransaction, label());
  const SharedVersion::Use use_visible(*visible);
  KEEL_RETURN_IF_ERROR(use_visible.status());
  KEEL_RETURN_IF_ERROR(ValidateUpTo(database_->pages(), visible->state(), visible->number()));
  Lend(base_);
  base_ = visible;
  return CommitThroughQueue(options.durability);
}

absl::StatusOr<Lsn> OptimisticTransaction::CommitThroughQueue(Durability durability) {
  size_t bytes = recovery::kRecordHeadBytes;
  KEEL_RETURN_IF_ERROR(writes_.ForEachOperation([&](const Operation& operation) {
    bytes += recovery::EncodedBytes(operation);
    return absl::OkStatus();
  }));
  // By whoever leads, while this thread waits with the mutex held.
  const auto apply = [this] {
    mutex_.AssertHeld();
    return Apply();
  };
  CommitQueue::Member member(apply, durability, bytes, label());
  const absl::Duration left = limit().left();
  absl::StatusOr<Lsn> lsn = database_->CommitThroughQueue(&member, std::min(lock_timeout_, left));
  if (absl::IsDeadlineExceeded(lsn.status()) && left < lock_timeout_) return TimeExceeded();
  return lsn;
}

absl::Status OptimisticTransaction::Apply() {
  KEEL_RETURN_IF_ERROR(
      ValidateUpTo(database_->writer_pages(), database_->working(), database_->working_number()));
  return writes_.ForEachOperation(
      [this](const Operation& operation) { return database_->ApplyAndLog(operation); });
}

}  // namespace keel::engine
