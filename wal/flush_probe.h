// Measures which way of making a small write durable is the fastest on this device.
//
// The order differs between devices, kernels and file systems, so it is measured at open: a handful of
// one-block writes each, in turn, and the medians compared.
//
// The segment may hold what a crash left of a frame, all but a piece that should be zeros. Zeros over that piece alone
// would make the frame whole, and the log longer than the recovery that is under way has found it. So noise goes
// first, and is durable before the zeros.

#ifndef KEEL_WAL_FLUSH_PROBE_H_
#define KEEL_WAL_FLUSH_PROBE_H_

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>

#include "io/file_system.h"

namespace keel::wal {

// Where the probe may write (noise, then zeros), and what it may take.
struct FlushProbeOptions {
  uint64_t offset = 0;  // whole blocks
  uint64_t bytes = 0;   // one block at least
  uint64_t block_bytes = 4096;
  bool linked_requests = false;                        // try them too
  absl::Duration time_limit = absl::Milliseconds(10);  // no new round behind it
};

// The fastest method; kWriteThenSync unless another one is clearly faster. The zeros written are
// durable. An error of a write or sync is returned, and that file must not be used.
absl::StatusOr<io::FlushMethod> ProbeFlushMethod(io::File* file, io::Clock* clock,
                                                 io::Random* random,
                                                 const FlushProbeOptions& options);

}  // namespace keel::wal

#endif  // KEEL_WAL_FLUSH_PROBE_H_
