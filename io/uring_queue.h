// A queue whose requests the kernel carries out side by side.

#ifndef KEEL_IO_URING_QUEUE_H_
#define KEEL_IO_URING_QUEUE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/file_system.h"
#include "io/posix_file.h"
#include "io/uring_ring.h"

namespace keel::io {

// For files of UringFileSystem and PosixFileSystem. What the ring leaves undone (a short transfer,
// a request cancelled because its thread ended, or one that the kernel no longer takes) is finished
// by the classic calls while its completion is reaped.
//
// A forked child must not use the queues of its parent; destroying one there does not wait.
class UringQueue final : public IoQueue {
 public:
  static constexpr size_t kMaxDepth = 1024;

  // ResourceExhausted or Unavailable where no ring can be had.
  static absl::StatusOr<std::unique_ptr<UringQueue>> Make(size_t depth);
  ~UringQueue() override;

  size_t depth() const override { return slots_.size(); }
  size_t pending() const override { return pending_; }
  absl::Status Submit(std::span<const IoRequest> requests) override;
  absl::Status Wait(size_t count, std::vector<IoCompletion>* completions) override;

 private:
  struct Slot {
    IoRequest request;
    PosixFile* file = nullptr;
    uint64_t write_mark = 0;  // of a sync: the writes that it covers
  };

  UringQueue(std::unique_ptr<Ring> ring, size_t depth);

  void Add(const IoRequest& request);
  size_t TakeSlot();
  void Fill(size_t slot);
  void HandOver();
  void Reap();
  void Complete(size_t slot, int result);

  const std::unique_ptr<Ring> ring_;
  const pid_t owner_;
  std::vector<Slot> slots_;
  std::vector<size_t> free_;    // slots
  std::vector<size_t> filled_;  // slots whose entry is not yet handed over, in that order
  size_t under_way_ = 0;        // requests that the kernel has
  size_t pending_ = 0;
  std::vector<IoCompletion> completed_;
};

}  // namespace keel::io

#endif  // KEEL_IO_URING_QUEUE_H_
