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

ScopedMount::ScopedMount(const std::string& prepare, const std::string& arguments) {
  std::filesystem::create_directory(path());
  const std::string enter = "export PATH=$PATH:/sbin:/usr/sbin; cd " + directory_.path().native();
  mounted_ = HavePrivateMounts() &&
             Run(enter + " && " + prepare + " && mount " + arguments + " " + path().native());
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

}  // namespace keel::io
