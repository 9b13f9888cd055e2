// Sizes, counts and durations as people write and read them.

#ifndef KEEL_CLI_SIZE_H_
#define KEEL_CLI_SIZE_H_

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace keel::cli {

// Bytes of "4096", "64MiB", "64M", "1.5GiB" (powers of 1024) or "64MB" (powers of 1000).
// InvalidArgument for anything else.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);

// "512 B", "1.5 KiB", "64.0 MiB".
std::string FormatSize(uint64_t bytes);

// "1,234,567".
std::string FormatCount(uint64_t count);

// "1 row", "1,234 rows".
std::string FormatAmount(uint64_t count, std::string_view thing);

// "0:07", "1:02:03".
std::string FormatClock(absl::Duration duration);

}  // namespace keel::cli

#endif  // KEEL_CLI_SIZE_H_
