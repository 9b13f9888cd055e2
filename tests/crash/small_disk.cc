#include "tests/crash/small_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "base/check.h"

namespace keel::testing {

std::string DiskName(DiskKind kind) {
  switch (kind) {
    case DiskKind::kTmpfs:
      return "Tmpfs";
    case DiskKind::kExt4:
      return "Ext4";
    case DiskKind::kXfs:
      return "Xfs";
  }
  return "?";
}

io::ScopedMount MakeDisk(DiskKind kind, int mib) {
  constexpr int kXfsMib = 320;
  switch (kind) {
    case DiskKind::kTmpfs:
      return io::ScopedMount::Tmpfs(mib * 1024);
    case DiskKind::kExt4:
      return io::ScopedMount::Ext4(mib);
    case DiskKind::kXfs:
      return io::ScopedMount::Xfs(kXfsMib);
  }
  KEEL_CHECK(false);
}

void Filler::Fill() {
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  KEEL_CHECK(fd >= 0);
  const std::vector<char> bytes(1 << 20, 'f');
  for (size_t step = bytes.size(); step > 0; step /= 2) {
    while (write(fd, bytes.data(), step) > 0) {
    }
  }
  // Blocks are promised before they are given out: only now it shows which there are.
  fsync(fd);
  close(fd);
}

}  // namespace keel::testing
