// Choosing the file system of this machine.
//
//   absl::StatusOr<std::unique_ptr<FileSystem>> fs = OpenFileSystem(IoBackend::kAuto);
//   BackendInfo info = (*fs)->backend();  // "posix", "io_uring_setup: Operation not permitted"

#ifndef KEEL_IO_OPEN_FILE_SYSTEM_H_
#define KEEL_IO_OPEN_FILE_SYSTEM_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>

#include "io/file_system.h"

namespace keel::io {

enum class IoBackend : uint8_t {
  kAuto,   // io_uring where it works; else POSIX, with the reason in backend()
  kUring,  // FailedPrecondition, with the reason, where it does not work
  kPosix,
};

absl::StatusOr<std::unique_ptr<FileSystem>> OpenFileSystem(IoBackend wanted);

}  // namespace keel::io

#endif  // KEEL_IO_OPEN_FILE_SYSTEM_H_
