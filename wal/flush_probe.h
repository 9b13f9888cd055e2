// Measures which way of making a small write durable is the fastest on this device.
//
// The order differs between devices, kernels and file systems, so it is measured at open: a few one-block writes
// each, in turn, and the medians compared. A wrong choice costs time and nothing else, so the measurement is short: it
// ends when one method is left that is not far behind, or with the time limit.
//
//   F1  The writes go to the segment's last block, where no frame of this use will lie (log_writer.cc, OffsetMax).
//   F2  What a crash left of a frame may lack a piece that should be zeros; zeros over that piece alone would make
//       the frame whole, and the log longer than the recovery that is under way has found it. Where an earlier use
//       may have had frames, which is in its last block if its blocks were smaller, noise goes first, and is durable
//       before the zeros. The last block of the smallest size never held any: it has been zeros from the beginning.

#ifndef KEEL_WAL_FLUSH_PROBE_H_
#define KEEL_WAL_FLUSH_PROBE_H_

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>

#include "io/file_system.h"

namespace keel::wal {

// Where frames will lie, with a block behind them for the probe (F1); and what it may take.
struct FlushProbeOptions {
  uint64_t offset = 0;  // whole blocks
  uint64_t bytes = 0;
  uint64_t block_bytes = 4096;
  bool linked_requests = false;  // try them too
  absl::Duration time_limit =
      absl::Microseconds(700);  // no third round behind it, and no later one
  absl::Duration time_limit_of_one = absl::Milliseconds(5);  // no second one behind this
};

// The fastest method; kWriteThenSync unless another one is clearly faster. The zeros written are
// durable. An error of a write or sync is returned, and that file must not be used.
absl::StatusOr<io::FlushMethod> ProbeFlushMethod(io::File* file, io::Clock* clock,
                                                 io::Random* random,
                                                 const FlushProbeOptions& options);

}  // namespace keel::wal

#endif  // KEEL_WAL_FLUSH_PROBE_H_
