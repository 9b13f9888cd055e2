#include "io/open_regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "io/errors.h"

namespace keel::io {
namespace {

constexpr unsigned kFileMode = 0644;
constexpr uint32_t kNotDirect = 1;
// Where the file system does not say: what every block device takes.
constexpr uint32_t kUsualAlignment = 4096;

int OpenFlags(const FileOptions& options) {
  // O_NONBLOCK, so that a fifo or a device is found out and not waited for.
  int flags = O_NONBLOCK | O_NOCTTY | (options.read_only ? O_RDONLY : O_RDWR);
  if (options.create) flags |= O_CREAT;
  if (options.create && options.exclusive) flags |= O_EXCL;
  return flags;
}

std::string_view KindName(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a fifo";
  if (S_ISBLK(mode)) return "a block device";
  if (S_ISCHR(mode)) return "a character device";
  return "something else";
}

absl::Status CheckRegular(int fd, const std::filesystem::path& path) {
  struct stat info = {};
  if (fstat(fd, &info) != 0) return ErrnoStatus(errno, "fstat", path);
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument, "open %s: not a regular file but %s",
                    path.native(), KindName(info.st_mode));
}

struct DirectAccess {
  uint32_t alignment = kUsualAlignment;
  bool stated = false;  // by the file system, for this file
};

// What offsets, lengths and addresses of direct transfers must be multiples of; kNotDirect: the
// file system says that there are none.
DirectAccess FindDirectAccess(int fd) {
#ifdef STATX_DIOALIGN
  struct statx info = {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
      (info.stx_mask & STATX_DIOALIGN) != 0) {
    const uint32_t alignment = std::max(info.stx_dio_mem_align, info.stx_dio_offset_align);
    return {alignment == 0 ? kNotDirect : alignment, true};
  }
#else
  (void)fd;
#endif
  return {};
}

bool CanReadDirectly(int fd, uint32_t alignment) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(alignment);
  if (buffer.empty()) return false;
  // Any other error is the reader's to meet.
  return pread(fd, buffer.data(), alignment, 0) >= 0 || errno != EINVAL;
}

// The alignment to keep to from now on; kNotDirect if the cache cannot be bypassed.
uint32_t TurnOnDirect(int fd, int flags) {
  const DirectAccess access = FindDirectAccess(fd);
  const uint32_t alignment = access.alignment;
  if (alignment == kNotDirect || alignment > AlignedBuffer::kAlignment) return kNotDirect;
  if (fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) return kNotDirect;
  const bool on = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
  // What the file system says of this very file needs no trial, which a database of many files would make for each.
  if (on && (access.stated || CanReadDirectly(fd, alignment))) return alignment;
  fcntl(fd, F_SETFL, flags);
  return kNotDirect;
}

}  // namespace

absl::StatusOr<OpenedFile> OpenRegularFile(const std::filesystem::path& path,
                                           const FileOptions& options) {
  Descriptor descriptor = OpenDescriptor(path.c_str(), OpenFlags(options), kFileMode);
  if (!descriptor.valid()) return ErrnoStatus(errno, "open", path);
  const int fd = descriptor.get();
  KEEL_RETURN_IF_ERROR(CheckRegular(fd, path));

  // Without O_NONBLOCK, which would make io_uring refuse instead of wait.
  const int flags = fcntl(fd, F_GETFL) & ~O_NONBLOCK;
  if (fcntl(fd, F_SETFL, flags) != 0) return ErrnoStatus(errno, "fcntl", path);
  const uint32_t alignment = options.direct ? TurnOnDirect(fd, flags) : kNotDirect;
  return OpenedFile{std::move(descriptor), alignment, options.read_only};
}

}  // namespace keel::io
