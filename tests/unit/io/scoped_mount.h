// A small file system that is mounted as long as its object lives.

#ifndef KEEL_TESTS_UNIT_IO_SCOPED_MOUNT_H_
#define KEEL_TESTS_UNIT_IO_SCOPED_MOUNT_H_

#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace keel::io {

// Visible to this process and its children only, so that a test that dies leaves nothing behind.
class ScopedMount {
 public:
  static ScopedMount Tmpfs(int kib);
  // Knows neither O_DIRECT nor fallocate.
  static ScopedMount Ramfs();
  // Of `kib` KiB on a loop device. Knows O_DIRECT, not fallocate.
  static ScopedMount Ext2(int kib);
  // Of `mib` MiB on a loop device: with a journal, O_DIRECT and fallocate.
  static ScopedMount Ext4(int mib);
  static ScopedMount Xfs(int mib);
  // Shows `directory`, and lets nobody write there.
  static ScopedMount ReadOnlyBind(const std::filesystem::path& directory);
  ~ScopedMount();
  ScopedMount(const ScopedMount&) = delete;
  ScopedMount& operator=(const ScopedMount&) = delete;

  // Not mounted: no privilege, or no tool.
  bool refused() const { return !mounted_; }
  // Unmounts, which no open file may hinder, and mounts again. False if either fails.
  bool Remount();
  // Runs `mount -o remount,OPTIONS`.
  bool ChangeOptions(const std::string& options);
  std::filesystem::path path() const { return directory_.path() / "mount"; }

 private:
  ScopedMount(const std::string& prepare, const std::string& arguments);

  bool RunHere(const std::string& command);
  bool Mount();

  testing::TempDir directory_;
  std::string mount_;  // the command's arguments
  bool mounted_ = false;
};

}  // namespace keel::io

#define KEEL_SKIP_IF_REFUSED(mount) \
  if ((mount).refused()) GTEST_SKIP() << "cannot mount a file system here (needs root)"

#endif  // KEEL_TESTS_UNIT_IO_SCOPED_MOUNT_H_
