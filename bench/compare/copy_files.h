// bench/compare: copies a store's folder.

#ifndef KEEL_BENCH_COMPARE_COPY_FILES_H_
#define KEEL_BENCH_COMPARE_COPY_FILES_H_

#include <absl/status/status.h>

#include <filesystem>

namespace keel::compare {

// Holes stay holes (some stores make files much longer than what is in them), and what was written stays written, be it
// zeros.
absl::Status CopyFiles(const std::filesystem::path& source, const std::filesystem::path& target);

// Waits until all files are on the disk; with `cold`, none of them stays in the system's cache.
absl::Status SyncFiles(const std::filesystem::path& directory, bool cold);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_COPY_FILES_H_
