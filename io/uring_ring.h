// One io_uring, and what Keel asks of it: requests in, results out. A result is the number of bytes
// transferred, or a negated errno value.

#ifndef KEEL_IO_URING_RING_H_
#define KEEL_IO_URING_RING_H_

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace keel::io {

// One owner; not thread-safe, but may pass from thread to thread.
class Ring {
 public:
  static constexpr size_t kMaxTransfer = 1U << 30;

  struct Result {
    uint64_t tag = 0;
    int value = 0;
  };

  // A ring for `entries` requests under way at once. ResourceExhausted (descriptors, memory), else
  // Unavailable with the reason, e.g. "io_uring_setup: Operation not permitted".
  static absl::StatusOr<std::unique_ptr<Ring>> Make(unsigned entries);
  // Does not wait; see Wait.
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  io_uring* get() { return &ring_; }

  // Fill the next entry. A transfer longer than kMaxTransfer is begun with that much of it.
  // REQUIRES: fewer than `entries` requests filled or under way.
  void AddRead(int fd, std::span<std::byte> buffer, uint64_t offset, uint64_t tag);
  void AddWrite(int fd, std::span<const std::byte> data, uint64_t offset, uint64_t tag);
  void AddDataSync(int fd, uint64_t tag);
  // A write whose success the data sync waits for; two entries.
  void AddWriteThenDataSync(int fd, std::span<const std::byte> data, uint64_t offset,
                            uint64_t write_tag, uint64_t sync_tag);
  // Hands over the filled entries; returns how many the kernel took, first ones first. If not all,
  // the ring is no longer usable: a filter installed since then may forbid the call. Requests taken
  // before are still completed.
  size_t Submit();
  bool usable() const { return usable_; }

  std::optional<Result> Poll();
  // REQUIRES: a request is under way.
  Result Wait();
  // The same for at most about `time`. Buffers stay the kernel's.
  std::optional<Result> WaitFor(absl::Duration time);

 private:
  Ring() = default;

  io_uring_sqe* NextEntry();
  Result Take(io_uring_cqe* entry);

  io_uring ring_ = {};
  size_t filled_ = 0;
  bool usable_ = true;
};

// Whether this result says that the request was not carried out: cancelled because the one it was
// linked to failed, or because the thread that submitted it has ended.
bool NotBegun(int result);
// Whether a transfer with this error is to be carried on by the classic calls (IO4). Never to be
// asked about a sync.
bool MayCarryOn(int result);

}  // namespace keel::io

#endif  // KEEL_IO_URING_RING_H_
