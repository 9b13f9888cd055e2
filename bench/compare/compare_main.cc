// keel_compare: Keel and its peers at the same work. See scripts/bench_compare.

#include <absl/synchronization/mutex.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/status.h"
#include "bench/compare/campaign.h"
#include "bench/compare/child.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

struct Arguments {
  RunOptions options;
  std::string commit;
  std::string child;
  bool list = false;
};

void AddOptions(CLI::App& app, Arguments* arguments) {
  RunOptions& options = arguments->options;
  app.add_option("--rows", options.rows, "Rows of every data set but the large one")
      ->check(CLI::Range(uint64_t{100}, uint64_t{1} << 40));
  app.add_option("--value-bytes", options.value_bytes, "Bytes of a value")
      ->check(CLI::Range(Rows::kMinValueBytes, size_t{1} << 20));
  app.add_option("--memory", options.memory_bytes, "Memory of a store, like 1GiB")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--large", options.large_bytes, "Size of the large data set")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--small-memory", options.small_memory_bytes,
                 "Memory of a store with the large data set")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--seconds", options.seconds, "Of each measurement")->check(CLI::PositiveNumber);
  app.add_option("--minutes", options.minutes, "Of each sustained measurement; 0: none")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--runs", options.runs, "Of each workload on each store")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1000}));
  app.add_option("--seed", options.seed, "Of all that is random");
  app.add_option("--workloads", options.workloads,
                 "Only these; names or patterns like ycsb_*, or \"sustained *durability=synced*\"")
      ->delimiter(',');
  app.add_option("--stores", options.stores, "Only these; names or patterns")->delimiter(',');
  app.add_option("--directory", options.directory, "Where the stores are made, and removed again")
      ->check(CLI::ExistingDirectory);
  app.add_option("--output", options.output, "File for the results (JSON)");
  app.add_option("--commit", arguments->commit, "Of Keel, for the results");
  app.add_flag("--list", arguments->list, "Names workloads and stores, and does nothing");
  app.add_option("--child", arguments->child)->group("");
}

void List(const RunOptions& options) {
  std::printf("stores:\n");
  for (const StoreKind& kind : StoreKinds()) {
    std::printf("  %-12s %s\n", kind.name.c_str(), kind.version.c_str());
  }
  std::printf("workloads:\n");
  for (const Workload& workload : Workloads(options)) {
    std::printf("  %-24s %s\n", workload.name.c_str(), workload.parameters.dump().c_str());
  }
}

int RunCampaign(const Arguments& arguments) {
  if (arguments.options.directory.empty() || arguments.options.output.empty()) {
    std::fprintf(stderr, "keel_compare: --directory and --output are needed\n");
    return 2;
  }
  absl::StatusOr<Campaign> campaign = Campaign::Plan(arguments.options, arguments.commit);
  if (!campaign.ok()) {
    std::fprintf(stderr, "keel_compare: %s\n", std::string(MessageOf(campaign.status())).c_str());
    return 2;
  }
  std::fprintf(stderr, "keel_compare: seed %ju\n", uintmax_t{arguments.options.seed});
  if (const absl::Status status = campaign->Run(); !status.ok()) {
    std::fprintf(stderr, "keel_compare: %s\n", status.ToString().c_str());
    return 3;
  }
  return campaign->failures() == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Measures Keel beside other stores");
  AddOptions(app, &arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!arguments.child.empty()) return RunAsChild(arguments.child);
  if (arguments.list) {
    List(arguments.options);
    return 0;
  }
  return RunCampaign(arguments);
}

}  // namespace
}  // namespace keel::compare

int main(int argc, char** argv) {
  // Debian builds Abseil with its detector of deadlocks on: every lock would take a lock of the whole process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return keel::compare::Main(argc, argv);
}
