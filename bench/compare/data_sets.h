// bench/compare: the data sets that measurements begin with, made once a store and copied as often as needed.

#ifndef KEEL_BENCH_COMPARE_DATA_SETS_H_
#define KEEL_BENCH_COMPARE_DATA_SETS_H_

#include <absl/status/statusor.h>

#include <filesystem>
#include <map>
#include <string>

#include "bench/compare/run_options.h"
#include "bench/compare/workload.h"

namespace keel::compare {

class DataSets {
 public:
  // They are kept in `directory`.
  DataSets(const RunOptions& options, std::filesystem::path directory);

  // A folder in which the data set is, for one child: the one that is kept if it is only read, else a copy named `copy`.
  // Nothing of it is in the system's cache if it must be cold.
  absl::StatusOr<std::filesystem::path> Provide(const StoreKind& kind, const Workload& workload,
                                                const std::filesystem::path& copy);

  // Removes those of a data set.
  void Drop(Dataset dataset);

 private:
  absl::Status Make(const StoreKind& kind, Dataset dataset);
  std::filesystem::path PlaceOf(const std::string& store, Dataset dataset) const;

  const RunOptions options_;
  const std::filesystem::path directory_;
  std::map<std::filesystem::path, absl::Status> made_;  // or why not
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_DATA_SETS_H_
