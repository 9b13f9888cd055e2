#include "bench/compare/copy_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/status.h"

namespace keel::compare {
namespace {

absl::Status Failed(const std::filesystem::path& path) {
  return absl::ErrnoToStatus(errno, path.string());
}

absl::Status ToStatus(const std::error_code& error, const std::filesystem::path& path) {
  if (!error) return absl::OkStatus();
  return absl::InternalError(path.string() + ": " + error.message());
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

// False with errno set.
bool CopyRange(int source, int target, off_t begin, off_t end, std::string* buffer) {
  while (begin < end) {
    const size_t wanted = std::min(buffer->size(), static_cast<size_t>(end - begin));
    const ssize_t size = pread(source, buffer->data(), wanted, begin);
    if (size <= 0) return false;
    if (pwrite(target, buffer->data(), static_cast<size_t>(size), begin) != size) return false;
    begin += size;
  }
  return true;
}

absl::Status CopyFile(const std::filesystem::path& source, const std::filesystem::path& target) {
  constexpr size_t kBufferBytes = size_t{1} << 20;
  const Descriptor from(source, O_RDONLY);
  const Descriptor to(target, O_WRONLY | O_CREAT | O_EXCL);
  struct stat status = {};
  if (from.get() < 0 || to.get() < 0 || fstat(from.get(), &status) != 0) return Failed(source);
  if (ftruncate(to.get(), status.st_size) != 0) return Failed(target);
  std::string buffer(kBufferBytes, '\0');
  for (off_t end = 0;;) {
    const off_t begin = lseek(from.get(), end, SEEK_DATA);
    if (begin < 0) return errno == ENXIO ? absl::OkStatus() : Failed(source);
    end = lseek(from.get(), begin, SEEK_HOLE);
    if (end < 0 || !CopyRange(from.get(), to.get(), begin, end, &buffer)) return Failed(source);
  }
}

absl::Status SyncFile(const std::filesystem::path& path, bool cold) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0 || fsync(file.get()) != 0) return Failed(path);
  if (cold) posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyFiles(const std::filesystem::path& source, const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::create_directories(target, error);
  KEEL_RETURN_IF_ERROR(ToStatus(error, target));
  for (const auto& entry : std::filesystem::directory_iterator(source, error)) {
    const std::filesystem::path place = target / entry.path().filename();
    KEEL_RETURN_IF_ERROR(entry.is_directory() ? CopyFiles(entry.path(), place)
                                              : CopyFile(entry.path(), place));
  }
  return ToStatus(error, source);
}

absl::Status SyncFiles(const std::filesystem::path& directory, bool cold) {
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    if (entry.is_regular_file()) KEEL_RETURN_IF_ERROR(SyncFile(entry.path(), cold));
  }
  return ToStatus(error, directory);
}

}  // namespace keel::compare
