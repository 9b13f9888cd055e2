// The second pass: repeats the winners through the code that made them.
//
// A loser's operations are not repeated: they were confined to the private root of their transaction, which is
// gone, so leaving them out is their undo (docs/decisions). Savepoints and rollbacks within a winner are
// repeated as they happened.
//
// Transactions of nothing but puts and deletes are gathered and repeated in the order of keys, so that each page is met
// once. Nobody sees a state in between, and of two operations on a key the later one wins either way:
//   D1  A batch is whole transactions that follow each other in the log. Anything else in between (ranges, keyspaces,
//       savepoints, chunks), whose effect depends on what was before, ends it.
//   D2  A batch is repeated as a whole or not at all; what cannot be repeated so is repeated in the order of the log.
//       So what is said of a log is the same with batches as without.
//   D3  Where there is no room for what comes of it, all is repeated in the order of the log, from the checkpoint on
//       (engine/open.cc): a tree of the same contents can have more pages if it came to be in another order.

#ifndef KEEL_RECOVERY_REDO_H_
#define KEEL_RECOVERY_REDO_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/types.h"
#include "recovery/analysis.h"
#include "recovery/operations.h"
#include "wal/log_reader.h"

namespace keel::recovery {

// Where operations are applied. Calls come in log order: ApplyTogether; or Apply*, then Commit of this transaction.
class RedoTarget {
 public:
  virtual ~RedoTarget() = default;

  virtual absl::Status Apply(const Operation& operation) = 0;
  // Everything applied since the last Commit is one transaction; its record ends at `end`.
  virtual absl::Status Commit(CommitNumber number, Lsn end) = 0;
  // What is left of several transactions, sorted by keyspace and key, of each key one operation; the last transaction is
  // `number` and ends at `end`. An error has changed nothing, and has them repeated one by one.
  virtual absl::Status ApplyTogether(std::span<const Operation> /*operations*/,
                                     CommitNumber /*number*/, Lsn /*end*/) {
    return absl::UnimplementedError("only one by one");
  }
};

enum class Order : uint8_t { kLog, kKeys };

struct RedoOptions {
  Order order = Order::kKeys;  // kLog: no batches
  size_t batch_bytes = 0;      // memory that a batch may take, about
};

struct RedoResult {
  uint64_t transactions = 0;
  uint64_t operations = 0;
  uint64_t batches = 0;  // that were repeated in the order of keys
};

// Repeats the log that was analysed. `progress` gets the bytes done so far, now and then.
absl::StatusOr<RedoResult> Redo(wal::LogReader& log, const Analysis& analysis, RedoTarget& target,
                                const RedoOptions& options,
                                absl::FunctionRef<void(uint64_t bytes_done)> progress);

}  // namespace keel::recovery

#endif  // KEEL_RECOVERY_REDO_H_
