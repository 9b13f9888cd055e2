#include "bench/compare/process_usage.h"

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <string_view>

namespace keel::compare {
namespace {

// The number behind `name` in a file of /proc.
std::optional<uint64_t> ReadFigure(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    uint64_t figure = 0;
    if (word == name && file >> figure) return figure;
  }
  return std::nullopt;
}

}  // namespace

std::optional<DiskUsage> ReadDiskUsage() {
  constexpr const char* kPath = "/proc/self/io";
  const std::optional<uint64_t> read = ReadFigure(kPath, "read_bytes:");
  const std::optional<uint64_t> written = ReadFigure(kPath, "write_bytes:");
  const std::optional<uint64_t> cancelled = ReadFigure(kPath, "cancelled_write_bytes:");
  if (!read || !written || !cancelled) return std::nullopt;
  return DiskUsage{.bytes_read = *read, .bytes_written = *written - *cancelled};
}

std::optional<uint64_t> PeakMemoryBytes() {
  const std::optional<uint64_t> kibibytes = ReadFigure("/proc/self/status", "VmHWM:");
  if (!kibibytes) return std::nullopt;
  return *kibibytes << 10;
}

uint64_t DirectoryBytes(const std::filesystem::path& directory) {
  constexpr uint64_t kBlockBytes = 512;
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    struct stat status = {};
    if (!entry.is_regular_file(error) || ::stat(entry.path().c_str(), &status) != 0) continue;
    bytes += static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
  }
  return bytes;
}

void WaitUntilQuiet() {
  constexpr absl::Duration kQuiet = absl::Milliseconds(500);
  const absl::Time end = absl::Now() + absl::Minutes(1);
  std::optional<DiskUsage> before = ReadDiskUsage();
  while (before && absl::Now() < end) {
    absl::SleepFor(kQuiet);
    const std::optional<DiskUsage> now = ReadDiskUsage();
    if (!now || now->bytes_written == before->bytes_written) return;
    before = now;
  }
}

}  // namespace keel::compare
