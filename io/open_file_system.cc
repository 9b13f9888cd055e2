#include "io/open_file_system.h"

#include <string>

#include "base/status.h"
#include "io/posix_file_system.h"
#include "io/uring_file_system.h"

namespace keel::io {

absl::StatusOr<std::unique_ptr<FileSystem>> OpenFileSystem(IoBackend wanted) {
  if (wanted == IoBackend::kPosix) return std::make_unique<PosixFileSystem>();
  const absl::Status probed = UringFileSystem::Probe();
  if (probed.ok()) return std::make_unique<UringFileSystem>();
  if (wanted == IoBackend::kAuto) {
    return std::make_unique<PosixFileSystem>(std::string(MessageOf(probed)));
  }
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "io_uring was demanded and is refused here: %s", MessageOf(probed));
}

}  // namespace keel::io
