// Rows into a database, batch by batch, in the order of the input.
//
//   Loader loader(&database, keyspace, options);
//   absl::Status status = loader.Run(*reader, *source, interrupt, progress);
//   ... loader.result().rows of them are in ...

#ifndef KEEL_CLI_LOADER_H_
#define KEEL_CLI_LOADER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/database.h>

#include <cstdint>
#include <deque>
#include <functional>

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
  // Called with the number of rows that are durable, each time it has grown.
  std::function<void(uint64_t rows)> on_durable = [](uint64_t) {};
};

struct LoaderResult {
  uint64_t rows = 0;          // committed, the first ones of the input
  uint64_t batches = 0;       // that they took
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
  // Commits of which it is not known that they are durable.
  struct Pending {
    Lsn lsn;
    uint64_t rows = 0;       // with those before
    uint64_t last_line = 0;  // where the last row begins
  };

  absl::Status LoadAll(RecordReader& reader, const ByteSource& source, Interrupt& interrupt,
                       Progress& progress);
  void AddToBatch(const Record& record);
  absl::Status Commit();
  void TellDurable(Lsn durable);

  Database* const database_;
  const Keyspace keyspace_;
  const LoaderOptions options_;
  WriteBatch batch_;
  uint64_t batch_last_line_ = 0;
  LoaderResult result_;
  std::deque<Pending> pending_;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_LOADER_H_
