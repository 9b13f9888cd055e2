// bench/compare: what this process has taken of the machine, as the kernel counts it.

#ifndef KEEL_BENCH_COMPARE_PROCESS_USAGE_H_
#define KEEL_BENCH_COMPARE_PROCESS_USAGE_H_

#include <cstdint>
#include <filesystem>
#include <optional>

namespace keel::compare {

struct DiskUsage {
  uint64_t bytes_read = 0;  // that the disk had to read
  uint64_t bytes_written =
      0;  // sent to the disk or made dirty in the system's cache; less what was dropped before
};

// Since the process began, all of its threads; nothing where the kernel does not say.
std::optional<DiskUsage> ReadDiskUsage();

// The most that was ever resident, mapped files among it; nothing where the kernel does not say.
std::optional<uint64_t> PeakMemoryBytes();

// What the files in `directory` take on the disk (blocks, not lengths).
uint64_t DirectoryBytes(const std::filesystem::path& directory);

// Waits until the process has written nothing for a while, which is how the end of background work shows in every
// store alike. Gives up after a minute.
void WaitUntilQuiet();

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_PROCESS_USAGE_H_
