// Keel: what opening a database found and did.

#ifndef KEEL_RECOVERY_REPORT_H_
#define KEEL_RECOVERY_REPORT_H_

#include <absl/time/time.h>
#include <keel/lsn.h>

#include <cstdint>
#include <string>
#include <vector>

namespace keel {

struct RecoveryReport {
  bool created = false;     // the database was made by this open
  bool clean = false;       // it had been closed cleanly: nothing to do
  uint64_t generation = 0;  // of the checkpoint that it began from
  Lsn checkpoint_lsn;       // where redo began
  Lsn log_end;              // behind the last valid record
  uint64_t log_bytes = 0;   // read
  uint64_t frames = 0;
  uint64_t transactions_replayed = 0;
  uint64_t operations_replayed = 0;
  uint64_t transactions_rolled_back = 0;  // streamed to the log, but never committed
  bool torn_tail = false;                 // unfinished writes at the log's end were discarded
  uint64_t torn_bytes = 0;
  std::string log_end_reason;  // why the log ends there
  uint64_t pages_written = 0;  // by the checkpoint that ended recovery
  absl::Duration analysis_time;
  absl::Duration redo_time;
  absl::Duration checkpoint_time;
  std::vector<std::string> repairs;  // e.g. a damaged superblock copy rewritten
};

}  // namespace keel

#endif  // KEEL_RECOVERY_REPORT_H_
