// The file system by the classic calls, for every Linux. Queues perform their requests at once.

#ifndef KEEL_IO_POSIX_FILE_SYSTEM_H_
#define KEEL_IO_POSIX_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "io/file_system.h"
#include "io/system_clock.h"
#include "io/system_random.h"

namespace keel::io {

class PosixFileSystem : public FileSystem {
 public:
  // `reason`: why this one serves.
  explicit PosixFileSystem(std::string reason = "asked for");

  absl::StatusOr<std::unique_ptr<File>> Open(const std::filesystem::path& path,
                                             const FileOptions& options) override;
  absl::StatusOr<std::unique_ptr<IoQueue>> NewQueue(size_t depth) override;
  // New directories get mode 0755 less the umask.
  absl::Status CreateDirectory(const std::filesystem::path& path) override;
  absl::Status SyncDirectory(const std::filesystem::path& path, SyncPurpose purpose) override;
  absl::StatusOr<std::vector<std::string>> List(const std::filesystem::path& path) override;
  absl::StatusOr<bool> Exists(const std::filesystem::path& path) override;
  absl::Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  absl::Status Remove(const std::filesystem::path& path) override;
  absl::StatusOr<uint64_t> FreeSpace(const std::filesystem::path& path) override;

  Clock& clock() override { return clock_; }
  Random& random() override { return random_; }
  BackendInfo backend() const override { return {"posix", reason_}; }
  uint64_t process_id() const override;

 private:
  const std::string reason_;
  SystemClock clock_;
  SystemRandom random_;
};

}  // namespace keel::io

#endif  // KEEL_IO_POSIX_FILE_SYSTEM_H_
