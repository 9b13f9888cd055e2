// Opening a regular file, bypassing the operating system's cache where that can be had.

#ifndef KEEL_IO_OPEN_REGULAR_FILE_H_
#define KEEL_IO_OPEN_REGULAR_FILE_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>

#include "io/descriptor.h"
#include "io/file_system.h"

namespace keel::io {

struct OpenedFile {
  Descriptor descriptor;
  uint32_t alignment = 1;  // 1: through the operating system's cache
  bool read_only = false;
};

// Never waits: a fifo, a device or a directory gives InvalidArgument. New files get mode 0644 less
// the umask.
//
// `direct` is a wish. It is turned on after the file is open, since a file system that refuses
// O_DIRECT in open() may have created the file before it says so; and it is believed only after a
// read with it, since a stacked file system may refuse as late as that. It is not used where memory
// aligned as AlignedBuffer aligns it would not do.
absl::StatusOr<OpenedFile> OpenRegularFile(const std::filesystem::path& path,
                                           const FileOptions& options);

}  // namespace keel::io

#endif  // KEEL_IO_OPEN_REGULAR_FILE_H_
