#include "bench/compare/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

namespace keel::compare {
namespace {

// Behind "model name : ".
std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

uint64_t MemoryBytes() {
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return static_cast<uint64_t>(pages * page_bytes);
}

// Type of the mount whose path is the longest that leads to `directory`.
std::string FileSystemName(const std::filesystem::path& directory) {
  std::error_code error;
  const std::string path = std::filesystem::canonical(directory, error).string() + "/";
  std::ifstream mounts("/proc/self/mounts");
  std::string best_place;
  std::string best_type = "unknown";
  for (std::string device, place, type, rest; mounts >> device >> place >> type;) {
    std::getline(mounts, rest);
    const std::string head = place == "/" ? place : place + "/";
    if (!path.starts_with(head) || place.size() < best_place.size()) continue;
    best_place = place;
    best_type = type;
  }
  return best_type;
}

}  // namespace

Json DescribeMachine(const std::filesystem::path& directory) {
  utsname system = {};
  uname(&system);
  return {{"cpu", ProcessorName()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", MemoryBytes()},
          {"kernel", std::string(system.sysname) + " " + system.release},
          {"file_system", FileSystemName(directory)}};
}

}  // namespace keel::compare
