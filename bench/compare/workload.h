// bench/compare: a workload is a kind of work with its parameters; the same for every store.

#ifndef KEEL_BENCH_COMPARE_WORKLOAD_H_
#define KEEL_BENCH_COMPARE_WORKLOAD_H_

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/compare/measurement.h"
#include "bench/compare/rows.h"
#include "bench/compare/run_options.h"
#include "bench/compare/store.h"

namespace keel::compare {

// What is in the store when the work begins.
enum class Dataset : uint8_t {
  kNone,    // nothing, not even files
  kSorted,  // rows, loaded in the order of their keys
  kRandom,  // rows, loaded in random order
  kLarge,   // more than the small memory, in random order
};
inline constexpr size_t kDatasets = 4;
const char* DatasetName(Dataset dataset);
uint64_t RowCount(const RunOptions& options, Dataset dataset);
size_t ValueBytes(const RunOptions& options, Dataset dataset);

// What a child process has to work with.
struct Assignment {
  const StoreKind& kind;
  const RunOptions& options;
  StoreOptions store_options;
  const Rows& rows;
  uint64_t seed = 0;  // of this run: the same for all stores
};

struct Workload {
  std::string name;
  Json parameters = Json::object();
  Dataset dataset = Dataset::kRandom;
  Durability durability = Durability::kUnsynced;
  size_t threads = 1;
  bool small_memory = false;  // the small budget, and a cgroup that enforces it where that may be
  bool read_only = false;     // leaves the data set as it is
  bool needs_checkpoint = false;  // not for stores that have none
  bool needs_disk = false;        // not for stores in memory
  std::string only;               // the one store, or pseudo-store, that this is measured on
  std::function<absl::Status(const Assignment&, Measurement*)> run;
};

// All of them, those of one data set together. Names are not unique: name and parameters are.
std::vector<Workload> Workloads(const RunOptions& options);
// Makes a data set for later children.
Workload Preparation(Dataset dataset);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_WORKLOAD_H_
