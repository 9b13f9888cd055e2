#include "io/posix_file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "io/descriptor.h"
#include "io/errors.h"
#include "io/open_regular_file.h"
#include "io/posix_file.h"
#include "io/synchronous_queue.h"

namespace keel::io {
namespace {

constexpr unsigned kDirectoryMode = 0755;

}  // namespace

PosixFileSystem::PosixFileSystem(std::string reason) : reason_(std::move(reason)) {}

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::filesystem::path& path,
                                                            const FileOptions& options) {
  KEEL_ASSIGN_OR_RETURN(OpenedFile opened, OpenRegularFile(path, options));
  return std::make_unique<PosixFile>(path, std::move(opened), &sync_counters());
}

absl::StatusOr<std::unique_ptr<IoQueue>> PosixFileSystem::NewQueue(size_t depth) {
  KEEL_CHECK(depth > 0);
  return std::make_unique<SynchronousQueue>(depth);
}

absl::Status PosixFileSystem::CreateDirectory(const std::filesystem::path& path) {
  if (mkdir(path.c_str(), kDirectoryMode) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "mkdir", path);
}

absl::Status PosixFileSystem::SyncDirectory(const std::filesystem::path& path,
                                            SyncPurpose purpose) {
  const Descriptor directory = OpenDescriptor(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!directory.valid()) return ErrnoStatus(errno, "open directory", path);
  sync_counters().Add(purpose);
  if (fsync(directory.get()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "fsync directory", path);
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::filesystem::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().native());
  }
  if (error) return ErrnoStatus(error.value(), "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<bool> PosixFileSystem::Exists(const std::filesystem::path& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return ErrnoStatus(errno, "stat", path);
}

absl::Status PosixFileSystem::Rename(const std::filesystem::path& from,
                                     const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return WithContext(ErrnoStatus(errno, "to", to), "rename " + from.native());
}

absl::Status PosixFileSystem::Remove(const std::filesystem::path& path) {
  if (std::remove(path.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "remove", path);
}

absl::StatusOr<uint64_t> PosixFileSystem::FreeSpace(const std::filesystem::path& path) {
  struct statvfs info = {};
  int result = -1;
  do {
    result = statvfs(path.c_str(), &info);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return ErrnoStatus(errno, "statvfs", path);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

uint64_t PosixFileSystem::process_id() const { return static_cast<uint64_t>(getpid()); }

}  // namespace keel::io
