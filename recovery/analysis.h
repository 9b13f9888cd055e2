// The first pass over the log: what will be repeated, what not.
//
// Classifies every record behind the checkpoint: winners (committed), and losers (streamed without a commit, or
// rolled back). Recovery refuses a gap in commit numbers: a log whose middle is missing is damage, never a
// shorter history.

#ifndef KEEL_RECOVERY_ANALYSIS_H_
#define KEEL_RECOVERY_ANALYSIS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "wal/log_reader.h"

namespace keel::recovery {

struct Analysis {
  CommitNumber last_commit;
  uint64_t transactions = 0;  // winners
  uint64_t losers = 0;        // streams without a commit at the end of the log
  uint64_t rolled_back = 0;   // streams that were rolled back
  uint64_t records = 0;
  uint64_t log_bytes = 0;
  std::vector<bool> stream_commits;  // by order of streams in the log: whether each is a winner
};

// Reads the log from its start to its end. `checkpoint` is the last commit that the checkpoint of that `generation`
// contains. DataLoss names the position of a gap or of an undecodable record.
absl::StatusOr<Analysis> Analyze(wal::LogReader& log, CommitNumber checkpoint,
                                 Generation generation);

}  // namespace keel::recovery

#endif  // KEEL_RECOVERY_ANALYSIS_H_
