#include "engine/validate_options.h"

#include "base/status.h"
#include "io/memory_limit.h"
#include "pager/page_format.h"

namespace keel::engine {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kMemoryMin = 4 * kMiB;
constexpr uint64_t kSegmentMin = kMiB / 4;
constexpr uint64_t kSegmentMax = 1024 * kMiB;
constexpr uint64_t kSegmentUnit = kMiB / 16;

absl::Status Refuse(std::string_view option, uint64_t value, std::string_view allowed) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, "option %s is %d; it must be %s", option,
                    value, allowed);
}

// The test geometry (pages of 512 bytes, tiny segments) is for injected file systems only.
bool TestGeometry(const Options& options) {
  return options.file_system != nullptr && options.page_bytes == pager::kTestPageBytes;
}

}  // namespace

absl::StatusOr<Options> ValidateOptions(const Options& options) {
  Options checked = options;
  const bool test = TestGeometry(options);
  if (!test &&
      (!pager::IsValidPageBytes(options.page_bytes) || options.page_bytes < pager::kMinPageBytes)) {
    return Refuse("page_bytes", options.page_bytes, "4096, 8192, 16384, 32768 or 65536");
  }
  if (options.memory_bytes == 0) checked.memory_bytes = io::MemoryLimit() / 4;
  if (!test && checked.memory_bytes < kMemoryMin) {
    return Refuse("memory_bytes", checked.memory_bytes, "at least 4194304 (4 MiB), or 0");
  }
  if (!test &&
      (options.log_segment_bytes < kSegmentMin || options.log_segment_bytes > kSegmentMax ||
       options.log_segment_bytes % kSegmentUnit != 0)) {
    return Refuse("log_segment_bytes", options.log_segment_bytes,
                  "a multiple of 65536 from 262144 (256 KiB) to 1073741824 (1 GiB)");
  }
  if (!test && options.checkpoint_log_bytes < kMiB) {
    return Refuse("checkpoint_log_bytes", options.checkpoint_log_bytes, "at least 1048576 (1 MiB)");
  }
  if (options.async_flush_interval <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("option async_flush_interval must be positive");
  }
  if (options.async_lag_max <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("option async_lag_max must be positive");
  }
  if (options.snapshots.age_max <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("option snapshots.age_max must be positive");
  }
  if (options.read_only && options.error_if_exists) {
    return absl::InvalidArgumentError("options read_only and error_if_exists exclude each other");
  }
  return checked;
}

}  // namespace keel::engine
