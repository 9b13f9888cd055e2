#include "engine/database_impl.h"

#include <absl/cleanup/cleanup.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"
#include "btree/tree_check.h"
#include "engine/access.h"
#include "engine/exclusive_transaction.h"
#include "engine/fork_guard.h"
#include "engine/redo_read_ahead.h"
#include "engine/redo_write_ahead.h"
#include "recovery/record_table.h"

namespace keel {

using engine::TreeState;
using engine::Version;
using recovery::Operation;
using recovery::OperationKind;

namespace {

// Transactions repeated before a version of them is published: bounds what one epoch's pages pin down.
constexpr uint64_t kRedoBatch = 50'000;
// Of redo, pages of one epoch, which cannot be written before it is over.
constexpr size_t kRedoMutablePages = 1024;
// Operations of redo after which there may be something to write.
constexpr size_t kRedoWriteEvery = 256;
// Of the frames: leaves that are read ahead of a batch.
constexpr size_t kRedoReadShare = 2;
// A transaction's records are gathered in at most this part of the memory budget.
constexpr size_t kMemoryShareOfTransaction = 16;
// The sets of all optimistic transactions together, likewise.
constexpr size_t kMemoryShareOfOptimistic = 16;
// Records of commits that are applied together.
constexpr size_t kGroupBytesMax = size_t{1} << 20;

// Trees up to this size are checked at each commit of a paranoid build, larger ones now and then.
constexpr uint64_t kParanoidEntries = 1000;
constexpr uint64_t kParanoidRare = 512;

absl::Status OfTheParent() {
  return absl::FailedPreconditionError(
      "the database was opened by the parent of this process; open it anew");
}

absl::Status Closed() { return absl::FailedPreconditionError("the database is closed"); }

bool IsPut(const Operation& operation) { return operation.kind == OperationKind::kPut; }

std::shared_ptr<const Version> MakeVersion(Epoch epoch, Lsn lsn, CommitNumber number,
                                           const TreeState& state) {
  return std::make_shared<const Version>(epoch, lsn, number, state);
}

}  // namespace

// --- making ---

Database::Impl::Impl(const Options& options, std::unique_ptr<engine::Storage> storage,
                     const std::shared_ptr<const Version>& checkpoint,
                     std::vector<PageId> catalogue_pages)
    : options_(options),
      process_(engine::ForkGeneration()),
      tag_(storage->file_system->random().Next64() | 1),
      storage_(std::move(storage)),
      optimistic_share_(options_.memory_bytes / kMemoryShareOfOptimistic),
      gated_pages_(this),
      registry_(checkpoint, storage_->cache.get(), storage_->guards.get()),
      writer_lock_(&storage_->clock()),
      commit_history_(checkpoint->number),
      open_snapshots_(options_.snapshots.count_max),
      working_(checkpoint->state),
      applier_(storage_->session.get(), &working_),
      working_number_(checkpoint->number),
      working_lsn_(checkpoint->lsn),
      checkpointer_(storage_.get(), &registry_, std::move(catalogue_pages)),
      health_(options.listener, options.read_only),
      health_watch_(&health_) {
  storage_->session->set_keepers([this] { return registry_.Keepers(); });
  // Nobody reads yet, but a batch of redo may be taken back.
  storage_->session->set_holder_of([](Epoch) { return pager::Reclaimer::Holder::kUnread; });
  // Redo ends with free pages to spare, or with those that only deletes may use.
  applier_.set_space_for_puts(pager::SpaceUse::kDelete);
}

Database::Impl::~Impl() { background_.reset(); }

absl::Status Database::Impl::Apply(const Operation& operation) {
  // As many as who wrote the log could have had; a hostile log has any number.
  if (operation.kind == OperationKind::kSavepoint && applier_.savepoints() >= savepoints_max()) {
    return MakeStatus(
        absl::StatusCode::kResourceExhausted,
        "a transaction in the log has more than %d savepoints, one for each 16 KiB of "
        "Options::memory_bytes: raise that",
        savepoints_max());
  }
  return applier_.Apply(operation);
}

absl::Status Database::Impl::Commit(CommitNumber number, Lsn end) {
  working_number_ = number;
  working_lsn_ = end;
  // What is replaced behind a savepoint's mark is kept, also by the transactions that come next, until it is published.
  const bool marked = applier_.savepoints() > 0;
  applier_.ForgetSavepoints();
  // Short of space, pages that this transaction replaced must be there for the next one, as they were before the crash.
  if (++redone_ >= kRedoBatch || marked || storage_->space->BelowReserve()) FinishRedo();
  return absl::OkStatus();
}

// A version before and one behind: so a batch that fails can be taken back.
absl::Status Database::Impl::ApplyTogether(std::span<const Operation> operations,
                                           CommitNumber number, Lsn end) {
  FinishRedo();
  // Then each transaction has to find the pages that the one before has given back.
  if (storage_->space->BelowReserve()) return absl::ResourceExhaustedError("short of space");
  if (absl::Status status = ApplyInOrder(operations); !status.ok()) {
    RestoreWorking();
    return status;
  }
  working_number_ = number;
  working_lsn_ = end;
  redone_ = 1;
  ++redo_batches_;
  FinishRedo();
  return absl::OkStatus();
}

// In whatever order, since of each key there is one operation. Leaves are read ahead of it, and what it has made is
// written behind it; the frames of what it takes the place of are those of what it makes next. With kManual no threads
// are wanted, and everything happens in the order of keys.
absl::Status Database::Impl::ApplyInOrder(std::span<const Operation> operations) {
  pager::WriteSession& session = *storage_->session;
  engine::RedoReadAhead read_ahead(storage_->cache.get());
  engine::RedoWriteAhead write_ahead(storage_->cache.get());
  std::vector<std::span<const Operation>> order = {operations};
  if (options_.background == keel::Background::kThreads) {
    order = read_ahead.Start(operations, working_, storage_->cache->frames() / kRedoReadShare);
    if (!options_.read_only) write_ahead.Start();
  }
  const pager::WriteSession::Superseding superseding(&session, true);
  const size_t mutable_max = session.mutable_pages_max();
  const absl::Cleanup restore = [&] { session.set_mutable_pages_max(mutable_max); };
  session.set_mutable_pages_max(std::min(mutable_max, kRedoMutablePages));
  size_t applied = 0;
  for (const std::span<const Operation> some : order) {
    for (const Operation& operation : some) KEEL_RETURN_IF_ERROR(applier_.Apply(operation));
    applied += some.size();
    if (applied < kRedoWriteEvery) continue;
    applied = 0;
    write_ahead.Wake();
  }
  return absl::OkStatus();
}

void Database::Impl::FinishRedo() {
  if (redone_ == 0) return;
  redone_ = 0;
  PublishWorking();
  registry_.AdvanceVisible(working_lsn_);
  while (registry_.Reclaim(kRedoBatch) > 0) {
  }
}

absl::Status Database::Impl::Start(std::unique_ptr<wal::LogWriter> log, RecoveryReport* report) {
  storage_->log = std::move(log);
  storage_->session->set_holder_of([this](Epoch birth) { return registry_.HolderOf(birth); });
  applier_.set_space_for_puts(pager::SpaceUse::kOrdinary);
  transaction_log_ =
      std::make_unique<engine::TransactionLog>(storage_->log.get(), options_.checkpoint_log_bytes,
                                               options_.memory_bytes / kMemoryShareOfTransaction,
                                               [this] { return MakeRoom(Shortage::kLog); });
  commit_queue_.emplace(&storage_->clock(),
                        std::min(kGroupBytesMax, transaction_log_->record_bytes_max()));
  const absl::Duration begin = storage_->clock().Now();
  KEEL_RETURN_IF_ERROR(RunCheckpoint(/*clean=*/false));
  report->checkpoint_time = storage_->clock().Now() - begin;
  report->pages_written = storage_->cache->stats().pages_written;
  if (options_.background == keel::Background::kManual) {
    while (storage_->log->ProbeFlushMethod().value_or(false)) {
    }
    KEEL_RETURN_IF_ERROR(storage_->log->failure());
  }
  background_ = std::make_unique<engine::Background>(this);
  background_->Start();
  return absl::OkStatus();
}

// --- calls ---

absl::Status Database::Impl::Enter() {
  if (InForkedChild()) return OfTheParent();
  return gate_.Enter() ? absl::OkStatus() : Closed();
}

bool Database::Impl::InForkedChild() const { return engine::ForkGeneration() != process_; }

absl::Status Database::Impl::Usable() const {
  if (InForkedChild()) return OfTheParent();
  return gate_.open() ? absl::OkStatus() : Closed();
}

// --- the writer ---

absl::Status Database::Impl::AcquireWriter(absl::Duration timeout, std::string_view label,
                                           engine::WriterLock::Use use) {
  KEEL_RETURN_IF_ERROR(CheckCommitsTaken());
  KEEL_RETURN_IF_ERROR(writer_lock_.Acquire(timeout, label, use));
  KEEL_RETURN_IF_ERROR(BeginWriting(label));
  // A transaction that is rolled back goes back to what is published.
  if (use == engine::WriterLock::Use::kTransaction) PublishCommits();
  return absl::OkStatus();
}

absl::Status Database::Impl::BeginWriting(std::string_view label) {
  absl::Status status = CheckCommitsTaken();
  if (status.ok()) status = WaitForLogRoom();
  if (!status.ok()) {
    writer_lock_.Release();
    return status;
  }
  transaction_log_->Begin(CommitNumber{working_number_.value + 1});
  has_puts_ = false;
  writer_label_ = label;
  return absl::OkStatus();
}

void Database::Impl::ReleaseWriter() { writer_lock_.Release(); }

uint64_t Database::Impl::log_bytes_since_checkpoint() const {
  const uint64_t end = storage_->log->end().value;
  const uint64_t begin = checkpointer_.lsn().value;
  return end > begin ? end - begin : 0;
}

absl::Status Database::Impl::ApplyAndLog(const Operation& operation) {
  if (unpublished_ways_ != Ways::kPublish) return ChangeOrGather(operation);
  KEEL_RETURN_IF_ERROR(transaction_log_->failure());
  // The log's room before the change: a change that cannot be logged must not be made.
  absl::Status status = MakeLoggable(operation);
  if (status.ok()) status = transaction_log_->Prepare(operation);
  if (!status.ok()) return ExplainFailure(status);
  status = applier_.Apply(operation);
  if (IsDiskFull(status) && MakeRoom(Shortage::kPages)) status = applier_.Apply(operation);
  if (status.ok()) status = transaction_log_->Add(operation);
  has_puts_ |= status.ok() && operation.kind == OperationKind::kPut;
  return ExplainFailure(status);
}

void Database::Impl::RestoreWorking() {
  KEEL_CHECK(!unpublished_.load(std::memory_order_relaxed));  // U2
  const std::shared_ptr<const Version> base = registry_.Newest();
  applier_.Rollback(base->state);
}

void Database::Impl::RollbackWriter() {
  AbandonWriter();
  writer_lock_.Release();
}

void Database::Impl::AbandonWriter() {
  StopOnFailure();
  RestoreWorking();
  if (const std::optional<Lsn> end = transaction_log_->Abandon(); end.has_value()) {
    // A version with nothing new in it, behind the stream, lets the next checkpoint cut the stream off.
    working_lsn_ = *end;
    PublishWorking();
  }
}

void Database::Impl::PublishWorking() {
  applier_.ForgetSavepoints();
  pager::WriteSession::Publication publication = storage_->session->Publish();
  // First known, then seen: who loses against it will ask.
  commit_history_.Add(working_number_, working_lsn_, publication.epoch, Now(), writer_label_);
  quiet_commits_.fetch_add(1, std::memory_order_relaxed);
  registry_.Publish(MakeVersion(publication.epoch, working_lsn_, working_number_, working_),
                    std::move(publication.deaths));
}

absl::StatusOr<Lsn> Database::Impl::PublishWriter() {
  KEEL_RETURN_IF_ERROR(storage_->space->failed_sync());
  KEEL_RETURN_IF_ERROR(ExplainFailure(transaction_log_->ReserveCommit()));
  if constexpr (kParanoid) KEEL_RETURN_IF_ERROR(ParanoidCheck());
  KEEL_ASSIGN_OR_RETURN(const Lsn lsn, transaction_log_->Commit());
  ++working_number_.value;
  working_lsn_ = lsn;
  PublishWorking();
  NotePutsTaken();
  return lsn;
}

void Database::Impl::NotePutsTaken() {
  if (has_puts_ && writes_refused_.load(std::memory_order_relaxed)) writes_refused_.store(false);
}

absl::StatusOr<Lsn> Database::Impl::CommitWriter(const WriteOptions& options) {
  if (transaction_log_->stopped()) {
    absl::StatusOr<Lsn> lsn = CommitByCheckpoint();
    writer_lock_.Release();
    return lsn;
  }
  if (transaction_log_->empty()) {
    const Lsn base = working_lsn_;  // what it read may be newer than what is durable
    writer_lock_.Release();
    KEEL_RETURN_IF_ERROR(FinishReading(base, options.durability));
    return base;
  }
  absl::StatusOr<Lsn> lsn = PublishWriter();
  if (!lsn.ok()) {
    RollbackWriter();
    return lsn.status();
  }
  writer_lock_.Release();
  KEEL_RETURN_IF_ERROR(FinishCommit(*lsn, options.durability));
  return lsn;
}

absl::Status Database::Impl::FinishCommit(Lsn lsn, Durability durability, uint32_t commits) {
  if (durability == Durability::kSync) {
    absl::Status status = FlushThrough(lsn, commits);
    background_->NoteCommit();
    if (!status.ok()) status = AfterFailedFlush(lsn);
    return status;
  }
  StopOnFailure();
  if (!registry_.AdvanceUndurable(lsn)) return StoppedOnTheWay();
  return FinishUndurable(lsn, durability);
}

absl::Status Database::Impl::FinishUndurable(Lsn lsn, Durability durability) {
  if (!CheckRunning().ok()) return StoppedOnTheWay();
  if (durability == Durability::kNone) return absl::OkStatus();
  if (LagsTooFar(lsn)) {
    async_waits_.fetch_add(1, std::memory_order_relaxed);
    return FlushThrough(lsn).ok() ? absl::OkStatus() : StoppedOnTheWay();  // it has been seen
  }
  background_->NoteAsync(lsn);
  return absl::OkStatus();
}

absl::Status Database::Impl::StoppedOnTheWay() const {
  return MakeStatus(absl::StatusCode::kUnknown,
                    "the database stopped while this commit was on its way: %s",
                    MessageOf(CheckRunning()));
}

absl::Status Database::Impl::FinishReading(Lsn base, Durability durability) {
  if (options_.read_only) return absl::OkStatus();
  if (const Lsn durable = storage_->log->durable(); base <= durable) {
    registry_.AdvanceVisible(durable);  // whoever flushed it may be about to
    return absl::OkStatus();
  }
  if (FinishCommit(base, durability).ok()) return absl::OkStatus();
  // Unknown is the outcome of what was read; of this one nothing is in the log.
  return CheckRunning();
}

absl::Status Database::Impl::AwaitWinner() {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  const Lsn newest = registry_.Newest()->lsn;
  if (registry_.Visible()->lsn >= newest || FlushThrough(newest).ok()) return absl::OkStatus();
  return CheckRunning();  // Unknown is the outcome of the commit that won
}

absl::Status Database::Impl::FlushThrough(Lsn lsn, uint32_t commits) {
  // A version that recovery brought back, or a checkpoint's, lies below this log.
  if (lsn <= storage_->log->start().lsn) return absl::OkStatus();
  if (absl::Status status = storage_->log->Flush(lsn, commits); !status.ok()) {
    Stop(status);
    return status;
  }
  registry_.AdvanceVisible(storage_->log->durable());
  NoteDurable();
  return absl::OkStatus();
}

// --- autocommit ---

absl::Status Database::Impl::Prepare(Keyspace keyspace, Operation* operation) const {
  const uint64_t database = KeyspaceAccess::Database(keyspace);
  if (database != 0 && database != tag_) {
    return absl::InvalidArgumentError("the keyspace handle belongs to another database");
  }
  operation->keyspace = KeyspaceAccess::Id(keyspace);
  const size_t limit = btree::MaxKeyBytes(storage_->cache->page_bytes());
  if (operation->kind != OperationKind::kDeleteRange && operation->key.size() > limit) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "the key \"%s\" has %d bytes; at most %d are allowed",
                      Printable(operation->key, 32), operation->key.size(), limit);
  }
  if (operation->kind == OperationKind::kPut && operation->value.size() > kMaxValueBytes) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "the value of key \"%s\" has %d bytes; at most %d are allowed",
                      Printable(operation->key, 32), operation->value.size(), kMaxValueBytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<Lsn> Database::Impl::CommitOperations(std::span<const Operation> operations,
                                                     const WriteOptions& options) {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  ReadBeforehand(operations);
  FetchBeforehand(operations, options.durability);
  const auto apply = [&] {
    for (const Operation& operation : operations) KEEL_RETURN_IF_ERROR(ApplyAndLog(operation));
    return absl::OkStatus();
  };
  size_t bytes = recovery::kRecordHeadBytes;
  for (const Operation& operation : operations) bytes += recovery::EncodedBytes(operation);
  engine::CommitQueue::Member member(apply, options.durability, bytes, "a single write");
  if (operations.size() == 1) member.set_one_change();
  if (operations.size() > 1 && std::ranges::all_of(operations, IsPut)) member.set_puts_only();
  return CommitThroughQueue(&member, absl::InfiniteDuration());
}

absl::Status Database::Impl::Expect(Keyspace keyspace, std::string_view key,
                                    std::optional<std::string_view> expected) {
  // A missing keyspace is an error here, a missing key an answer.
  KEEL_RETURN_IF_ERROR(Resolve(working_, keyspace).status());
  const absl::StatusOr<PinnedValue> value = GetAt(working_, writer_pages(), keyspace, key);
  if (absl::IsNotFound(value.status())) {
    if (!expected) return absl::OkStatus();
    return MakeStatus(absl::StatusCode::kAborted, "key \"%s\" is absent", Printable(key, 64));
  }
  KEEL_RETURN_IF_ERROR(value.status());
  if (expected && value->view() == *expected) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kAborted, "key \"%s\" has %s", Printable(key, 64),
                    expected ? "another value" : "a value");
}

absl::StatusOr<Lsn> Database::Impl::CommitIf(Keyspace keyspace, const Operation& operation,
                                             std::optional<std::string_view> expected,
                                             const WriteOptions& options) {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  ReadBeforehand({&operation, 1});
  const auto apply = [&] {
    KEEL_RETURN_IF_ERROR(Expect(keyspace, operation.key, expected));
    return ApplyAndLog(operation);
  };
  engine::CommitQueue::Member member(apply, options.durability,
                                     recovery::kRecordHeadBytes + recovery::EncodedBytes(operation),
                                     "a compare and set");
  member.set_one_change();
  return CommitThroughQueue(&member, absl::InfiniteDuration());
}

absl::StatusOr<Lsn> Database::Impl::CommitBatch(const WriteBatch& batch,
                                                const WriteOptions& options) {
  std::vector<Operation> operations;
  operations.reserve(batch.size());
  KEEL_RETURN_IF_ERROR(WriteBatchAccess::Decode(batch, [&](Keyspace keyspace, Operation operation) {
    KEEL_RETURN_IF_ERROR(Prepare(keyspace, &operation));
    operations.push_back(operation);
    return absl::OkStatus();
  }));
  return CommitOperations(operations, options);
}

absl::StatusOr<Keyspace> Database::Impl::OpenKeyspace(std::string_view name) {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  if (name.empty() || name.size() > kMaxKeyspaceNameBytes) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "a keyspace's name has 1 to %d bytes, this one %d", kMaxKeyspaceNameBytes,
                      name.size());
  }
  // One that nobody sees yet is waited for below, by a commit without changes.
  const std::shared_ptr<const engine::Version> visible = registry_.Visible();
  const auto known = visible->state.names->Find(name);
  if (known) {
    // Made by a commit that others have made visible, perhaps, and that is not durable yet. Where it never will be, the
    // database has stopped; what is visible can be read all the same.
    FinishReading(visible->lsn, Durability::kSync).IgnoreError();
    return KeyspaceAccess::Make(*known, tag_);
  }
  if (options_.read_only) {
    return MakeStatus(absl::StatusCode::kNotFound, "there is no keyspace \"%s\"", Printable(name));
  }
  KEEL_RETURN_IF_ERROR(AcquireWriter(absl::InfiniteDuration(), "opening a keyspace"));
  std::optional<KeyspaceId> id = working_.names->Find(name);
  absl::Status status;
  if (!id && working_.names->next() == engine::kLastKeyspace) {
    status = absl::ResourceExhaustedError("there are no more ids for keyspaces");
  } else if (!id) {
    id = working_.names->next();
    Operation operation;
    operation.kind = OperationKind::kCreateKeyspace;
    operation.keyspace = *id;
    operation.key = name;
    status = ApplyAndLog(operation);
  }
  if (!status.ok()) {
    RollbackWriter();
    return status;
  }
  KEEL_RETURN_IF_ERROR(CommitWriter({}).status());
  return KeyspaceAccess::Make(*id, tag_);
}

absl::Status Database::Impl::DropKeyspace(std::string_view name) {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  if (name == engine::kDefaultKeyspaceName) {
    return absl::InvalidArgumentError("the default keyspace cannot be dropped; delete its keys");
  }
  KEEL_RETURN_IF_ERROR(AcquireWriter(absl::InfiniteDuration(), "dropping a keyspace"));
  const std::optional<KeyspaceId> id = working_.names->Find(name);
  absl::Status status = absl::OkStatus();
  if (!id) {
    status =
        MakeStatus(absl::StatusCode::kNotFound, "there is no keyspace \"%s\"", Printable(name));
  } else {
    Operation operation;
    operation.kind = OperationKind::kDropKeyspace;
    operation.keyspace = *id;
    status = ApplyAndLog(operation);
  }
  const Lsn met = working_lsn_;
  if (!status.ok()) {
    RollbackWriter();
    // That there is none is told once its drop is durable.
    if (absl::IsNotFound(status)) KEEL_RETURN_IF_ERROR(FinishReading(met, Durability::kSync));
    return status;
  }
  return CommitWriter({}).status();
}

// --- durability ---

absl::Status Database::Impl::WaitDurable(Lsn lsn) {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  if (options_.read_only) return absl::OkStatus();  // everything it shows is on disk
  KEEL_RETURN_IF_ERROR(CheckWithinLog(lsn));
  return FlushThrough(lsn);
}

absl::Status Database::Impl::CheckWithinLog(Lsn lsn) const {
  const Lsn end = storage_->log->end();
  if (lsn <= end) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    "LSN %d lies beyond the last commit, which ends at %d", lsn.value, end.value);
}

absl::Status Database::Impl::Sync() {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  if (options_.read_only) return absl::OkStatus();
  return FlushThrough(storage_->log->end());
}

Lsn Database::Impl::durable_lsn() const {
  if (options_.read_only) return registry_.Visible()->lsn;
  const Call call(const_cast<Impl*>(this));
  if (call.status().ok()) TellDurable(storage_->log->durable());
  return std::max(Lsn{durable_told_.load(std::memory_order_acquire)}, checkpointer_.lsn());
}

void Database::Impl::TellDurable(Lsn lsn) const {
  uint64_t told = durable_told_.load(std::memory_order_relaxed);
  while (told < lsn.value && !durable_told_.compare_exchange_weak(told, lsn.value)) {
  }
}

absl::Status Database::Impl::Checkpoint() {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  KEEL_RETURN_IF_ERROR(CheckRunning());
  return RunCheckpoint(/*clean=*/false);
}

absl::Status Database::Impl::RunBackgroundWork() {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  // What keeps others from memory and space is of no more use when commits are refused.
  EndOverdueTransactions();
  LookAtSnapshots();
  KEEL_RETURN_IF_ERROR(CheckRunning());
  return background_->RunOnce();
}

// --- closing ---

void Database::Impl::SetTransaction(
    const std::shared_ptr<engine::ExclusiveTransaction>& transaction) {
  absl::MutexLock lock(&transaction_mutex_);
  transaction_ = transaction;
}

void Database::Impl::ForgetTransaction(const engine::ExclusiveTransaction* transaction) {
  absl::MutexLock lock(&transaction_mutex_);
  // Once it has let go of the writer lock another one may stand here.
  if (transaction_.lock().get() == transaction) transaction_.reset();
}

void Database::Impl::EndTransaction(const absl::Status& reason) {
  std::shared_ptr<engine::ExclusiveTransaction> transaction;
  {
    absl::MutexLock lock(&transaction_mutex_);
    transaction = transaction_.lock();
  }
  if (transaction != nullptr) transaction->End(reason);
}

absl::Status Database::Impl::Close() {
  if (InForkedChild()) return OfTheParent();
  if (durable_callbacks_.RunsHere()) {
    return absl::FailedPreconditionError("a callback of OnDurable must not close the database");
  }
  if (!gate_.Close()) return Closed();
  EndTransaction(Closed());
  writer_lock_.Fail(Closed());
  while (!gate_.Empty()) storage_->clock().Sleep(absl::Microseconds(100));
  // A Begin that was under way when the gate closed may have made one more.
  EndTransaction(Closed());
  return CloseStorage();
}

absl::Status Database::Impl::CloseStorage() {
  if (background_ != nullptr) background_->Stop();
  absl::Status status = absl::OkStatus();
  if (!options_.read_only) {
    status = CheckRunning();
    if (status.ok()) status = FlushThrough(working_lsn_);
    if (status.ok()) {
      registry_.AdvanceVisible(working_lsn_);
      status = RunCheckpoint(/*clean=*/true);
    }
    EndCallbacks();
    storage_->log.reset();
  }
  storage_->data_file->Unlock();
  return status;
}

// --- reading through a gate ---

uint32_t Database::Impl::GatedPages::page_bytes() const {
  return impl_->storage_->cache->page_bytes();
}

absl::StatusOr<pager::PageHandle> Database::Impl::GatedPages::Pin(const pager::PageWant& want) {
  const Call call(impl_);
  KEEL_RETURN_IF_ERROR(call.status());
  return impl_->storage_->cache->Pin(want);
}

absl::Status Database::Impl::GatedPages::ReadRaw(PageId first, std::span<std::byte> buffer) {
  const Call call(impl_);
  KEEL_RETURN_IF_ERROR(call.status());
  return impl_->storage_->cache->ReadRaw(first, buffer);
}

uint64_t Database::Impl::GatedPages::RawSeed(PageId id) const {
  return impl_->storage_->cache->RawSeed(id);
}

// The whole working state, before each commit (style: expensive checks behind one build option).
absl::Status Database::Impl::ParanoidCheck() {
  const auto ignore = [](PageId, uint64_t, Epoch) { return absl::OkStatus(); };
  for (const auto& [id, name] : working_.names->names()) {
    const KeyspaceId keyspace{id};
    const uint64_t entries = working_.roots.Get(keyspace).reference.entries;
    if (entries > kParanoidEntries && working_number_.value % kParanoidRare != 0) continue;
    btree::TreeCheckReport report;
    const btree::TreeCheckOptions options{
        .read_extents = false, .max_damages = 1, .on_page = ignore};
    KEEL_RETURN_IF_ERROR(btree::CheckTree(*storage_->session, keyspace,
                                          working_.roots.Get(keyspace), options, &report));
    if (!report.damages.empty()) {
      return MakeStatus(absl::StatusCode::kDataLoss, "keyspace \"%s\", page %d: %s", name,
                        report.damages[0].page.value, report.damages[0].problem);
    }
  }
  return absl::OkStatus();
}

}  // namespace keel
