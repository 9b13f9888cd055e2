#include "tests/unit/io/scoped_mount.h"

#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>

namespace keel::io {
namespace {

bool HavePrivateMounts() {
  static const bool have =
      unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return have;
}

bool Run(const std::string& command) {
  return std::system(("(" + command + ") >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

ScopedMount::ScopedMount(const std::string& prepare, const std::string& arguments)
    : mount_(arguments) {
  std::filesystem::create_directory(path());
  mounted_ = HavePrivateMounts() && RunHere(prepare) && Mount();
}

bool ScopedMount::RunHere(const std::string& command) {
  return Run("export PATH=$PATH:/sbin:/usr/sbin; cd " + directory_.path().native() + " && " +
             command);
}

bool ScopedMount::Mount() { return RunHere("mount " + mount_ + " " + path().native()); }

bool ScopedMount::Remount() {
  mounted_ = mounted_ && umount2(path().c_str(), 0) == 0 && Mount();
  return mounted_;
}

bool ScopedMount::ChangeOptions(const std::string& options) {
  return RunHere("mount -o remount," + options + " " + path().native());
}

ScopedMount::~ScopedMount() {
  if (mounted_) umount2(path().c_str(), MNT_DETACH);
}

ScopedMount ScopedMount::Tmpfs(int kib) {
  return {"true", "-t tmpfs -o size=" + std::to_string(kib) + "k none"};
}

ScopedMount ScopedMount::Ramfs() { return {"true", "-t ramfs none"}; }

ScopedMount ScopedMount::Ext2(int kib) {
  return {"mkfs.ext2 -q -b 1024 image " + std::to_string(kib), "-o loop image"};
}

ScopedMount ScopedMount::Ext4(int mib) {
  return {"mkfs.ext4 -q -m 0 image " + std::to_string(mib) + "M", "-o loop image"};
}

ScopedMount ScopedMount::Xfs(int mib) {
  return {"truncate -s " + std::to_string(mib) + "M image && mkfs.xfs -q image", "-o loop image"};
}

ScopedMount ScopedMount::ReadOnlyBind(const std::filesystem::path& directory) {
  return {"true", "-o bind,ro " + directory.native()};
}

}  // namespace keel::io
