#include "bench/compare/disk_floor.h"

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/status.h"
#include "bench/compare/clock.h"
#include "bench/compare/random.h"

namespace keel::compare {
namespace {

constexpr size_t kBlockBytes = 4096;
constexpr uint64_t kWriteFileBytes = uint64_t{64} << 20;

absl::Status Failed(const char* what, int error = errno) {
  return absl::ErrnoToStatus(error, what);
}

class FloorFile {
 public:
  FloorFile() = default;
  FloorFile(const FloorFile&) = delete;
  FloorFile& operator=(const FloorFile&) = delete;
  ~FloorFile() {
    if (fd_ >= 0) close(fd_);
  }

  // Anew, every block written and synced.
  absl::Status Make(const std::filesystem::path& path, uint64_t bytes, bool zeros);
  absl::Status Open(const std::filesystem::path& path, int flags) {
    if (fd_ >= 0) close(fd_);
    fd_ = open(path.c_str(), flags | O_CLOEXEC);
    return fd_ >= 0 ? absl::OkStatus() : Failed("open");
  }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Free {
  void operator()(char* memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<char, Free>;

// As direct I/O wants it.
Buffer NewBuffer(size_t bytes) {
  Buffer buffer(static_cast<char*>(std::aligned_alloc(kBlockBytes, bytes)));
  std::memset(buffer.get(), 0, bytes);
  return buffer;
}

absl::Status FloorFile::Make(const std::filesystem::path& path, uint64_t bytes, bool zeros) {
  constexpr size_t kPieceBytes = size_t{1} << 20;
  KEEL_RETURN_IF_ERROR(Open(path, O_RDWR | O_CREAT | O_TRUNC));
  const Buffer piece = NewBuffer(kPieceBytes);
  Random random(bytes);
  for (uint64_t at = 0; at < bytes; at += kPieceBytes) {
    for (size_t word = 0; !zeros && word < kPieceBytes; word += sizeof(uint64_t)) {
      const uint64_t bits = random.Next();
      std::memcpy(piece.get() + word, &bits, sizeof bits);
    }
    const size_t size = std::min<uint64_t>(kPieceBytes, bytes - at);
    if (pwrite(fd_, piece.get(), size, static_cast<off_t>(at)) != static_cast<ssize_t>(size)) {
      return Failed("write");
    }
  }
  if (fsync(fd_) != 0) return Failed("fsync");
  return absl::OkStatus();
}

int FlagsOf(WriteMethod method) {
  switch (method) {
    case WriteMethod::kBuffered:
      return O_RDWR;
    case WriteMethod::kDirect:
      return O_RDWR | O_DIRECT;
    case WriteMethod::kDirectDsync:
      break;
  }
  return O_RDWR | O_DIRECT | O_DSYNC;
}

// Reads with so many blocks under way, each with a buffer and a time of its own.
class DeepReader {
 public:
  DeepReader(int fd, uint64_t blocks, unsigned depth, uint64_t seed)
      : fd_(fd), blocks_(blocks), depth_(depth), random_(seed), begins_(depth) {
    buffers_ = NewBuffer(kBlockBytes * depth);
  }
  DeepReader(const DeepReader&) = delete;
  DeepReader& operator=(const DeepReader&) = delete;
  ~DeepReader() {
    if (open_) io_uring_queue_exit(&ring_);
  }

  absl::Status Run(double seconds, Measurement* measurement);

 private:
  void Submit(unsigned slot);
  absl::Status ReapOne(Measurement* measurement, unsigned* slot);

  const int fd_;
  const uint64_t blocks_;
  const unsigned depth_;
  Random random_;
  Buffer buffers_;
  std::vector<uint64_t> begins_;
  io_uring ring_ = {};
  bool open_ = false;
};

void DeepReader::Submit(unsigned slot) {
  io_uring_sqe* const entry = io_uring_get_sqe(&ring_);  // there is one for each slot
  io_uring_prep_read(entry, fd_, buffers_.get() + kBlockBytes * slot, kBlockBytes,
                     random_.Below(blocks_) * kBlockBytes);
  io_uring_sqe_set_data64(entry, slot);
  begins_[slot] = NowNs();
  io_uring_submit(&ring_);
}

absl::Status DeepReader::ReapOne(Measurement* measurement, unsigned* slot) {
  io_uring_cqe* completion = nullptr;
  if (const int error = io_uring_wait_cqe(&ring_, &completion); error != 0) {
    return Failed("io_uring_wait_cqe", -error);
  }
  const int read = completion->res;
  *slot = static_cast<unsigned>(io_uring_cqe_get_data64(completion));
  io_uring_cqe_seen(&ring_, completion);
  if (read != static_cast<int>(kBlockBytes)) return Failed("read", -read);
  measurement->latencies.Add(NowNs() - begins_[*slot]);
  ++measurement->operations;
  return absl::OkStatus();
}

absl::Status DeepReader::Run(double seconds, Measurement* measurement) {
  if (const int error = io_uring_queue_init(depth_, &ring_, 0); error != 0) {
    return Failed("io_uring_queue_init", -error);
  }
  open_ = true;
  const uint64_t begin = NowNs();
  for (unsigned slot = 0; slot < depth_; ++slot) Submit(slot);
  unsigned under_way = depth_;
  while (under_way > 0) {
    unsigned slot = 0;
    KEEL_RETURN_IF_ERROR(ReapOne(measurement, &slot));
    --under_way;
    measurement->seconds = SecondsSince(begin);
    if (measurement->seconds >= seconds) continue;
    Submit(slot);
    ++under_way;
  }
  return absl::OkStatus();
}

absl::Status ReadOneByOne(int fd, uint64_t blocks, double seconds, uint64_t seed,
                          Measurement* measurement) {
  const Buffer buffer = NewBuffer(kBlockBytes);
  Random random(seed);
  const uint64_t begin = NowNs();
  while (measurement->seconds < seconds) {
    const auto at = static_cast<off_t>(random.Below(blocks) * kBlockBytes);
    const uint64_t read_begin = NowNs();
    if (pread(fd, buffer.get(), kBlockBytes, at) != static_cast<ssize_t>(kBlockBytes)) {
      return Failed("read");
    }
    measurement->latencies.Add(NowNs() - read_begin);
    ++measurement->operations;
    measurement->seconds = SecondsSince(begin);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunDiskWrites(const Assignment& assignment, WriteMethod method,
                           Measurement* measurement) {
  const std::filesystem::path path = assignment.store_options.directory / "log";
  FloorFile file;
  KEEL_RETURN_IF_ERROR(file.Make(path, kWriteFileBytes, true));
  KEEL_RETURN_IF_ERROR(file.Open(path, FlagsOf(method)));
  const Buffer block = NewBuffer(kBlockBytes);
  const uint64_t begin = NowNs();
  while (measurement->seconds < assignment.options.seconds) {
    const auto at = static_cast<off_t>(measurement->operations * kBlockBytes % kWriteFileBytes);
    std::memcpy(block.get(), &measurement->operations, sizeof measurement->operations);
    const uint64_t write_begin = NowNs();
    if (pwrite(file.fd(), block.get(), kBlockBytes, at) != static_cast<ssize_t>(kBlockBytes)) {
      return Failed("write");
    }
    if (method != WriteMethod::kDirectDsync && fdatasync(file.fd()) != 0)
      return Failed("fdatasync");
    measurement->latencies.Add(NowNs() - write_begin);
    ++measurement->operations;
    measurement->seconds = SecondsSince(begin);
  }
  return absl::OkStatus();
}

absl::Status RunDiskReads(const Assignment& assignment, unsigned depth, Measurement* measurement) {
  const std::filesystem::path path = assignment.store_options.directory / "data";
  const uint64_t blocks = std::max<uint64_t>(1, assignment.options.large_bytes / kBlockBytes);
  FloorFile file;
  KEEL_RETURN_IF_ERROR(file.Make(path, blocks * kBlockBytes, false));
  KEEL_RETURN_IF_ERROR(file.Open(path, O_RDONLY | O_DIRECT));
  const double seconds = assignment.options.seconds;
  if (depth == 1) return ReadOneByOne(file.fd(), blocks, seconds, assignment.seed, measurement);
  return DeepReader(file.fd(), blocks, depth, assignment.seed).Run(seconds, measurement);
}

}  // namespace keel::compare
