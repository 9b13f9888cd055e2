#include "io/uring_file_system.h"

#include <absl/base/const_init.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/descriptor.h"
#include "io/errors.h"
#include "io/open_regular_file.h"
#include "io/uring_file.h"
#include "io/uring_queue.h"
#include "io/uring_ring.h"

namespace keel::io {
namespace {

constexpr unsigned kProbeEntries = 2;
constexpr size_t kProbeBytes = 512;
// Requests in memory alone take microseconds.
constexpr absl::Duration kAnswerMax = absl::Seconds(1);

struct Operation {
  int code;
  std::string_view name;
};
constexpr Operation kOperations[] = {
    {IORING_OP_READ, "read"},
    {IORING_OP_WRITE, "write"},
    {IORING_OP_FSYNC, "fsync"},
};

absl::Status Refused(std::string_view what) {
  return MakeStatus(absl::StatusCode::kUnavailable, "io_uring: %s", what);
}

absl::Status CheckOperations(Ring& ring) {
  if ((ring.get()->features & IORING_FEAT_NODROP) == 0) {
    return Refused("this kernel may lose completions");
  }
  io_uring_probe* probe = io_uring_get_probe_ring(ring.get());
  if (probe == nullptr) return Refused("this kernel does not tell its operations");
  absl::Status status;
  for (const Operation& operation : kOperations) {
    if (!io_uring_opcode_supported(probe, operation.code)) {
      status = Refused(absl::StrFormat("this kernel has no %s", operation.name));
    }
  }
  io_uring_free_probe(probe);
  return status;
}

// What a trial works with, all of which the kernel may still use when it does not answer.
struct Trial {
  std::unique_ptr<Ring> ring;
  Descriptor file;
  std::array<std::byte, kProbeBytes> out;
  std::array<std::byte, kProbeBytes> in;
  bool lost = false;  // a request was not answered
};

// Submits what was added, and expects `expected` as the result of each of `count` requests, whose
// tags are 0, 1...
absl::Status Expect(Trial& trial, std::span<const int> expected) {
  const size_t taken = trial.ring->Submit();
  absl::Status status = taken == expected.size() ? absl::OkStatus() : Refused("refuses requests");
  for (size_t i = 0; i < taken; ++i) {
    const std::optional<Ring::Result> result = trial.ring->WaitFor(kAnswerMax);
    if (!result.has_value()) {
      trial.lost = true;
      return Refused("a trial request was taken and not answered");
    }
    if (result->value == expected[result->tag]) continue;
    status = Refused(absl::StrFormat("a trial request gave %d instead of %d", result->value,
                                     expected[result->tag]));
  }
  return status;
}

absl::Status TryRequests(Trial& trial) {
  trial.file = Descriptor(memfd_create("keel-probe", MFD_CLOEXEC));
  if (!trial.file.valid()) return ErrnoStatus(errno, "memfd_create", "keel-probe");
  trial.out.fill(std::byte{0x5a});
  trial.in.fill(std::byte{0});
  const int bytes = kProbeBytes;

  trial.ring->AddWriteThenDataSync(trial.file.get(), trial.out, 0, 0, 1);
  KEEL_RETURN_IF_ERROR(Expect(trial, std::array{bytes, 0}));
  trial.ring->AddRead(trial.file.get(), trial.in, 0, 0);
  KEEL_RETURN_IF_ERROR(Expect(trial, std::array{bytes}));
  return trial.in == trial.out ? absl::OkStatus() : Refused("a trial read gave other bytes");
}

// Never freed: the kernel may write to it whenever it comes to it.
void LeaveToKernel(std::unique_ptr<Trial> trial) {
  static absl::Mutex mutex(absl::kConstInit);
  static auto* const left = new std::vector<std::unique_ptr<Trial>>;
  const absl::MutexLock lock(&mutex);
  left->push_back(std::move(trial));
}

}  // namespace

// A request that is not answered has been seen with a kernel that had taken it (6.18). A database would wait for its
// file system for ever, so what comes so late counts as never.
absl::Status UringFileSystem::Probe() {
  auto trial = std::make_unique<Trial>();
  KEEL_ASSIGN_OR_RETURN(trial->ring, Ring::Make(kProbeEntries));
  KEEL_RETURN_IF_ERROR(CheckOperations(*trial->ring));
  absl::Status status = TryRequests(*trial);
  if (trial->lost) LeaveToKernel(std::move(trial));
  return status;
}

absl::StatusOr<std::unique_ptr<File>> UringFileSystem::Open(const std::filesystem::path& path,
                                                            const FileOptions& options) {
  KEEL_ASSIGN_OR_RETURN(OpenedFile opened, OpenRegularFile(path, options));
  return std::make_unique<UringFile>(path, std::move(opened), &sync_counters());
}

absl::StatusOr<std::unique_ptr<IoQueue>> UringFileSystem::NewQueue(size_t depth) {
  return UringQueue::Make(depth);
}

BackendInfo UringFileSystem::backend() const {
  return {"io_uring", "its operations were tried and work"};
}

}  // namespace keel::io
