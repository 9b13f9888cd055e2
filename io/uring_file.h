// A file of UringFileSystem: the calls of PosixFile, and flushing by linked requests.

#ifndef KEEL_IO_URING_FILE_H_
#define KEEL_IO_URING_FILE_H_

#include <memory>
#include <mutex>
#include <span>

#include "io/posix_file.h"
#include "io/uring_ring.h"

namespace keel::io {

class UringFile final : public PosixFile {
 public:
  using PosixFile::PosixFile;

  // kLinkedRequests goes through a ring of this file's own, made on first use; flushes by it take
  // turns. Where no ring can be had any more, the first method serves.
  FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data, SyncPurpose purpose,
                             FlushMethod method) override;

 private:
  struct LinkedResults {
    int write = 0;
    int sync = 0;
  };

  FlushOutcome LinkedFlush(uint64_t offset, std::span<const std::byte> data, SyncPurpose purpose);
  bool HaveRing();
  LinkedResults Perform(uint64_t offset, std::span<const std::byte> data);
  absl::Status EndWrite(uint64_t offset, std::span<const std::byte> data, int result);
  absl::Status EndSync(int result, bool write_was_whole);

  std::mutex mutex_;
  std::unique_ptr<Ring> ring_;  // guarded by mutex_
  bool ring_refused_ = false;   // guarded by mutex_
};

}  // namespace keel::io

#endif  // KEEL_IO_URING_FILE_H_
