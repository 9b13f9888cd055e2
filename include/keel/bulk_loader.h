// Keel: bulk loading, the fastest way to put many rows where there are none.
//
//   absl::StatusOr<keel::BulkLoader> loader = db->NewBulkLoader(keyspace);
//   if (!loader.ok()) return loader.status();
//   for (const auto& [key, value] : rows) {  // keys ascend
//     if (absl::Status put = loader->Put(key, value); !put.ok()) return put;
//   }
//   absl::StatusOr<keel::Lsn> lsn = loader->Commit();  // all of them, durable; or none

#ifndef KEEL_BULK_LOADER_H_
#define KEEL_BULK_LOADER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/lsn.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace keel {

// An exclusive transaction that does nothing but add rows to one keyspace, in ascending (bytewise) order of their
// keys and into one empty range: into a keyspace without keys, behind its last key, or between two neighbours. It
// builds full pages bottom up and writes each row once, to the data file and not to the log; however many rows there
// are, it takes no more memory than a small transaction.
//
// Its commit is a checkpoint: it takes as long as it takes to write what is not written yet (a share of the memory
// budget at most), and what it has added is then visible and durable at once. Until then a crash, a rollback or the
// destructor leaves nothing of it.
//
// Move-only; used by one thread at a time; rolls back on destruction. While it is open every other write waits for
// it, and a write by the same thread outside of it is FailedPrecondition. After Commit or Rollback every call gives
// FailedPrecondition.
class BulkLoader {
 public:
  class Impl;

  explicit BulkLoader(std::unique_ptr<Impl> impl);
  BulkLoader(BulkLoader&&) noexcept;
  BulkLoader& operator=(BulkLoader&&) noexcept;
  ~BulkLoader();

  // The first key decides which empty range it is. InvalidArgument: `key` does not come after the one before, or it
  // does not come before the range's end, which is a key that is there; both keys are named. Also for keys and values
  // over the limits. ResourceExhausted: disk or memory. A failed Put has no effect, and the load goes on.
  absl::Status Put(std::string_view key, std::string_view value);

  // Rows put so far.
  uint64_t rows() const;

  // Unknown: whether it is committed shows only when the database is opened again (the disk failed at the very last
  // step). Any other error: certainly not committed. Either way the load is over. Without rows it only ends.
  absl::StatusOr<Lsn> Commit();
  void Rollback();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace keel

#endif  // KEEL_BULK_LOADER_H_
