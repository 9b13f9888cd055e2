// Keel: transactions.
//
//   absl::StatusOr<keel::Transaction> txn = db->Begin();
//   if (!txn.ok()) return txn.status();
//   txn->Put("a", "1").IgnoreError();
//   absl::StatusOr<keel::Lsn> lsn = txn->Commit();

#ifndef KEEL_TRANSACTION_H_
#define KEEL_TRANSACTION_H_

#include <keel/lsn.h>
#include <keel/options.h>
#include <keel/reader.h>

#include <cstdint>
#include <memory>

namespace keel {

// A place in a transaction to return to. Belongs to the transaction that made it.
struct Savepoint {
  uint64_t id = 0;
  friend constexpr bool operator==(Savepoint, Savepoint) = default;
};

// Move-only; used by one thread at a time; rolls back on destruction. Reads see its own changes. While an
// exclusive transaction is open every other write waits for it, and a write by the same thread outside of it is
// FailedPrecondition (it would wait for itself). An optimistic one keeps its changes in memory, and nobody waits for
// it; what all optimistic ones have read and written may take a sixteenth of Options::memory_bytes together, beyond
// which changes are ResourceExhausted, and of what was read more is remembered than was read (which can cost a
// conflict, never an error).
//
// A failed Put, Delete or DeleteRange has no effect, and the transaction goes on; except when the error says that
// it can only be rolled back (room in the log that had been there is gone): then Commit refuses it. After Commit or
// Rollback every call gives FailedPrecondition.
//
// An exclusive transaction may be of any size, also larger than the memory. Beyond Options::checkpoint_log_bytes of
// changes, or of what the log has room for, it is no longer logged, and its commit is a checkpoint: durable when it
// returns, whatever WriteOptions say, and as slow as writing out what the memory still holds of it.
class Transaction : public Reader {
 public:
  class Impl;

  explicit Transaction(std::unique_ptr<Impl> impl);
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;
  ~Transaction() override;

  // ResourceExhausted: disk or memory.
  absl::Status Put(Keyspace keyspace, std::string_view key, std::string_view value);
  absl::Status Put(std::string_view key, std::string_view value) { return Put({}, key, value); }
  // OK also if the key is absent.
  absl::Status Delete(Keyspace keyspace, std::string_view key);
  absl::Status Delete(std::string_view key) { return Delete({}, key); }
  absl::Status DeleteRange(Keyspace keyspace, const KeyRange& range);
  absl::Status DeleteRange(const KeyRange& range) { return DeleteRange({}, range); }

  // Nested as deep as memory allows: one for each 16 KiB of Options::memory_bytes, or as many as an optimistic
  // transaction has memory for. One more is not set, which RollbackTo tells.
  Savepoint SetSavepoint();
  // Undoes everything since; later savepoints are gone, this one stays. FailedPrecondition: gone or not of
  // this transaction. ResourceExhausted: it was not set; nothing is undone, and the transaction goes on.
  absl::Status RollbackTo(Savepoint savepoint);

  // Aborted (optimistic): others have changed what it relies on. The message names the key (or counted range, or
  // keyspace) and the commit that won, by its number and, as long as the database remembers it, the LSN that its
  // Commit returned and the label of who wrote it. Where that cannot be told from the pages that changed, it names the
  // commits of which one has won, from the first after this one's snapshot to the last that touched the page. Begin
  // anew, or let Database::Transact.
  // Unknown: handed to the log, or to the superblock of its checkpoint, but whether it is durable is known only after
  // reopening. Any error but that: certainly not committed.
  absl::StatusOr<Lsn> Commit(WriteOptions options = {});
  void Rollback();

 private:
  absl::StatusOr<PinnedValue> DoGet(Keyspace keyspace, std::string_view key) const override;
  std::vector<absl::StatusOr<PinnedValue>> DoMultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) const override;
  Cursor DoNewCursor(Keyspace keyspace, const KeyRange& range) const override;
  absl::StatusOr<uint64_t> DoCount(Keyspace keyspace, const KeyRange& range) const override;

  std::unique_ptr<Impl> impl_;
};

}  // namespace keel

#endif  // KEEL_TRANSACTION_H_
