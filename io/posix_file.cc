#include "io/posix_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/disk_full.h"
#include "base/status.h"
#include "io/errors.h"
#include "io/lock_holder.h"

namespace keel::io {
namespace {

constexpr uint64_t kMaxOffset = std::numeric_limits<off_t>::max();
// Small enough that a program whose timers interrupt it gets ahead on a file system that begins a
// reservation again from the start.
constexpr uint64_t kReserveStep = 16ULL << 20;
constexpr size_t kZeroStep = 1U << 20;

off_t Place(uint64_t offset) { return static_cast<off_t>(offset); }

size_t AsSize(ssize_t count) { return static_cast<size_t>(count); }

bool IsUnsupported(int error) { return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL; }

ssize_t WriteSome(int fd, std::span<const std::byte> data, off_t offset, int flags) {
  if (flags == 0) return pwrite(fd, data.data(), data.size(), offset);
  iovec part = {const_cast<std::byte*>(data.data()), data.size()};
  return pwritev2(fd, &part, 1, offset, flags);
}

// Where a write goes on that has come as far as `done`.
size_t NextPlace(size_t done, size_t size, uint32_t alignment) {
  return done >= size ? size : done - done % alignment;
}

uint64_t RoundUp(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

absl::Status SizeLimitError(std::string_view operation, const std::filesystem::path& path,
                            uint64_t end, uint64_t limit) {
  return MarkDiskFull(
      MakeStatus(absl::StatusCode::kResourceExhausted,
                 "%s %s up to %d: the process may not write beyond %d (RLIMIT_FSIZE); raise the "
                 "file size limit (ulimit -f)",
                 operation, path.native(), end, limit));
}

int OpenFileLock(int fd, int command, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;  // with l_start = l_len = 0: the whole file, however long it grows
  return fcntl(fd, command, &lock);
}

}  // namespace

PosixFile::PosixFile(std::filesystem::path path, OpenedFile opened, SyncCounters* sync_counters)
    : File(std::move(path), opened.alignment),
      descriptor_(std::move(opened.descriptor)),
      read_only_(opened.read_only),
      sync_counters_(sync_counters) {}

PosixFile::~PosixFile() { Unlock(); }

absl::StatusOr<size_t> PosixFile::Read(uint64_t offset, std::span<std::byte> buffer) {
  KEEL_RETURN_IF_ERROR(CheckRead(offset, buffer));
  return FinishRead(offset, buffer, 0);
}

absl::Status PosixFile::Write(uint64_t offset, std::span<const std::byte> data) {
  KEEL_RETURN_IF_ERROR(CheckWrite(offset, data));
  absl::Status status = FinishWrite(offset, data, 0);
  NoteWriteCompleted();
  return status;
}

absl::Status PosixFile::Sync(SyncPurpose purpose) {
  sync_counters_->Add(purpose);
  return FinishSync();
}

FlushOutcome PosixFile::WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                      SyncPurpose purpose, FlushMethod method) {
  if (method == FlushMethod::kDataSyncWrite && AllWritesSynced() && data_sync_write_works_) {
    return DataSyncWrite(offset, data, purpose);
  }
  FlushOutcome outcome;
  outcome.write = Write(offset, data);
  if (outcome.write.ok()) outcome.sync = Sync(purpose);
  return outcome;
}

// Transfers.

absl::Status PosixFile::CheckRange(std::string_view operation, uint64_t offset,
                                   uint64_t length) const {
  if (offset <= kMaxOffset && length <= kMaxOffset - offset) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    "%s %s at %d, %d bytes: beyond the largest file", operation, path().native(),
                    offset, length);
}

absl::Status PosixFile::CheckAlignment(std::string_view operation, uint64_t offset,
                                       std::span<const std::byte> bytes) const {
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  if ((offset | bytes.size() | address) % alignment() == 0) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    "%s %s at %d, %d bytes, memory at %#x: not multiples of %d, as transfers past "
                    "the cache must be",
                    operation, path().native(), offset, bytes.size(), address, alignment());
}

absl::Status PosixFile::CheckSizeLimit(std::string_view operation, uint64_t offset,
                                       uint64_t length) const {
  rlimit limit = {};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return absl::OkStatus();
  }
  if (offset + length <= limit.rlim_cur) return absl::OkStatus();
  return SizeLimitError(operation, path(), offset + length, limit.rlim_cur);
}

absl::Status PosixFile::CheckRead(uint64_t offset, std::span<const std::byte> buffer) const {
  KEEL_RETURN_IF_ERROR(CheckRange("read", offset, buffer.size()));
  return CheckAlignment("read", offset, buffer);
}

absl::Status PosixFile::CheckWrite(uint64_t offset, std::span<const std::byte> data) const {
  if (read_only_) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, "write %s: opened for reading only",
                      path().native());
  }
  KEEL_RETURN_IF_ERROR(CheckRange("write", offset, data.size()));
  KEEL_RETURN_IF_ERROR(CheckAlignment("write", offset, data));
  return CheckSizeLimit("write", offset, data.size());
}

absl::StatusOr<size_t> PosixFile::FinishRead(uint64_t offset, std::span<std::byte> buffer,
                                             size_t done) {
  Retry retry;
  // Only the end of the file cuts a direct read in the middle of a block.
  while (done < buffer.size() && done % alignment() == 0) {
    const ssize_t got =
        pread(descriptor(), buffer.data() + done, buffer.size() - done, Place(offset + done));
    if (got == 0) break;
    if (got > 0) {
      done += AsSize(got);
    } else if (!retry.Again(errno)) {
      return ErrnoStatus(errno, "pread", path(), offset + done, buffer.size() - done);
    }
  }
  return done;
}

int PosixFile::WriteOut(uint64_t offset, std::span<const std::byte> data, int flags,
                        size_t* done) const {
  Retry retry;
  *done -= *done % alignment();  // a direct write goes on at a block
  while (*done < data.size()) {
    const ssize_t put = WriteSome(descriptor(), data.subspan(*done), Place(offset + *done), flags);
    const size_t next = put < 0 ? *done : NextPlace(*done + AsSize(put), data.size(), alignment());
    const int error = put < 0 ? errno : EAGAIN;
    if (next == *done && !retry.Again(error)) return error;
    *done = next;
  }
  return 0;
}

absl::Status PosixFile::FinishWrite(uint64_t offset, std::span<const std::byte> data, size_t done) {
  const int error = WriteOut(offset, data, 0, &done);
  if (error == 0) return absl::OkStatus();
  return ErrnoStatus(error, "pwrite", path(), offset + done, data.size() - done);
}

// Syncs.

absl::Status PosixFile::FinishSync() {
  const uint64_t mark = WriteMark();
  if (fdatasync(descriptor()) != 0) return ErrnoStatus(errno, "fdatasync", path());
  NoteSynced(mark);
  return absl::OkStatus();
}

void PosixFile::NoteSynced(uint64_t mark) {
  uint64_t synced = writes_synced_.load(std::memory_order_relaxed);
  while (synced < mark && !writes_synced_.compare_exchange_weak(synced, mark)) {
  }
}

bool PosixFile::AllWritesSynced() const {
  return WriteMark() == writes_synced_.load(std::memory_order_acquire);
}

FlushOutcome PosixFile::DataSyncWrite(uint64_t offset, std::span<const std::byte> data,
                                      SyncPurpose purpose) {
  FlushOutcome outcome;
  outcome.write = CheckWrite(offset, data);
  if (!outcome.write.ok()) return outcome;
  size_t done = 0;
  const int error = WriteOut(offset, data, RWF_DSYNC, &done);
  if (done == 0 && IsUnsupported(error)) {
    data_sync_write_works_ = false;
    return WriteThenSync(offset, data, purpose, FlushMethod::kWriteThenSync);
  }
  sync_counters_->Add(purpose);
  if (error == 0) return outcome;
  NoteWriteCompleted();
  outcome.sync =
      ErrnoStatus(error, "pwritev2 (RWF_DSYNC)", path(), offset + done, data.size() - done);
  return outcome;
}

// Size and space.

absl::StatusOr<uint64_t> PosixFile::Size() {
  struct stat info = {};
  if (fstat(descriptor(), &info) != 0) return ErrnoStatus(errno, "fstat", path());
  return static_cast<uint64_t>(info.st_size);
}

absl::Status PosixFile::SetSize(uint64_t size) {
  int result = -1;
  do {
    result = ftruncate(descriptor(), Place(size));
  } while (result != 0 && errno == EINTR);
  const int error = errno;
  NoteWriteCompleted();
  if (result == 0) return absl::OkStatus();
  return ErrnoStatus(error, "ftruncate", path(), size, 0);
}

absl::Status PosixFile::Truncate(uint64_t size) {
  KEEL_RETURN_IF_ERROR(CheckRange("truncate", size, 0));
  KEEL_ASSIGN_OR_RETURN(const uint64_t old_size, Size());
  if (size > old_size) KEEL_RETURN_IF_ERROR(CheckSizeLimit("truncate", size, 0));
  return SetSize(size);
}

absl::Status PosixFile::Allocate(uint64_t offset, uint64_t length) {
  KEEL_RETURN_IF_ERROR(CheckRange("allocate", offset, length));
  if (length == 0) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(CheckSizeLimit("allocate", offset, length));
  KEEL_ASSIGN_OR_RETURN(const uint64_t old_size, Size());
  absl::Status status = Reserve(offset, offset + length, old_size);
  NoteWriteCompleted();
  if (status.ok()) return status;
  const absl::StatusOr<uint64_t> size = Size();
  // The first error is the one to tell.
  if (size.ok() && *size > old_size) SetSize(old_size).IgnoreError();
  return status;
}

absl::Status PosixFile::Reserve(uint64_t offset, uint64_t end, uint64_t old_size) {
  Retry retry;
  while (offset < end) {
    const uint64_t step = std::min(end - offset, kReserveStep);
    if (fallocate(descriptor(), 0, Place(offset), Place(step)) == 0) {
      offset += step;
    } else if (errno == EOPNOTSUPP || errno == ENOSYS) {
      return WriteZeros(std::max(offset, old_size), end);
    } else if (!retry.Again(errno)) {
      return ErrnoStatus(errno, "fallocate", path(), offset, end - offset);
    }
  }
  return absl::OkStatus();
}

absl::Status PosixFile::WriteZeros(uint64_t from, uint64_t end) {
  if (from >= end) return absl::OkStatus();
  AlignedBuffer zeros = AlignedBuffer::Allocate(kZeroStep);
  if (zeros.empty()) return ErrnoStatus(ENOMEM, "allocate", path(), from, end - from);
  std::fill(zeros.span().begin(), zeros.span().end(), std::byte{0});
  // A direct file is written in whole blocks: the one that holds the old end has its space already,
  // the one that holds the new end is cut off after it.
  const uint64_t blocks_end = RoundUp(end, alignment());
  for (uint64_t place = RoundUp(from, alignment()); place < blocks_end;) {
    const auto step = static_cast<size_t>(std::min<uint64_t>(blocks_end - place, kZeroStep));
    KEEL_RETURN_IF_ERROR(FinishWrite(place, zeros.span().first(step), 0));
    place += step;
  }
  KEEL_ASSIGN_OR_RETURN(const uint64_t size, Size());
  return size == end ? absl::OkStatus() : SetSize(end);
}

// Lock.

absl::Status PosixFile::TryLock(LockMode mode) {
  if (mode == LockMode::kExclusive && read_only_) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "lock %s: opened for reading only, which allows no exclusive lock",
                      path().native());
  }
  const short type = mode == LockMode::kExclusive ? F_WRLCK : F_RDLCK;
  if (OpenFileLock(descriptor(), F_OFD_SETLK, type) == 0) {
    lock_owner_ = getpid();
    return absl::OkStatus();
  }
  const int error = errno;
  if (error != EAGAIN && error != EACCES) return ErrnoStatus(error, "lock", path());
  return MakeStatus(absl::StatusCode::kFailedPrecondition, "lock %s: %s", path().native(),
                    DescribeLockHolder(descriptor()));
}

void PosixFile::Unlock() {
  // Closing would leave the lock with the copies of the descriptor that forked children hold. Such
  // a child, for its part, must not take it from its parent.
  if (lock_owner_ == getpid()) OpenFileLock(descriptor(), F_OFD_SETLK, F_UNLCK);
}

}  // namespace keel::io
