// bench/compare: where the figures are from.

#ifndef KEEL_BENCH_COMPARE_MACHINE_H_
#define KEEL_BENCH_COMPARE_MACHINE_H_

#include <filesystem>

#include "bench/compare/measurement.h"

namespace keel::compare {

// The results' "machine"; the file system is that of `directory`.
Json DescribeMachine(const std::filesystem::path& directory);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_MACHINE_H_
