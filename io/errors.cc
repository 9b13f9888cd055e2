#include "io/errors.h"

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"

namespace keel::io {
namespace {

constexpr int kMaxBusyAttempts = 100;
constexpr absl::Duration kBusyPause = absl::Microseconds(100);

// What the operator can do, or "".
std::string_view Advice(int error) {
  switch (error) {
    case ENOSPC:
      return "; free some space on this file system";
    case EDQUOT:
      return "; free some space or raise the disk quota";
    case EFBIG:
      return "; raise the file size limit (ulimit -f), or use a file system that takes larger "
             "files";
    case EMFILE:
      return "; raise the limit of open files (ulimit -n)";
    case ENFILE:
      return "; raise the system's limit of open files (fs.file-max)";
    case EACCES:
    case EPERM:
      return "; check owner and mode of the file and of its directories";
    case EROFS:
      return "; remount it writable, or open the database read-only";
    default:
      return "";
  }
}

absl::Status OfErrno(int error, const std::string& message) {
  absl::Status status(CodeOfErrno(error), message);
  const bool disk_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return disk_full ? MarkDiskFull(std::move(status)) : status;
}

std::string Reason(int error) {
  return absl::StrFormat("%s%s", std::generic_category().message(error), Advice(error));
}

}  // namespace

absl::StatusCode CodeOfErrno(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO:  // open() of a socket, or of a fifo without a reader
      return absl::StatusCode::kInvalidArgument;
    case ENOTEMPTY:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status ErrnoStatus(int error, std::string_view operation, const std::filesystem::path& path) {
  KEEL_CHECK(error != 0);
  return OfErrno(error, absl::StrFormat("%s %s: %s", operation, path.native(), Reason(error)));
}

absl::Status ErrnoStatus(int error, std::string_view operation, const std::filesystem::path& path,
                         uint64_t offset, uint64_t length) {
  KEEL_CHECK(error != 0);
  return OfErrno(error, absl::StrFormat("%s %s at %d, %d bytes: %s", operation, path.native(),
                                        offset, length, Reason(error)));
}

bool Retry::Again(int error) {
  if (error == EINTR) return true;
  if (error != EAGAIN || ++busy_attempts_ > kMaxBusyAttempts) return false;
  absl::SleepFor(kBusyPause);
  return true;
}

}  // namespace keel::io
