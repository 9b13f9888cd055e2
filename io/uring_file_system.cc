#include "io/uring_file_system.h"

#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <utility>

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

// Submits what was added, and expects `expected` as the result of each of `count` requests, whose
// tags are 0, 1...
absl::Status Expect(Ring& ring, std::span<const int> expected) {
  const size_t taken = ring.Submit();
  absl::Status status = taken == expected.size() ? absl::OkStatus() : Refused("refuses requests");
  for (size_t i = 0; i < taken; ++i) {
    const Ring::Result result = ring.Wait();
    if (result.value == expected[result.tag]) continue;
    status = Refused(absl::StrFormat("a trial request gave %d instead of %d", result.value,
                                     expected[result.tag]));
  }
  return status;
}

absl::Status TryRequests(Ring& ring) {
  const Descriptor file(memfd_create("keel-probe", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "memfd_create", "keel-probe");
  std::array<std::byte, kProbeBytes> out;
  std::array<std::byte, kProbeBytes> in{};
  out.fill(std::byte{0x5a});
  const int bytes = kProbeBytes;

  ring.AddWriteThenDataSync(file.get(), out, 0, 0, 1);
  KEEL_RETURN_IF_ERROR(Expect(ring, std::array{bytes, 0}));
  ring.AddRead(file.get(), in, 0, 0);
  KEEL_RETURN_IF_ERROR(Expect(ring, std::array{bytes}));
  return in == out ? absl::OkStatus() : Refused("a trial read gave other bytes");
}

}  // namespace

absl::Status UringFileSystem::Probe() {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Ring> ring, Ring::Make(kProbeEntries));
  KEEL_RETURN_IF_ERROR(CheckOperations(*ring));
  return TryRequests(*ring);
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
