#include "bench/compare/memory_limit.h"

#include <unistd.h>

#include <fstream>
#include <string>

#include "base/status.h"

namespace keel::compare {
namespace {

constexpr const char* kRoot = "/sys/fs/cgroup";

struct Place {
  std::filesystem::path directory;  // of this process's group
  const char* limit_file;
};

// Lines of /proc/self/cgroup are "4:memory:/path" in version 1 and "0::/path" in version 2.
absl::StatusOr<Place> FindPlace() {
  std::ifstream file("/proc/self/cgroup");
  std::string unified;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers == "memory") {
      return Place{std::string(kRoot) + "/memory" + path, "memory.limit_in_bytes"};
    }
    if (controllers.empty()) unified = path;
  }
  if (unified.empty()) return absl::UnavailableError("there are no cgroups");
  return Place{kRoot + unified, "memory.max"};
}

absl::Status WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) return absl::UnavailableError(path.string() + " cannot be written");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemoryLimit> MemoryLimit::Make(uint64_t bytes) {
  KEEL_ASSIGN_OR_RETURN(const Place place, FindPlace());
  const std::filesystem::path group =
      place.directory / ("keel_compare-" + std::to_string(getpid()));
  std::error_code error;
  if (!std::filesystem::create_directory(group, error)) {
    return absl::UnavailableError(group.string() + " cannot be made");
  }
  MemoryLimit limit(group);
  KEEL_RETURN_IF_ERROR(WriteFile(group / place.limit_file, std::to_string(bytes)));
  return limit;
}

MemoryLimit::~MemoryLimit() {
  if (!group_.empty()) rmdir(group_.c_str());
}

absl::Status MemoryLimit::Enter(const std::filesystem::path& group) {
  return WriteFile(group / "cgroup.procs", std::to_string(getpid()));
}

}  // namespace keel::compare
