// The optimistic transaction: reads a snapshot, gathers its changes, and asks at commit whether somebody else has
// changed what it relies on.
//
//   active --Commit--> ended      active --Rollback, time limit, its snapshot has expired--> ended
//
// O1  Nothing of it is in the trees or the log before its commit holds the writer lock.
// O2  Its version is kept as long as it is active, and so are those of its cursors; none of them afterwards.
// O3  What its sets take is taken from the share that all such transactions have together, up to the last call.
//
// What must not have changed: at kSnapshot what it has written (first committer wins), at kSerializable what it has
// read: keys found and not found, ranges scanned and counted, keyspaces that are there or not (Kung & Robinson, TODS
// 1981, backward validation; here by diff of versions and not by sets of all that committed). Writes are blind there:
// whoever did not look does not mind. At kReadCommitted nothing: every call reads the newest visible version.

#ifndef KEEL_ENGINE_OPTIMISTIC_TRANSACTION_H_
#define KEEL_ENGINE_OPTIMISTIC_TRANSACTION_H_

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <keel/database.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/memory_share.h"
#include "engine/open_transaction.h"
#include "engine/read_set.h"
#include "engine/shared_version.h"
#include "engine/write_set.h"

namespace keel::engine {

// Whether an error says that the sets of optimistic transactions have outgrown their share of the memory, which an
// exclusive one does not need.
bool IsOverMemory(const absl::Status& status);

class OptimisticTransaction final : public OpenTransaction,
                                    public std::enable_shared_from_this<OptimisticTransaction> {
 public:
  // Begins on `base`, which is of the kind kTransaction.
  OptimisticTransaction(std::shared_ptr<SharedVersion> base, const TransactionOptions& options);
  ~OptimisticTransaction() override;

  absl::Status Write(Keyspace keyspace, recovery::Operation operation) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  Savepoint SetSavepoint() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RollbackTo(Savepoint savepoint) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Lsn> Commit(const WriteOptions& options) override ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& reason) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool TryEnd(const absl::Status& reason) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool TryEndExpired() override ABSL_LOCKS_EXCLUDED(mutex_);
  TransactionFigures Figures() override ABSL_LOCKS_EXCLUDED(mutex_, figures_mutex_);
  absl::StatusOr<PinnedValue> Get(Keyspace keyspace, std::string_view key) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<absl::StatusOr<PinnedValue>> MultiGet(Keyspace keyspace,
                                                    std::span<const std::string_view> keys) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<uint64_t> Count(Keyspace keyspace, const KeyRange& range) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<Cursor::Impl> NewCursor(Keyspace keyspace, const KeyRange& range) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  // For cursors: runs `read` on the transaction's own changes; what it reads of the version it adds to `reads`,
  // which is null where nobody asks for it.
  absl::Status Read(absl::FunctionRef<absl::Status(const WriteSet& writes, ReadSet* reads)> read)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<Database::Impl>& shared_database() { return database_; }

 private:
  struct SavepointMark {
    Savepoint savepoint;
    size_t mark;
  };

  // Whether calls may go on; ends the transaction if its time is over.
  absl::Status Enter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Cursors may have this one when it is no longer the base.
  void Lend(const std::shared_ptr<SharedVersion>& version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The version that a call reads.
  std::shared_ptr<SharedVersion> VersionToRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ReadSet* reads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return isolation() == Isolation::kSerializable ? &reads_ : nullptr;
  }
  // Whether there is room for what is remembered and so much more. Makes what was read coarser if it has to.
  absl::Status Reserve(size_t more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReserveForRead(size_t more) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBackUnused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t memory_bytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The keyspace in the version; that it is there, or is not, has then been read.
  absl::StatusOr<KeyspaceId> Resolve(const SharedVersion& version, Keyspace keyspace)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<PinnedValue> GetAt(const SharedVersion& version, Keyspace keyspace,
                                    std::string_view key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<uint64_t> CountMerged(const SharedVersion& version, KeyspaceId keyspace,
                                       const btree::Range& range)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<Lsn> CommitLocked(const WriteOptions& options)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits at most as long as the transaction may live.
  absl::StatusOr<Lsn> CommitThroughQueue(Durability durability)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Apply() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Against the state that the commit `number` left.
  absl::Status ValidateUpTo(pager::PageSource& pages, const TreeState& state, CommitNumber number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<Database::Impl> database_;
  const absl::Duration lock_timeout_;
  MemoryShare& share_;
  absl::Mutex mutex_;
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;  // of the share
  bool active_ ABSL_GUARDED_BY(mutex_) = true;
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
  // What it has read so far holds up to here.
  std::shared_ptr<SharedVersion> base_ ABSL_GUARDED_BY(mutex_);
  WriteSet writes_ ABSL_GUARDED_BY(mutex_);
  ReadSet reads_ ABSL_GUARDED_BY(mutex_);
  std::vector<SavepointMark> savepoints_ ABSL_GUARDED_BY(mutex_);
  // Why the last one that was not set was not.
  absl::Status savepoint_not_set_ ABSL_GUARDED_BY(mutex_) = NoSuchSavepoint();
  // What was the base, and may be that of cursors.
  std::vector<std::weak_ptr<SharedVersion>> lent_ ABSL_GUARDED_BY(mutex_);
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Mutex figures_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  TransactionFigures figures_ ABSL_GUARDED_BY(figures_mutex_);  // when last looked at
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPTIMISTIC_TRANSACTION_H_
