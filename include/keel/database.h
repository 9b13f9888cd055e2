// Keel: a database, one directory on disk.
//
//   absl::StatusOr<std::unique_ptr<keel::Database>> db = keel::Database::Open("/data/db");
//   if (!db.ok()) return db.status();
//   absl::Status status = (*db)->Put("key", "value");        // durable when it returns OK
//   absl::StatusOr<keel::PinnedValue> value = (*db)->Get("key");
//
// Errors are absl::Status; nothing throws. See docs/guarantees.md for the promises G1-G9.

#ifndef KEEL_DATABASE_H_
#define KEEL_DATABASE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/bulk_loader.h>
#include <keel/check_report.h>
#include <keel/lsn.h>
#include <keel/options.h>
#include <keel/reader.h>
#include <keel/recovery_report.h>
#include <keel/snapshot.h>
#include <keel/stats.h>
#include <keel/transaction.h>
#include <keel/write_batch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

// Longest key (less for pages under 4 KiB, which only tests use) and largest value.
inline constexpr size_t kMaxKeyBytes = 1024;
inline constexpr uint64_t kMaxValueBytes = uint64_t{64} << 20;
inline constexpr size_t kMaxKeyspaceNameBytes = 255;

// Thread-safe. Destruction closes it. In a forked child every call gives FailedPrecondition.
class Database : public Reader {
 public:
  class Impl;

  // Opens, creating or recovering as needed; returns when every durable commit is there and verified to be an
  // exact prefix. FailedPrecondition: held by another process, or written by a newer version; InvalidArgument:
  // bad options, or the directory holds something else; DataLoss: damage that must not be passed over silently;
  // NotFound: no database and create_if_missing is off; AlreadyExists: error_if_exists.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::filesystem::path& directory,
                                                        const Options& options = {});
  // What Open would replay, without writing a byte.
  static absl::StatusOr<RecoveryReport> DryRunRecovery(const std::filesystem::path& directory,
                                                       const Options& options = {});

  explicit Database(std::shared_ptr<Impl> impl);
  ~Database() override;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Made if missing (a commit of its own, kSync). Names: 1 to 255 bytes; "default" is the default keyspace.
  absl::StatusOr<Keyspace> OpenKeyspace(std::string_view name);
  // NotFound if there is none; the default keyspace cannot be dropped (InvalidArgument).
  absl::Status DropKeyspace(std::string_view name);
  std::vector<KeyspaceInfo> ListKeyspaces() const;

  // Each a transaction of its own. Unknown: handed to the log, outcome known after reopening. Unavailable: an I/O
  // failure, certainly not done; Stats() tells whether the database has stopped. ResourceExhausted: disk, memory or
  // log, certainly not done, works again once there is room. On a full disk it names the snapshot that holds most
  // space, and deletes work as long as no snapshot holds what they free.
  absl::Status Put(Keyspace keyspace, std::string_view key, std::string_view value,
                   WriteOptions options = {});
  absl::Status Put(std::string_view key, std::string_view value, WriteOptions options = {}) {
    return Put(Keyspace(), key, value, options);
  }
  absl::Status Delete(Keyspace keyspace, std::string_view key, WriteOptions options = {});
  absl::Status Delete(std::string_view key, WriteOptions options = {}) {
    return Delete(Keyspace(), key, options);
  }
  absl::Status DeleteRange(Keyspace keyspace, const KeyRange& range, WriteOptions options = {});
  absl::Status DeleteRange(const KeyRange& range, WriteOptions options = {}) {
    return DeleteRange(Keyspace(), range, options);
  }
  absl::StatusOr<Lsn> Write(const WriteBatch& batch, WriteOptions options = {});

  // Compare and set: puts `value` if the key now has the value `expected`, or, without one, if it is absent. Aborted:
  // it has not; nothing was changed. Values are compared, so what was changed and changed back is not noticed: give
  // values a number of their own where that matters.
  absl::StatusOr<Lsn> PutIf(Keyspace keyspace, std::string_view key,
                            std::optional<std::string_view> expected, std::string_view value,
                            WriteOptions options = {});
  absl::StatusOr<Lsn> PutIf(std::string_view key, std::optional<std::string_view> expected,
                            std::string_view value, WriteOptions options = {}) {
    return PutIf(Keyspace(), key, expected, value, options);
  }
  // Read, modify, write: calls `change` with the key's value (none: it is absent) and puts what that returns (none:
  // deletes it). An error of `change` is returned, and nothing is changed. Runs as Transact does: perhaps several
  // times.
  using Change = absl::FunctionRef<absl::StatusOr<std::optional<std::string>>(
      std::optional<std::string_view> value)>;
  absl::Status Update(Keyspace keyspace, std::string_view key, Change change,
                      WriteOptions options = {});
  absl::Status Update(std::string_view key, Change change, WriteOptions options = {}) {
    return Update(Keyspace(), key, change, options);
  }

  // The newest visible state. Never waits for a writer. `label` (copied) names it where it is in the way: in the
  // error of a full disk, in Stats(), and in EventListener::OnOldSnapshot.
  Snapshot GetSnapshot(std::string_view label = {}) const;

  // An exclusive transaction waits for the writer lock, first come first served. DeadlineExceeded says who holds it, by
  // its label, and since when. FailedPrecondition: this thread uses the exclusive transaction that is open, so it would
  // wait for itself; the same holds for all that writes (Put, Write, OpenKeyspace of a new one, Commit of an optimistic
  // transaction, ...). An optimistic one begins at once.
  absl::StatusOr<Transaction> Begin(const TransactionOptions& options = {});
  // Runs `work` in a transaction and commits it if that returns OK, else rolls back and returns its status. Conflicts
  // (Aborted) are tried again, each time behind the commit that won and after a growing pause; Unknown never is. After
  // four attempts, or when its reads and writes outgrow the memory for them, it runs in an exclusive transaction: so
  // `work` may run several times, must do all its writing through the transaction it is given, and must not wait
  // for another thread that writes.
  absl::Status Transact(absl::FunctionRef<absl::Status(Transaction&)> work,
                        const TransactionOptions& options = {}, WriteOptions write_options = {});

  // For many rows whose keys ascend, into an empty range: written once, and committed as a whole (keel/bulk_loader.h).
  // An exclusive transaction, which waits for the writer lock as one does: `options` are taken as by Begin.
  // InvalidArgument: of another database, or optimistic. NotFound: the keyspace has been dropped.
  absl::StatusOr<BulkLoader> NewBulkLoader(Keyspace keyspace = {},
                                           const TransactionOptions& options = {});

  // Until everything up to `lsn` is durable; starts a flush if none is under way. InvalidArgument: beyond the
  // last commit.
  absl::Status WaitDurable(Lsn lsn);
  // All commits so far.
  absl::Status Sync();
  Lsn durable_lsn() const;
  // Calls `callback` once: with OK when everything up to `lsn` is durable, which it hastens as a kAsync commit does; with
  // the error of WaitDurable if the log fails first; at the latest in Close. Callbacks come in the order of their LSNs,
  // one at a time, with no lock held, on a thread of the database that does nothing else; with Background::kManual on
  // the thread that calls RunBackgroundWork, WaitDurable, Sync, Checkpoint or Close, at its end. Never within OnDurable,
  // except of a database opened read-only. A callback may use the database, but not close it, and those behind it wait
  // for it. InvalidArgument: beyond the last commit; ResourceExhausted: 65,536 wait already.
  absl::Status OnDurable(Lsn lsn, std::function<void(const absl::Status&)> callback);

  // Writes the visible state to the data file and cuts the log. Writers go on meanwhile.
  absl::Status Checkpoint();
  // One round of what the threads of Background::kThreads do: flush, checkpoint if due, write pages, reclaim.
  absl::Status RunBackgroundWork();

  // Verifies every page reachable from the visible state, the space map and the log's health, while others work.
  absl::StatusOr<CheckReport> Check(const CheckOptions& options = {}) const;

  DatabaseStats Stats() const;
  const RecoveryReport& recovery_report() const;

  // Rolls back open transactions, waits for running calls, checkpoints, and marks the database clean. Called by
  // the destructor; a second call returns FailedPrecondition. An error means that the next open will recover;
  // nothing acknowledged is lost.
  absl::Status Close();

 private:
  absl::StatusOr<PinnedValue> DoGet(Keyspace keyspace, std::string_view key) const override;
  std::vector<absl::StatusOr<PinnedValue>> DoMultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) const override;
  Cursor DoNewCursor(Keyspace keyspace, const KeyRange& range) const override;
  absl::StatusOr<uint64_t> DoCount(Keyspace keyspace, const KeyRange& range) const override;

  std::shared_ptr<Impl> impl_;
};

}  // namespace keel

#endif  // KEEL_DATABASE_H_
