// bench/compare: 4 KiB writes made durable, and 4 KiB reads at random, with nothing above the file system.

#ifndef KEEL_BENCH_COMPARE_DISK_FLOOR_H_
#define KEEL_BENCH_COMPARE_DISK_FLOOR_H_

#include <absl/status/status.h>

#include <cstdint>

#include "bench/compare/measurement.h"
#include "bench/compare/workload.h"

namespace keel::compare {

enum class WriteMethod : uint8_t {
  kBuffered,    // pwrite + fdatasync
  kDirect,      // the same with O_DIRECT
  kDirectDsync  // pwrite with O_DIRECT | O_DSYNC
};

// One block after the other of a file whose blocks have been written with zeros before, as a good log does.
absl::Status RunDiskWrites(const Assignment& assignment, WriteMethod method,
                           Measurement* measurement);

// Blocks of a file of RunOptions::large_bytes with O_DIRECT, so many under way at a time: one by pread, more by
// io_uring.
absl::Status RunDiskReads(const Assignment& assignment, unsigned depth, Measurement* measurement);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_DISK_FLOOR_H_
