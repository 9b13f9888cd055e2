// The second pass: repeats the winners through the code that made them.
//
// A loser's operations are not repeated: they were confined to the private root of their transaction, which is
// gone, so leaving them out is their undo (docs/decisions). Savepoints and rollbacks within a winner are
// repeated as they happened.

#ifndef KEEL_RECOVERY_REDO_H_
#define KEEL_RECOVERY_REDO_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <string_view>

#include "base/types.h"
#include "recovery/analysis.h"
#include "recovery/operations.h"
#include "wal/log_reader.h"

namespace keel::recovery {

// Where operations are applied. Calls come in log order: Apply*, then Commit, then the next transaction.
class RedoTarget {
 public:
  virtual ~RedoTarget() = default;

  virtual absl::Status Apply(const Operation& operation) = 0;
  // Everything applied since the last Commit is one transaction; its record ends at `end`.
  virtual absl::Status Commit(CommitNumber number, Lsn end) = 0;
};

struct RedoResult {
  uint64_t transactions = 0;
  uint64_t operations = 0;
};

// Repeats the log that was analysed. `progress` gets the bytes done so far, now and then.
absl::StatusOr<RedoResult> Redo(wal::LogReader& log, const Analysis& analysis, RedoTarget& target,
                                absl::FunctionRef<void(uint64_t bytes_done)> progress);

}  // namespace keel::recovery

#endif  // KEEL_RECOVERY_REDO_H_
