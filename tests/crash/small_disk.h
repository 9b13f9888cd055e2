// File systems small enough to be filled, and somebody else who fills them.

#ifndef KEEL_TESTS_CRASH_SMALL_DISK_H_
#define KEEL_TESTS_CRASH_SMALL_DISK_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "tests/unit/io/scoped_mount.h"

namespace keel::testing {

enum class DiskKind : uint8_t { kTmpfs, kExt4, kXfs };
std::string DiskName(DiskKind kind);
// Of `mib` MiB; on xfs a fixed 320 MiB, less of which it does not make.
io::ScopedMount MakeDisk(DiskKind kind, int mib);

// Takes all the space there is on a file system, until it goes.
class Filler {
 public:
  explicit Filler(const std::filesystem::path& directory) : path_(directory / "filler") { Fill(); }
  ~Filler() { std::filesystem::remove(path_); }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

  // Takes what has become free since.
  void Fill();

 private:
  std::filesystem::path path_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_CRASH_SMALL_DISK_H_
