#include "io/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace keel::io {

namespace {

uint64_t MachineMemory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  constexpr uint64_t kUnknown = uint64_t{1} << 30;
  return pages > 0 && page_bytes > 0
             ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes)
             : kUnknown;
}

// The number in a control file; UINT64_MAX if there is none, or no limit ("max").
uint64_t ReadLimit(const std::string& path) {
  std::ifstream file(path);
  uint64_t limit = 0;
  return file >> limit ? limit : UINT64_MAX;
}

// The smallest limit of a control group and the groups above it.
uint64_t GroupLimit(const std::string& root, std::string group, const std::string& file) {
  uint64_t limit = UINT64_MAX;
  while (true) {
    limit = std::min(limit, ReadLimit(root + group + "/" + file));
    const size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return limit;
    group.resize(slash);
  }
}

}  // namespace

uint64_t MemoryLimit() {
  uint64_t limit = MachineMemory();
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // "<number>:<controllers>:<group>"; version 2 has no controllers.
    std::istringstream fields(line);
    std::string number;
    std::string controllers;
    std::string group;
    if (!std::getline(fields, number, ':') || !std::getline(fields, controllers, ':') ||
        !std::getline(fields, group)) {
      continue;
    }
    if (group == "/") group.clear();
    if (controllers.empty()) {
      limit = std::min(limit, GroupLimit("/sys/fs/cgroup", group, "memory.max"));
    } else if (controllers == "memory") {
      limit = std::min(limit, GroupLimit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return limit;
}

}  // namespace keel::io
