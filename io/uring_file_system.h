// The file system by io_uring: queues are rings, so that the requests of a batch are under way side
// by side. Single calls are those of PosixFileSystem, which are faster alone.

#ifndef KEEL_IO_URING_FILE_SYSTEM_H_
#define KEEL_IO_URING_FILE_SYSTEM_H_

#include <absl/status/status.h>

#include <memory>

#include "io/posix_file_system.h"

namespace keel::io {

// Every queue, and every file flushed by linked requests, has a ring of its own.
// REQUIRES: Probe() returned OK in this process.
class UringFileSystem final : public PosixFileSystem {
 public:
  // Whether this process may and can use io_uring, tried with the flags and operations that are
  // used later, on a file in memory. The message of an error is fit for BackendInfo::reason.
  static absl::Status Probe();

  absl::StatusOr<std::unique_ptr<File>> Open(const std::filesystem::path& path,
                                             const FileOptions& options) override;
  absl::StatusOr<std::unique_ptr<IoQueue>> NewQueue(size_t depth) override;
  BackendInfo backend() const override;
};

}  // namespace keel::io

#endif  // KEEL_IO_URING_FILE_SYSTEM_H_
