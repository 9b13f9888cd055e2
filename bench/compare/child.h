// bench/compare: one run of one workload on one store, in a process of its own: its memory and its writes are nobody
// else's, and if a store crashes, only that run is lost.

#ifndef KEEL_BENCH_COMPARE_CHILD_H_
#define KEEL_BENCH_COMPARE_CHILD_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "bench/compare/measurement.h"
#include "bench/compare/run_options.h"
#include "bench/compare/workload.h"

namespace keel::compare {

struct Task {
  RunOptions options;
  std::optional<size_t> workload;  // number in Workloads(options); none: the data set is made
  Dataset dataset = Dataset::kNone;
  std::string store;
  uint64_t run = 0;
  std::filesystem::path directory;  // of the store
  std::filesystem::path result;     // the file for what came out
  std::filesystem::path group;      // the cgroup to enter, if any
};

// Of a task that has been run: its measurement, or why there is none.
struct Outcome {
  Json measurement;
  std::string failure;  // empty: there is a measurement
};

// Runs the task in a new process of this program and waits for it, until `timeout_seconds` have passed.
Outcome RunInChild(const Task& task, double timeout_seconds);

// In that process: runs what RunInChild has asked for, as `text`. The process's exit status.
int RunAsChild(const std::string& text);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_CHILD_H_
