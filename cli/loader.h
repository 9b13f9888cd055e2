// Rows into a database, batch by batch, in the order of the input.
//
//   Loader loader(&database, keyspace, options);
//   absl::Status status = loader.Run(*reader, *source, interrupt, progress);
//   ... loader.result().rows of them are in ...
//
// Where allowed, and as long as the keys ascend, batches go to a bulk load of a keyspace that was empty, and are
// committed together: before the first batch that is out of order, or at the end, whatever that is. A batch that is
// not complete goes to it no more than it would be committed. Only if the disk fails or is full in the middle of a
// batch, the rows before stay.

#ifndef KEEL_CLI_LOADER_H_
#define KEEL_CLI_LOADER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/database.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/byte_source.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/record.h"

namespace keel::cli {

struct LoaderOptions {
  uint64_t batch_rows = 1000;
  // A batch of large rows ends earlier, so that memory stays bounded.
  uint64_t batch_bytes = uint64_t{4} << 20;
  bool sync = false;         // each batch is durable before the next; otherwise all at the end
  bool delete_keys = false;  // rows name keys to be removed
  bool bulk = false;         // a bulk load is allowed; nothing of it is in before its commit
  // Called with the number of rows that are durable, each time it has grown.
  std::function<void(uint64_t rows)> on_durable = [](uint64_t) {};
};

struct LoaderResult {
  uint64_t rows = 0;          // committed, the first ones of the input
  uint64_t batches = 0;       // that they took; a bulk load is one
  uint64_t bulk_rows = 0;     // of them, by a bulk load
  uint64_t durable_rows = 0;  // of them, surely durable
  uint64_t durable_line = 0;  // where the last of these begins; 0: there is none
};

// Used by one thread, once.
class Loader {
 public:
  Loader(Database* database, Keyspace keyspace, LoaderOptions options);

  // Reads to the end, or to the first error: what was committed until then stays, and is durable
  // when it returns (unless an error says otherwise); of the batch under way nothing is applied.
  // Cancelled: `interrupt` heard a signal.
  absl::Status Run(RecordReader& reader, const ByteSource& source, Interrupt& interrupt,
                   Progress& progress);

  const LoaderResult& result() const { return result_; }

 private:
  // What the open bulk load has taken.
  struct Bulk {
    BulkLoader loader;
    std::string last_key;
    uint64_t last_line = 0;
  };
  // Commits of which it is not known that they are durable.
  struct Pending {
    Lsn lsn;
    uint64_t rows = 0;       // with those before
    uint64_t last_line = 0;  // where the last row begins
  };

  absl::Status LoadAll(RecordReader& reader, const ByteSource& source, Interrupt& interrupt,
                       Progress& progress);
  void AddToBatch(Record& record);
  absl::Status Commit();
  absl::Status Write();
  bool BatchAscends() const;
  absl::StatusOr<bool> BeginBulk();
  absl::Status PutInBulk();
  absl::Status CommitBulk();
  void Committed(Lsn lsn, uint64_t rows, uint64_t last_line);
  std::span<const Record> rows() const { return {rows_.data(), row_count_}; }
  uint64_t rows_taken() const { return result_.rows + (bulk_ ? bulk_->loader.rows() : 0); }
  void TellDurable(Lsn durable);

  Database* const database_;
  const Keyspace keyspace_;
  const LoaderOptions options_;
  std::vector<Record> rows_;  // of the batch, the first row_count_; the others keep their memory
  size_t row_count_ = 0;
  uint64_t row_bytes_ = 0;
  WriteBatch batch_;
  bool bulk_possible_;  // no row is in yet that did not go by one
  std::optional<Bulk> bulk_;
  LoaderResult result_;
  std::deque<Pending> pending_;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_LOADER_H_
