// bench/compare: all workloads on all stores, the stores taking turns, and the file of results.

#ifndef KEEL_BENCH_COMPARE_CAMPAIGN_H_
#define KEEL_BENCH_COMPARE_CAMPAIGN_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bench/compare/child.h"
#include "bench/compare/data_sets.h"
#include "bench/compare/measurement.h"
#include "bench/compare/run_options.h"
#include "bench/compare/workload.h"

namespace keel::compare {

// Every run of a workload is done by all stores before the next one begins (A B C A B C), so that what changes on the
// machine meanwhile falls on all of them. The file of results is written anew after each workload: a run that is
// interrupted leaves what it had.
class Campaign {
 public:
  // InvalidArgument: a workload or store that there is not. `commit` is Keel's; empty: unknown.
  static absl::StatusOr<Campaign> Plan(const RunOptions& options, const std::string& commit);

  // OK even if stores failed: that is in the results. Any error: there are no results.
  absl::Status Run();

  size_t failures() const { return results_.at("failures").size(); }

 private:
  struct Step {
    size_t number = 0;  // in Workloads(options)
    Workload workload;
  };

  Campaign(const RunOptions& options, const std::string& commit, std::vector<StoreKind> kinds,
           std::vector<Step> steps);

  bool Applies(const Workload& workload, const StoreKind& kind) const;
  void RunStep(const Step& step);
  void RunOnce(const Step& step, const StoreKind& kind, uint64_t run);
  Outcome RunInFolder(const Step& step, const StoreKind& kind, uint64_t run);
  void DropWhatIsDone(size_t next_step);
  void Report(const Workload& workload) const;
  absl::Status Write() const;

  RunOptions options_;
  std::vector<StoreKind> kinds_;
  std::vector<Step> steps_;
  std::filesystem::path work_;
  DataSets data_sets_;
  Json results_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_CAMPAIGN_H_
