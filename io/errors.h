// Errors of the operating system as statuses (IO1 of io/file_system.h): which operation, on which
// file, where, why, and what to do about it.
//
//   pwrite /data/db/data at 8192, 4096 bytes: No space left on device; free some space on this
//   file system

#ifndef KEEL_IO_ERRORS_H_
#define KEEL_IO_ERRORS_H_

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace keel::io {

// The code of an errno value, as IO1 assigns it.
absl::StatusCode CodeOfErrno(int error);

// REQUIRES: error != 0.
absl::Status ErrnoStatus(int error, std::string_view operation, const std::filesystem::path& path);
absl::Status ErrnoStatus(int error, std::string_view operation, const std::filesystem::path& path,
                         uint64_t offset, uint64_t length);

// Decides whether a transfer that failed is begun again (IO4): always after a signal, a bounded
// number of times after EAGAIN. Never to be asked about a sync.
class Retry {
 public:
  // Waits a little where that helps.
  bool Again(int error);

 private:
  int busy_attempts_ = 0;
};

}  // namespace keel::io

#endif  // KEEL_IO_ERRORS_H_
