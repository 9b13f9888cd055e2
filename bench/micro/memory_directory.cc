#include "bench/micro/memory_directory.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace keel::bench {

std::string MemoryDirectory::Parent() {
  if (access("/dev/shm", W_OK) == 0) return "/dev/shm";
  return std::filesystem::temp_directory_path();
}

MemoryDirectory::MemoryDirectory() {
  std::string name = Parent() + "/keel_micro.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    std::fprintf(stderr, "keel_micro: cannot make %s: %s\n", name.c_str(), std::strerror(errno));
    std::abort();
  }
  path_ = name;
}

MemoryDirectory::~MemoryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace keel::bench
