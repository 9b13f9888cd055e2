// The database: what every handle shares, and the recipes for reading and committing.
//
// A commit, in this order, and why no step may move:
//   1  take the writer lock, check health, make room in the log      nothing that follows meets a full disk
//   2  apply to new pages                                            a failure here is a plain rollback
//   3  append the record to the log                                  from here on it is OK or Unknown
//   4  publish the version, raise the epoch (R2)                     the next writer builds on it
//   5  release the writer lock                                       the next commit joins the next flush
//   6  flush                                                         durable
//   7  move the visible version                                      only durable state is seen (kSync)
//   8  answer
// A transaction that the log cannot take commits by a checkpoint: engine/checkpoint_commit.cc.
//
// D1  Lock order: a transaction's > writer > checkpoint > latch > registry > allocator > frame; no transaction's is waited for
//     by who holds another one's, or the writer lock. Those of the lists of open transactions and snapshots are leaves.
//     No lock is held while user code runs.
// D2  Once bytes were handed to the log a transaction is never reported as aborted: OK or Unknown.
// D3  After a failed flush the visible version stays where it is until reopened (G4).
// D4  After Close handles give FailedPrecondition; memory goes with the last of them.

#ifndef KEEL_ENGINE_DATABASE_IMPL_H_
#define KEEL_ENGINE_DATABASE_IMPL_H_

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <keel/database.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btree/lookup.h"
#include "btree/tree.h"
#include "engine/applier.h"
#include "engine/background.h"
#include "engine/call_gate.h"
#include "engine/checkpointer.h"
#include "engine/commit_history.h"
#include "engine/commit_queue.h"
#include "engine/durable_callbacks.h"
#include "engine/fork_guard.h"
#include "engine/health.h"
#include "engine/health_watch.h"
#include "engine/memory_share.h"
#include "engine/open_snapshots.h"
#include "engine/open_transactions.h"
#include "engine/retry_pause.h"
#include "engine/storage.h"
#include "engine/transaction_log.h"
#include "engine/version_registry.h"
#include "engine/working_roots.h"
#include "engine/writer_lock.h"
#include "recovery/redo.h"

namespace keel {

namespace engine {
class ExclusiveTransaction;
}  // namespace engine

class Database::Impl final : public std::enable_shared_from_this<Database::Impl>,
                             public recovery::RedoTarget {
 public:
  // --- making (engine/open.cc) ---

  // Shows the checkpoint that was found; nothing is served yet.
  Impl(const Options& options, std::unique_ptr<engine::Storage> storage,
       const std::shared_ptr<const engine::Version>& checkpoint,
       std::vector<PageId> catalogue_pages);
  ~Impl() override;

  // RedoTarget: repeats the log. Versions are published in batches, since nobody looks yet.
  absl::Status Apply(const recovery::Operation& operation) override;
  absl::Status Commit(CommitNumber number, Lsn end) override;
  absl::Status ApplyTogether(std::span<const recovery::Operation> operations, CommitNumber number,
                             Lsn end) override;
  absl::Status ApplyInOrder(std::span<const recovery::Operation> operations);
  // That ApplyTogether has taken.
  uint64_t redo_batches() const { return redo_batches_; }
  // Ends redo: what was repeated is visible.
  void FinishRedo();
  // The fresh log is there: the checkpoint that ends recovery, then commits are accepted.
  absl::Status Start(std::unique_ptr<wal::LogWriter> log, RecoveryReport* report);
  void SetReport(const RecoveryReport& report) { report_ = report; }

  // --- reading ---

  absl::StatusOr<PinnedValue> Get(Keyspace keyspace, std::string_view key);
  // The visible state is taken to be `state`, which is kept.
  absl::StatusOr<PinnedValue> GetFrom(const engine::TreeState& state, Keyspace keyspace,
                                      std::string_view key);
  absl::StatusOr<PinnedValue> GetAt(const engine::TreeState& state, pager::PageSource& pages,
                                    Keyspace keyspace, std::string_view key);
  // Pages that were not in memory a moment ago: PageCache::PinTogether, as long as the database is open.
  void PinTogether(pager::PageCache::MoreWants more, pager::PageCache::TakePage take);
  absl::StatusOr<uint64_t> CountAt(const engine::TreeState& state, pager::PageSource& pages,
                                   Keyspace keyspace, const KeyRange& range);
  // The value in a slot, pinned or copied; a large one is read.
  absl::StatusOr<PinnedValue> Materialize(pager::PageSource& pages, pager::PageHandle leaf,
                                          const btree::ValueSlot& slot);
  engine::VersionKeeper KeepVisible();
  // How a lookup in memory alone ended.
  enum class Resident : uint8_t {
    kAnswered,  // the value, or that there is none
    kPinned,    // the leaf is pinned: Materialize makes the value
    kNo,        // something is not in memory, large or damaged: GetAt goes the long way
    kMoved,     // pages were changed or published meanwhile: to be looked at in another way
  };
  // REQUIRES: a guard, and a state that it protects, or that is kept.
  // Without `pinned` nothing is: a value of more than kInlineBytes then goes the long way.
  Resident LookInKeyspace(const engine::TreeState& state, Keyspace keyspace, std::string_view key,
                          absl::StatusOr<PinnedValue>* value, btree::Found* pinned);
  // What is visible, if that can be had without a latch. Enters a guard.
  Resident LookInVisible(Keyspace keyspace, std::string_view key,
                         absl::StatusOr<PinnedValue>* value, btree::Found* pinned);
  // As of the last commit, while no version has it (engine/unpublished_reads.cc): without the latch, in a guard of its
  // own, or under it; there kMoved tells that it has been published.
  Resident LookAmongChanges(Keyspace keyspace, std::string_view key,
                            absl::StatusOr<PinnedValue>* value, btree::Found* pinned);
  Resident LookInUnpublished(Keyspace keyspace, std::string_view key,
                             absl::StatusOr<PinnedValue>* value)
      ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  Resident LookIn(const engine::TreeState& state, KeyspaceId keyspace, std::string_view key,
                  absl::StatusOr<PinnedValue>* value, btree::Found* pinned);
  // What a lookup in a guard has found, likewise.
  Resident Take(const btree::LookupResult& found, KeyspaceId keyspace,
                absl::StatusOr<PinnedValue>* value, btree::Found* pinned);
  // Parts of LookAmongChanges: one attempt; whose pages it copies; a value in such a copy.
  Resident LookOnceAmongChanges(KeyspaceId keyspace, std::string_view key,
                                absl::StatusOr<PinnedValue>* value, btree::Found* pinned);
  std::optional<KeyspaceId> CopiedKeyspace(Keyspace keyspace) const;
  static Resident TakeCopy(const btree::ValueSlot& found, absl::StatusOr<PinnedValue>* value,
                           bool wants_long);
  absl::StatusOr<KeyspaceId> Resolve(const engine::TreeState& state, Keyspace keyspace) const;
  std::vector<KeyspaceInfo> ListKeyspaces();
  absl::StatusOr<CheckReport> Check(const CheckOptions& options);

  // --- writing: autocommit ---

  absl::StatusOr<Keyspace> OpenKeyspace(std::string_view name);
  absl::Status DropKeyspace(std::string_view name);
  // Applies the operations of one transaction; views stay good during the call.
  absl::StatusOr<Lsn> CommitOperations(std::span<const recovery::Operation> operations,
                                       const WriteOptions& options);
  // Reads, without the writer lock, the pages that are going to be changed, if the database is larger than the memory.
  void ReadBeforehand(std::span<const recovery::Operation> operations);
  // Has what is in memory of them fetched into the processor's caches while others have the writer lock.
  void FetchBeforehand(std::span<const recovery::Operation> operations, Durability durability);
  // False: a page of the way to its key is not.
  bool IsInMemory(const recovery::Operation& operation);
  // Applies the operation if its key has the value `expected`, or, without one, is absent; else Aborted.
  absl::StatusOr<Lsn> CommitIf(Keyspace keyspace, const recovery::Operation& operation,
                               std::optional<std::string_view> expected,
                               const WriteOptions& options);
  absl::StatusOr<Lsn> CommitBatch(const WriteBatch& batch, const WriteOptions& options);
  // Checks an operation's keyspace handle and sizes, and fills in the keyspace's id.
  absl::Status Prepare(Keyspace keyspace, recovery::Operation* operation) const;

  // --- writing: the pieces, for transactions (the writer lock is held between Acquire and Release) ---

  // A commit by whoever leads the queue (engine/group_commit.cc). Waits at most `timeout` for the writer lock.
  absl::StatusOr<Lsn> CommitThroughQueue(engine::CommitQueue::Member* member,
                                         absl::Duration timeout);
  absl::Status AcquireWriter(absl::Duration timeout, std::string_view label,
                             engine::WriterLock::Use use = engine::WriterLock::Use::kTransaction);
  // What else a holder of the writer lock needs. Releases it on failure.
  absl::Status BeginWriting(std::string_view label);
  void ReleaseWriter();
  engine::WriterLock& writer_lock() { return writer_lock_; }
  // What the running transaction has built so far.
  engine::TreeState& working() { return working_; }
  // Of the last commit that it stands on, those before it in its group among them.
  CommitNumber working_number() const {
    return CommitNumber{working_number_.value + transaction_log_->kept()};
  }
  engine::Applier& applier() { return applier_; }
  engine::TransactionLog& transaction_log() { return *transaction_log_; }
  pager::PageSource& writer_pages() { return *storage_->session; }
  pager::PageSink& writer_sink() { return *storage_->session; }
  absl::Status ApplyAndLog(const recovery::Operation& operation);
  // Stops logging, and runs `change` on what the transaction builds; once more if a full disk got room meanwhile.
  // REQUIRES: when that fails all is as it was, or it may be repeated.
  absl::Status ApplyUnlogged(absl::FunctionRef<absl::Status()> change);
  // Before an operation is logged: stops logging if the log cannot take it.
  absl::Status MakeLoggable(const recovery::Operation& operation);
  // The running transaction is not logged from here on: its commit will be a checkpoint, however much it changes.
  // What it has streamed ends in the log as rolled back. An error leaves it fit only for RollbackWriter.
  absl::Status StopLogging();
  // Steps 3 to 8, or after StopLogging those of checkpoint_commit.cc; releases the writer lock on every path.
  absl::StatusOr<Lsn> CommitWriter(const WriteOptions& options);
  void RollbackWriter();
  // Until whatever is published is visible: a transaction that lost begins anew behind the one that won.
  absl::Status AwaitWinner();
  // Steps 6 to 8 for what is published; of so many commits.
  absl::Status FinishCommit(Lsn lsn, Durability durability, uint32_t commits = 1);
  // For what is visible already, and need not be durable now: steps 6 and 8.
  absl::Status FinishUndurable(Lsn lsn, Durability durability);
  // Unknown, of a commit that was handed over, or has been seen.
  absl::Status StoppedOnTheWay() const;
  // For a commit without changes: what it has read, up to `base`, is as durable as was asked for.
  absl::Status FinishReading(Lsn base, Durability durability);

  // --- durability ---

  absl::Status WaitDurable(Lsn lsn);
  absl::Status Sync();
  Lsn durable_lsn() const;
  absl::Status OnDurable(Lsn lsn, engine::DurableCallbacks::Callback callback);
  // Calls those whose outcome is known, on the calling thread.
  void RunCallbacks();
  void RunCallbacksIfManual() {
    if (options_.background == Background::kManual) RunCallbacks();
  }
  absl::Status Checkpoint();
  absl::Status RunBackgroundWork();
  absl::Status Close();

  DatabaseStats Stats();
  const RecoveryReport& recovery_report() const { return report_; }

  // --- for handles ---

  // FailedPrecondition: closed, or in a forked child. With success Leave must follow.
  absl::Status Enter();
  void Leave() { gate_.Leave(); }
  engine::CallGate& gate() { return gate_; }
  absl::Status Usable() const;
  // Whether Usable() is OK: a few loads.
  bool usable() const { return engine::ForkGeneration() == process_ && gate_.open(); }
  bool InForkedChild() const;
  pager::PageSource& pages() { return gated_pages_; }
  uint64_t tag() const { return tag_; }
  const Options& options() const { return options_; }
  engine::Storage& storage() { return *storage_; }
  // Of one exclusive transaction: each keeps the roots of its moment and the pages that died since.
  static constexpr uint64_t kMemoryOfSavepoint = 16 << 10;
  size_t savepoints_max() const { return options_.memory_bytes / kMemoryOfSavepoint; }
  // Of the memory: for what optimistic transactions have read and written.
  engine::MemoryShare& optimistic_share() { return optimistic_share_; }
  engine::VersionRegistry& registry() { return registry_; }
  engine::Background& background() { return *background_; }
  engine::CommitHistory& commit_history() { return commit_history_; }
  engine::OpenTransactions& open_transactions() { return open_transactions_; }
  engine::OpenSnapshots& open_snapshots() { return open_snapshots_; }
  // The open exclusive transaction, for Close and for time limits.
  void SetTransaction(const std::shared_ptr<engine::ExclusiveTransaction>& transaction)
      ABSL_LOCKS_EXCLUDED(transaction_mutex_);
  void ForgetTransaction(const engine::ExclusiveTransaction* transaction)
      ABSL_LOCKS_EXCLUDED(transaction_mutex_);
  // Ends the open exclusive transaction, if there is one.
  void EndTransaction(const absl::Status& reason) ABSL_LOCKS_EXCLUDED(transaction_mutex_);

 private:
  friend class engine::Background;

  // Pages for readers that may outlive the database's being open.
  class GatedPages final : public pager::PageSource {
   public:
    explicit GatedPages(Impl* impl) : impl_(impl) {}
    uint32_t page_bytes() const override;
    absl::StatusOr<pager::PageHandle> Pin(const pager::PageWant& want) override;
    absl::Status ReadRaw(PageId first, std::span<std::byte> buffer) override;
    pager::PageCache* cache() override;
    uint64_t RawSeed(PageId id) const override;

   private:
    Impl* impl_;
  };

  // Scope of a call.
  class Call {
   public:
    explicit Call(Impl* impl) : impl_(impl), status_(impl->Enter()) {}
    ~Call() {
      if (status_.ok()) impl_->Leave();
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    const absl::Status& status() const { return status_; }

   private:
    Impl* impl_;
    absl::Status status_;
  };

  absl::Duration Now() const { return storage_->clock().Now(); }
  absl::StatusOr<Lsn> PublishWriter();
  // --- a commit by checkpoint (engine/checkpoint_commit.cc) ---
  absl::StatusOr<std::shared_ptr<const engine::Version>> SealWorking();
  absl::StatusOr<Lsn> CommitByCheckpoint();
  Lsn PublishCheckpoint(Lsn record_end);
  // How much the log may grow before commits have to wait.
  uint64_t log_room() const;

  void RestoreWorking();
  // Takes the running transaction back; the writer lock stays held.
  void AbandonWriter();

  // --- groups (engine/group_commit.cc) ---

  bool AcquiredAtOnce(const engine::CommitQueue::Member& member);
  enum class Outcome : uint8_t { kPublished, kUnpublished };
  Outcome CommitTogether(engine::CommitQueue::Group going);
  size_t ApplyInOrder(const engine::CommitQueue::Group& going);
  bool PublishGroup(const engine::CommitQueue::Group& going);
  void NoteGroup(const engine::CommitQueue::Group& going);
  void CommitAlone(engine::CommitQueue::Member* member);
  void FinishGroup(const engine::CommitQueue::Group& group, Outcome outcome);
  absl::Status AfterFailedFlush(Lsn lsn);

  // --- commits that no version holds (engine/unpublished_commits.cc) ---

  bool MayStayUnpublished(const engine::CommitQueue::Group& going);
  bool MayStayUnpublished(const engine::CommitQueue::Member& batch);
  void CommitUnpublished(const engine::CommitQueue::Group& going);
  absl::Status ApplyUnpublished(const engine::CommitQueue::Member& member);
  absl::Status ChangeOrGather(const recovery::Operation& operation);
  absl::Status ChangeUnpublished(const recovery::Operation& operation);
  void ForgetCopies() ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  absl::Status PrepareUnpublished();
  size_t PagesOfPut(const recovery::Operation& operation) const;
  void MakeRoomForMutable() ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  bool CanBeLoggedInMemory(const recovery::Operation& operation) const;
  absl::Status PutInPlace(const recovery::Operation& operation)
      ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  absl::Status DeleteUnpublished(const recovery::Operation& operation);
  absl::StatusOr<bool> MakeWritable(const recovery::Operation& operation);
  // Several changes (engine/unpublished_batch.cc): gathered first, then committed as one.
  absl::Status GatherUnpublished(const recovery::Operation& operation);
  absl::Status CommitGathered() ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  void ApplyGathered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(unpublished_latch_);
  absl::Status MakeGatheredWritable() ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  size_t FirstNotWritable(size_t next) ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  // Somebody looks.
  void PublishForReading() {
    if (!unpublished_.load(std::memory_order_acquire)) return;
    quiet_commits_.store(0, std::memory_order_relaxed);
    PublishCommits();
  }
  // The root of the keyspace may be another one, for who looks past the latch.
  void NoteRoot(KeyspaceId keyspace) ABSL_EXCLUSIVE_LOCKS_REQUIRED(unpublished_latch_) {
    working_roots_.Note(keyspace, working_.roots.Get(keyspace));
  }
  void NoteUnpublished(Lsn lsn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(unpublished_latch_);
  // For whoever is about to look at versions: that of the last commit comes to be, if there is none.
  void PublishCommits() ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  void PublishCommitsLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(unpublished_latch_);
  // For Stop: and from now on there are none.
  void EndUnpublished() ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  std::shared_ptr<const engine::Version> KeepForCheckpoint()
      ABSL_LOCKS_EXCLUDED(unpublished_latch_);
  // Whether the working state is to be read for a lookup.
  bool MayLookUnpublished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(unpublished_latch_);

  // Aborted: in the working state the key has another value.
  absl::Status Expect(Keyspace keyspace, std::string_view key,
                      std::optional<std::string_view> expected);
  // The working state becomes a version that ends at working_lsn_.
  void PublishWorking();
  // Steps 6 and 7; on behalf of so many commits (LogWriter::Flush).
  absl::Status FlushThrough(Lsn lsn, uint32_t commits = 0);
  // InvalidArgument: beyond the last commit.
  absl::Status CheckWithinLog(Lsn lsn) const;
  absl::Status CloseStorage();
  uint64_t log_bytes_since_checkpoint() const;
  absl::Status ParanoidCheck();

  // --- transactions and snapshots that live too long, commits that are not durable (engine/database_limits.cc) ---

  // Rolls back transactions over their time limit.
  void EndOverdueTransactions() { open_transactions_.EndOverdue(Now()); }
  // Does what SnapshotLimits says.
  void LookAtSnapshots();
  void TellOfOldSnapshot(const engine::OpenSnapshot& snapshot, uint64_t held_bytes, bool expires);
  // More is visible and not durable, or has been for longer, than a kAsync commit that ends at `lsn` may leave behind.
  bool LagsTooFar(Lsn lsn);
  // The log is durable further than before, or has failed: somebody may wait for that.
  void NoteDurable();
  // Once somebody was told that it is, durable_lsn() says so too, also when the log is closed.
  void TellDurable(Lsn lsn) const;
  // What is known of everything up to `lsn`, for callbacks.
  std::optional<absl::Status> DurableOutcome(Lsn lsn);
  // Calls all that are left. REQUIRES: no thread of the database runs, and no call.
  void EndCallbacks();
  void FillCommits(DatabaseStats* stats);
  void FillDisk(DatabaseStats* stats) const;
  void FillTransactions(DatabaseStats* stats);
  void FillSnapshots(DatabaseStats* stats);

  // --- failures and limits (engine/database_health.cc) ---

  // Not opened read-only, and not stopped.
  absl::Status CheckRunning() const;
  // Also that the log may grow.
  absl::Status CheckCommitsTaken();
  absl::Status WaitForLogRoom();
  uint64_t log_bytes_max() const { return 2 * options_.checkpoint_log_bytes; }
  void Stop(const absl::Status& reason);
  // Stops if the log, or a growth's sync, has failed for good (G4).
  void StopOnFailure();
  absl::Status RunCheckpoint(bool clean);
  // Any kind of checkpoint: stops if it failed for good, and tells the listener.
  absl::Status PerformCheckpoint(absl::FunctionRef<absl::Status(bool* fatal)> run);
  void NoteCheckpoint(const absl::Status& status);
  // Whether one is to be made that nobody asked for.
  bool CheckpointDue() const;
  // What a full disk lacks.
  enum class Shortage : uint8_t { kPages, kLog };
  // Has a checkpoint made if that may give back what is lacking. True: try again. REQUIRES: the writer lock.
  bool MakeRoom(Shortage shortage);
  // The same for a checkpoint that met a full disk.
  bool MakeRoomForCheckpoint() { return MakeRoom(Shortage::kPages) || MakeRoom(Shortage::kLog); }
  // Puts were committed: whatever the disk lacked, it has again.
  void NotePutsTaken();
  // The answer to a commit that failed before anything went to the log: of a full disk it names the holder of
  // space.
  absl::Status ExplainFailure(const absl::Status& status);
  // The snapshot that holds most dead pages, if any holds some.
  std::optional<engine::VersionRegistry::KeptVersion> BiggestHolder() const;
  std::string DescribeHolder() const;
  // What became of pages written in the background.
  void NotePageWrites(const absl::Status& status);
  // Early warnings; the end of a full disk.
  void LookAtHealth();
  void FillDiskFigures(engine::HealthFigures* figures) const;

  const Options options_;
  const uint32_t process_;  // fork generation at open
  uint64_t tag_;            // tells this open's keyspace handles from others
  std::unique_ptr<engine::Storage> storage_;
  engine::MemoryShare optimistic_share_;
  engine::CallGate gate_;
  GatedPages gated_pages_;
  engine::VersionRegistry registry_;
  engine::WriterLock writer_lock_;
  engine::CommitHistory commit_history_;
  engine::OpenTransactions open_transactions_;
  engine::OpenSnapshots open_snapshots_;
  engine::DurableCallbacks durable_callbacks_;
  std::atomic<uint64_t> async_waits_ = 0;
  mutable std::atomic<uint64_t> durable_told_ = 0;
  // On the clock, in ns: no commit that is not durable is older.
  std::atomic<int64_t> undurable_since_ = std::numeric_limits<int64_t>::min();
  RecoveryReport report_;

  absl::Mutex unpublished_latch_;
  std::atomic<bool> unpublished_ = false;  // changed under the latch
  bool unpublished_ended_ ABSL_GUARDED_BY(unpublished_latch_) = false;
  std::atomic<uint32_t> to_publish_ = 0;     // so many commits at once, for lookups are many
  std::atomic<uint32_t> quiet_commits_ = 0;  // since somebody took the latch to look; about
  uint32_t looks_ ABSL_GUARDED_BY(unpublished_latch_) = 0;  // more than kLooksPerCommit
  engine::WorkingRoots working_roots_;                      // changed under the latch
  std::atomic<uint64_t> latched_lookups_ = 0;

  // The writer's, under the writer lock; while commits are unpublished, under that and the latch, or either to look.
  engine::TreeState working_;
  engine::Applier applier_;
  CommitNumber working_number_;
  Lsn working_lsn_;
  uint64_t redo_batches_ = 0;
  uint64_t redone_ = 0;    // transactions repeated but not yet published
  bool has_puts_ = false;  // the running transaction
  // What comes of the changes that are being applied.
  enum class Ways : uint8_t { kPublish, kAtOnce, kGather };
  Ways unpublished_ways_ = Ways::kPublish;
  bool to_be_published_ = false;                             // it cannot
  std::vector<recovery::Operation> unpublished_changes_;     // gathered; views of who commits
  std::string writer_label_;                                 // of who holds the writer lock
  std::unique_ptr<engine::TransactionLog> transaction_log_;  // none in a read-only open
  std::optional<engine::CommitQueue> commit_queue_;          // likewise

  engine::Checkpointer checkpointer_;
  engine::RetryPause checkpoint_pause_{absl::Seconds(1), absl::Minutes(1)};
  engine::Health health_;
  engine::HealthWatch health_watch_;
  std::atomic<bool> writes_refused_ = false;  // the last ordinary write was, by a full disk

  absl::Mutex transaction_mutex_;
  std::weak_ptr<engine::ExclusiveTransaction> transaction_ ABSL_GUARDED_BY(transaction_mutex_);

  std::unique_ptr<engine::Background> background_;  // last: its threads use all of the above
};

}  // namespace keel

#endif  // KEEL_ENGINE_DATABASE_IMPL_H_
