#include "io/uring_ring.h"

#include <absl/time/clock.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/check.h"
#include "base/status.h"
#include "io/errors.h"

namespace keel::io {
namespace {

constexpr absl::Duration kPollPause = absl::Microseconds(100);

absl::Status SetupError(int error) {
  const absl::StatusCode code = CodeOfErrno(error) == absl::StatusCode::kResourceExhausted
                                    ? absl::StatusCode::kResourceExhausted
                                    : absl::StatusCode::kUnavailable;
  return MakeStatus(code, "io_uring_setup: %s", std::generic_category().message(error));
}

unsigned TransferLength(size_t length) {
  return static_cast<unsigned>(std::min(length, Ring::kMaxTransfer));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ring>> Ring::Make(unsigned entries) {
  std::unique_ptr<Ring> ring(new Ring);
  // No interrupt for a thread that is busy while its requests end: it looks when it waits for them. Kernels before 5.19
  // do not know that. (Not single-issuer rings: those could not pass from thread to thread.)
  int result = io_uring_queue_init(entries, &ring->ring_, IORING_SETUP_COOP_TASKRUN);
  if (result == -EINVAL) result = io_uring_queue_init(entries, &ring->ring_, 0);
  if (result == 0) return ring;
  ring->ring_.ring_fd = -1;
  return SetupError(-result);
}

Ring::~Ring() {
  if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::NextEntry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  KEEL_CHECK(entry != nullptr);
  ++filled_;
  return entry;
}

void Ring::AddRead(int fd, std::span<std::byte> buffer, uint64_t offset, uint64_t tag) {
  io_uring_sqe* entry = NextEntry();
  io_uring_prep_read(entry, fd, buffer.data(), TransferLength(buffer.size()), offset);
  entry->user_data = tag;
}

void Ring::AddWrite(int fd, std::span<const std::byte> data, uint64_t offset, uint64_t tag) {
  io_uring_sqe* entry = NextEntry();
  io_uring_prep_write(entry, fd, data.data(), TransferLength(data.size()), offset);
  entry->user_data = tag;
}

void Ring::AddDataSync(int fd, uint64_t tag) {
  io_uring_sqe* entry = NextEntry();
  io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC);
  entry->user_data = tag;
}

void Ring::AddWriteThenDataSync(int fd, std::span<const std::byte> data, uint64_t offset,
                                uint64_t write_tag, uint64_t sync_tag) {
  io_uring_sqe* entry = NextEntry();
  io_uring_prep_write(entry, fd, data.data(), TransferLength(data.size()), offset);
  entry->user_data = write_tag;
  entry->flags |= IOSQE_IO_LINK;
  AddDataSync(fd, sync_tag);
}

size_t Ring::Submit() {
  size_t taken = 0;
  for (Retry retry; taken < filled_ && usable_;) {
    const int result = io_uring_submit(&ring_);
    if (result > 0) {
      taken += static_cast<size_t>(result);
    } else {
      // Short of memory for requests (EAGAIN), or for completions (EBUSY).
      const bool busy = result == 0 || result == -EBUSY;
      usable_ = retry.Again(busy ? EAGAIN : -result);
    }
  }
  filled_ = 0;
  return taken;
}

std::optional<Ring::Result> Ring::Poll() {
  io_uring_cqe* entry = nullptr;
  if (io_uring_peek_cqe(&ring_, &entry) != 0) return std::nullopt;
  return Take(entry);
}

Ring::Result Ring::Wait() {
  for (;;) {
    io_uring_cqe* entry = nullptr;
    const int result = io_uring_wait_cqe(&ring_, &entry);
    if (result == 0) return Take(entry);
    // The buffers are the kernel's until it says otherwise, so waiting never ends early. Where the
    // call itself is forbidden by now, completions still appear in the memory shared with it.
    if (result != -EINTR) absl::SleepFor(kPollPause);
  }
}

std::optional<Ring::Result> Ring::WaitFor(absl::Duration time) {
  const absl::Time deadline = absl::Now() + time;
  // Older kernels would count time with a request of its own.
  const bool counts_time = (ring_.features & IORING_FEAT_EXT_ARG) != 0;
  for (;;) {
    if (const std::optional<Result> result = Poll()) return result;
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return std::nullopt;
    io_uring_cqe* entry = nullptr;
    __kernel_timespec limit{.tv_sec = absl::ToTimespec(left).tv_sec,
                            .tv_nsec = absl::ToTimespec(left).tv_nsec};
    const int result =
        counts_time ? io_uring_wait_cqe_timeout(&ring_, &entry, &limit) : -EOPNOTSUPP;
    if (result != 0 && result != -EINTR && result != -ETIME) absl::SleepFor(kPollPause);
  }
}

Ring::Result Ring::Take(io_uring_cqe* entry) {
  const Result result{entry->user_data, entry->res};
  io_uring_cqe_seen(&ring_, entry);
  return result;
}

bool NotBegun(int result) {
  // A request that still waits to be issued when its thread ends gets EFAULT from some kernels.
  return result == -ECANCELED || result == -EFAULT;
}

bool MayCarryOn(int result) { return NotBegun(result) || result == -EINTR || result == -EAGAIN; }

}  // namespace keel::io
