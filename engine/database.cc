// Database: the public face.

#include <keel/database.h>

#include <utility>

#include "base/status.h"
#include "engine/answers.h"
#include "engine/bulk_loader_impl.h"
#include "engine/database_impl.h"
#include "engine/exclusive_transaction.h"
#include "engine/multi_get.h"
#include "engine/open.h"
#include "engine/optimistic_transaction.h"
#include "engine/snapshot_impl.h"
#include "engine/transaction_impl.h"
#include "engine/tree_cursor.h"

namespace keel {

using recovery::Operation;
using recovery::OperationKind;

namespace {

absl::Status CommitOne(Database::Impl& database, Keyspace keyspace, Operation operation,
                       const WriteOptions& options) {
  KEEL_RETURN_IF_ERROR(database.Prepare(keyspace, &operation));
  return database.CommitOperations({&operation, 1}, options).status();
}

absl::StatusOr<Transaction> BeginOptimistic(const std::shared_ptr<Database::Impl>& database,
                                            const TransactionOptions& options) {
  KEEL_ASSIGN_OR_RETURN(std::shared_ptr<engine::SharedVersion> base,
                        engine::TakeSnapshot(database, SnapshotKind::kTransaction, options.label));
  auto shared = std::make_shared<engine::OptimisticTransaction>(std::move(base), options);
  database->open_transactions().Add(shared);
  return Transaction(std::make_unique<Transaction::Impl>(std::move(shared)));
}

// An exclusive transaction, which Close and its time limit can end.
absl::StatusOr<std::shared_ptr<engine::ExclusiveTransaction>> BeginExclusive(
    const std::shared_ptr<Database::Impl>& impl, const TransactionOptions& options) {
  KEEL_RETURN_IF_ERROR(impl->Enter());
  absl::Status status = impl->AcquireWriter(options.lock_timeout, options.label);
  if (!status.ok()) {
    impl->Leave();
    return status;
  }
  auto transaction = std::make_shared<engine::ExclusiveTransaction>(impl, options);
  transaction->Start();
  impl->Leave();
  return transaction;
}

// Attempts of Transact before it takes the writer lock for the whole of one.
constexpr int kOptimisticAttempts = 4;
constexpr absl::Duration kFirstPause = absl::Microseconds(50);

enum class Ending : uint8_t {
  kFinal,
  kConflict,    // the commit lost against another one, and nothing else was wrong
  kOverMemory,  // too large for an optimistic transaction
};

absl::Status RunOnce(Database& database, absl::FunctionRef<absl::Status(Transaction&)> work,
                     const TransactionOptions& options, const WriteOptions& write_options,
                     Ending* ending) {
  *ending = Ending::kFinal;
  KEEL_ASSIGN_OR_RETURN(Transaction transaction, database.Begin(options));
  if (absl::Status status = work(transaction); !status.ok()) {
    if (engine::IsOverMemory(status)) *ending = Ending::kOverMemory;
    return status;
  }
  absl::Status status = transaction.Commit(write_options).status();
  if (absl::IsAborted(status)) *ending = Ending::kConflict;
  return status;
}

// Between half and the whole of a time that doubles, so that those who met once do not meet again.
void BackOff(Database::Impl& database, int attempt) {
  const absl::Duration most = kFirstPause * (1 << attempt);
  const double share =
      static_cast<double>(database.storage().file_system->random().Next64() >> 11) * 0x1p-53;
  database.storage().clock().Sleep(most / 2 + most / 2 * share);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::filesystem::path& directory,
                                                         const Options& options) {
  KEEL_ASSIGN_OR_RETURN(std::shared_ptr<Impl> impl, engine::OpenDatabase(directory, options));
  return std::make_unique<Database>(std::move(impl));
}

absl::StatusOr<RecoveryReport> Database::DryRunRecovery(const std::filesystem::path& directory,
                                                        const Options& options) {
  return engine::DryRunRecovery(directory, options);
}

Database::Database(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Database::~Database() {
  if (impl_ != nullptr) impl_->Close().IgnoreError();
}

absl::StatusOr<Keyspace> Database::OpenKeyspace(std::string_view name) {
  return impl_->OpenKeyspace(name);
}
absl::Status Database::DropKeyspace(std::string_view name) { return impl_->DropKeyspace(name); }
std::vector<KeyspaceInfo> Database::ListKeyspaces() const { return impl_->ListKeyspaces(); }

absl::Status Database::Put(Keyspace keyspace, std::string_view key, std::string_view value,
                           WriteOptions options) {
  Operation operation;
  operation.key = key;
  operation.value = value;
  return CommitOne(*impl_, keyspace, operation, options);
}

absl::Status Database::Delete(Keyspace keyspace, std::string_view key, WriteOptions options) {
  Operation operation;
  operation.kind = OperationKind::kDelete;
  operation.key = key;
  return CommitOne(*impl_, keyspace, operation, options);
}

absl::Status Database::DeleteRange(Keyspace keyspace, const KeyRange& range, WriteOptions options) {
  return CommitOne(*impl_, keyspace, recovery::RangeOperation(range.begin_key(), range.end_key()),
                   options);
}

absl::StatusOr<Lsn> Database::Write(const WriteBatch& batch, WriteOptions options) {
  return impl_->CommitBatch(batch, options);
}

absl::StatusOr<Lsn> Database::PutIf(Keyspace keyspace, std::string_view key,
                                    std::optional<std::string_view> expected,
                                    std::string_view value, WriteOptions options) {
  Operation operation;
  operation.key = key;
  operation.value = value;
  KEEL_RETURN_IF_ERROR(impl_->Prepare(keyspace, &operation));
  return impl_->CommitIf(keyspace, operation, expected, options);
}

absl::Status Database::Update(Keyspace keyspace, std::string_view key, Change change,
                              WriteOptions options) {
  TransactionOptions optimistic;
  optimistic.concurrency = Concurrency::kOptimistic;
  const auto work = [&](Transaction& transaction) {
    const absl::StatusOr<PinnedValue> old = transaction.Get(keyspace, key);
    if (!old.ok() && !absl::IsNotFound(old.status())) return old.status();
    std::optional<std::string_view> before;
    if (old.ok()) before = old->view();
    KEEL_ASSIGN_OR_RETURN(const std::optional<std::string> after, change(before));
    return after ? transaction.Put(keyspace, key, *after) : transaction.Delete(keyspace, key);
  };
  return Transact(work, optimistic, options);
}

Snapshot Database::GetSnapshot(std::string_view label) const {
  auto snapshot = std::make_shared<Snapshot::Impl>();
  if (impl_->InForkedChild()) return Snapshot(nullptr);  // answers FailedPrecondition
  auto version = engine::TakeSnapshot(impl_, SnapshotKind::kSnapshot, label);
  if (version.ok()) {
    snapshot->version = *std::move(version);
  } else {
    snapshot->refusal = version.status();
  }
  return Snapshot(std::move(snapshot));
}

absl::StatusOr<Transaction> Database::Begin(const TransactionOptions& options) {
  if (options.concurrency == Concurrency::kExclusive) {
    KEEL_ASSIGN_OR_RETURN(auto transaction, BeginExclusive(impl_, options));
    return Transaction(std::make_unique<Transaction::Impl>(std::move(transaction)));
  }
  KEEL_RETURN_IF_ERROR(impl_->Enter());
  absl::StatusOr<Transaction> transaction = BeginOptimistic(impl_, options);
  impl_->Leave();
  return transaction;
}

absl::StatusOr<BulkLoader> Database::NewBulkLoader(Keyspace keyspace,
                                                   const TransactionOptions& options) {
  if (options.concurrency != Concurrency::kExclusive) {
    return absl::InvalidArgumentError("a bulk load is an exclusive transaction");
  }
  KEEL_ASSIGN_OR_RETURN(auto transaction, BeginExclusive(impl_, options));
  KeyspaceId id;
  const absl::Status found = transaction->Read([&](const engine::TreeState& state, uint64_t) {
    KEEL_ASSIGN_OR_RETURN(id, impl_->Resolve(state, keyspace));
    return absl::OkStatus();
  });
  auto loader = std::make_unique<BulkLoader::Impl>(std::move(transaction), keyspace, id);
  KEEL_RETURN_IF_ERROR(found);  // the loader's end is the transaction's
  return BulkLoader(std::move(loader));
}

absl::Status Database::Transact(absl::FunctionRef<absl::Status(Transaction&)> work,
                                const TransactionOptions& options, WriteOptions write_options) {
  Ending ending = Ending::kFinal;
  if (options.concurrency == Concurrency::kOptimistic) {
    for (int attempt = 0; attempt < kOptimisticAttempts; ++attempt) {
      if (attempt > 0) BackOff(*impl_, attempt - 1);
      absl::Status status = RunOnce(*this, work, options, write_options, &ending);
      if (ending == Ending::kFinal) return status;
      if (ending == Ending::kOverMemory) break;
      KEEL_RETURN_IF_ERROR(impl_->AwaitWinner());
    }
  }
  // Alone, it cannot lose.
  TransactionOptions exclusive = options;
  exclusive.concurrency = Concurrency::kExclusive;
  return RunOnce(*this, work, exclusive, write_options, &ending);
}

// Without threads of the database the callbacks of OnDurable come at the end of the calls that make things durable.
absl::Status Database::WaitDurable(Lsn lsn) {
  absl::Status status = impl_->WaitDurable(lsn);
  impl_->RunCallbacksIfManual();
  return status;
}
absl::Status Database::Sync() {
  absl::Status status = impl_->Sync();
  impl_->RunCallbacksIfManual();
  return status;
}
Lsn Database::durable_lsn() const { return impl_->durable_lsn(); }
absl::Status Database::OnDurable(Lsn lsn, std::function<void(const absl::Status&)> callback) {
  return impl_->OnDurable(lsn, std::move(callback));
}
absl::Status Database::Checkpoint() {
  absl::Status status = impl_->Checkpoint();
  impl_->RunCallbacksIfManual();
  return status;
}
absl::Status Database::RunBackgroundWork() {
  absl::Status status = impl_->RunBackgroundWork();
  impl_->RunCallbacksIfManual();
  return status;
}
absl::StatusOr<CheckReport> Database::Check(const CheckOptions& options) const {
  return impl_->Check(options);
}
DatabaseStats Database::Stats() const { return impl_->Stats(); }
const RecoveryReport& Database::recovery_report() const { return impl_->recovery_report(); }
absl::Status Database::Close() { return impl_->Close(); }

absl::StatusOr<PinnedValue> Database::DoGet(Keyspace keyspace, std::string_view key) const {
  return impl_->Get(keyspace, key);
}

std::vector<absl::StatusOr<PinnedValue>> Database::DoMultiGet(
    Keyspace keyspace, std::span<const std::string_view> keys) const {
  if (const absl::Status usable = impl_->Usable(); !usable.ok()) {
    return engine::AllRefused(keys.size(), usable);
  }
  const engine::VersionKeeper version = impl_->KeepVisible();
  return engine::MultiGet(*impl_, version->state, keyspace, keys).Run();
}

Cursor Database::DoNewCursor(Keyspace keyspace, const KeyRange& range) const {
  if (absl::Status usable = impl_->Usable(); !usable.ok()) {
    return Cursor(std::make_unique<engine::FailedCursor>(std::move(usable)));
  }
  auto version = engine::TakeSnapshot(impl_, SnapshotKind::kCursor, {});
  if (!version.ok()) return Cursor(std::make_unique<engine::FailedCursor>(version.status()));
  return Cursor(std::make_unique<engine::TreeCursor>(*std::move(version), keyspace, range));
}

absl::StatusOr<uint64_t> Database::DoCount(Keyspace keyspace, const KeyRange& range) const {
  KEEL_RETURN_IF_ERROR(impl_->Usable());
  const engine::VersionKeeper version = impl_->KeepVisible();
  return impl_->CountAt(version->state, impl_->pages(), keyspace, range);
}

}  // namespace keel
