#include "bench/compare/campaign.h"

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>

#include "base/status.h"
#include "bench/compare/floors.h"
#include "bench/compare/machine.h"
#include "bench/compare/memory_limit.h"
#include "bench/compare/statistics.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

// What a process needs besides its store's memory: its program, stacks, the driver's own.
constexpr uint64_t kLimitHeadroom = uint64_t{32} << 20;
constexpr double kPatienceSeconds = 1800;
// What was removed and copied before a measurement keeps the device busy behind its back, and reads wait for it: so it
// rests twice as long as it is measured, up to this.
constexpr absl::Duration kDeviceRestMax = absl::Seconds(5);

bool Matches(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

// Keeps those that a pattern names; an error for a pattern that names none.
template <typename T, typename IsNamed>
absl::Status Keep(const std::vector<std::string>& patterns, const char* what, IsNamed is_named,
                  std::vector<T>* all) {
  for (const std::string& pattern : patterns) {
    const bool known = std::any_of(all->begin(), all->end(), [&](const T& one) {
      return is_named(std::vector<std::string>{pattern}, one);
    });
    if (!known) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, "no %s matches %s", what, pattern);
    }
  }
  if (!patterns.empty()) {
    std::erase_if(*all, [&](const T& one) { return !is_named(patterns, one); });
  }
  return absl::OkStatus();
}

Json DescribeStores(const std::vector<StoreKind>& kinds) {
  Json stores = Json::object();
  for (const StoreKind& kind : kinds) {
    stores[kind.name] = {{"version", kind.version}, {"configuration", kind.configuration}};
  }
  return stores;
}

void Say(const std::string& text) { std::fputs((text + "\n").c_str(), stderr); }

std::string Describe(const Workload& workload) {
  std::string text = workload.name;
  for (const auto& [name, value] : workload.parameters.items()) {
    text += absl::StrFormat(" %s=%s", name,
                            value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

}  // namespace

absl::StatusOr<Campaign> Campaign::Plan(const RunOptions& options, const std::string& commit) {
  std::vector<Step> steps;
  for (Workload& workload : Workloads(options)) {
    steps.push_back({.number = steps.size(), .workload = std::move(workload)});
  }
  std::vector<StoreKind> kinds = StoreKinds();
  for (StoreKind& floor : FloorKinds()) kinds.push_back(std::move(floor));
  const auto is_step = [](const std::vector<std::string>& patterns, const Step& step) {
    return Matches(patterns, step.workload.name) || Matches(patterns, Describe(step.workload));
  };
  const auto is_kind = [](const std::vector<std::string>& patterns, const StoreKind& kind) {
    return Matches(patterns, kind.name);
  };
  KEEL_RETURN_IF_ERROR(Keep(options.workloads, "workload", is_step, &steps));
  KEEL_RETURN_IF_ERROR(Keep(options.stores, "store", is_kind, &kinds));
  return Campaign(options, commit, std::move(kinds), std::move(steps));
}

Campaign::Campaign(const RunOptions& options, const std::string& commit,
                   std::vector<StoreKind> kinds, std::vector<Step> steps)
    : options_(options),
      kinds_(std::move(kinds)),
      steps_(std::move(steps)),
      work_(options.directory / absl::StrFormat("keel_compare-%d", getpid())),
      data_sets_(options, work_) {
  Json keel = {{"version", KEEL_VERSION}};
  if (!commit.empty()) keel["commit"] = commit;
  results_ = {{"format", 1},
              {"keel", std::move(keel)},
              {"machine", DescribeMachine(options.directory)},
              {"started", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone())},
              {"rows", options.rows},
              {"runs", options.runs},
              {"seed", options.seed},
              {"stores", DescribeStores(kinds_)},
              {"results", Json::array()},
              {"failures", Json::array()}};
}

absl::Status Campaign::Run() {
  std::error_code error;
  std::filesystem::create_directories(work_, error);
  if (error) return absl::UnavailableError(work_.string() + ": " + error.message());
  absl::Status status;
  for (size_t n = 0; n < steps_.size() && status.ok(); ++n) {
    RunStep(steps_[n]);
    Report(steps_[n].workload);
    DropWhatIsDone(n + 1);
    status = Write();
  }
  std::filesystem::remove_all(work_, error);
  return status;
}

bool Campaign::Applies(const Workload& workload, const StoreKind& kind) const {
  if (kind.open == nullptr || !workload.only.empty()) return workload.only == kind.name;
  if (workload.needs_disk && kind.in_memory) return false;
  return !workload.needs_checkpoint || kind.has_checkpoint;
}

void Campaign::RunStep(const Step& step) {
  for (uint64_t run = 0; run < options_.runs; ++run) {
    for (const StoreKind& kind : kinds_) {
      if (Applies(step.workload, kind)) RunOnce(step, kind, run);
    }
  }
}

void Campaign::RunOnce(const Step& step, const StoreKind& kind, uint64_t run) {
  const Outcome outcome = RunInFolder(step, kind, run);
  Json entry = {{"workload", step.workload.name},
                {"parameters", step.workload.parameters},
                {"store", kind.name},
                {"run", run}};
  if (outcome.failure.empty()) {
    entry.update(outcome.measurement);
    results_["results"].push_back(std::move(entry));
    return;
  }
  Say(absl::StrFormat("%s, %s, run %d: %s", Describe(step.workload), kind.name, run,
                      outcome.failure));
  entry["message"] = outcome.failure;
  results_["failures"].push_back(std::move(entry));
}

Outcome Campaign::RunInFolder(const Step& step, const StoreKind& kind, uint64_t run) {
  const std::filesystem::path copy = work_ / "run";
  std::error_code ignored;
  std::filesystem::remove_all(copy, ignored);
  const absl::StatusOr<std::filesystem::path> place = data_sets_.Provide(kind, step.workload, copy);
  if (!place.ok()) return {.failure = place.status().ToString()};
  if (step.workload.small_memory) {
    sync();
    absl::SleepFor(std::min(kDeviceRestMax, absl::Seconds(2 * options_.seconds)));
  }
  Task task{.options = options_,
            .workload = step.number,
            .store = kind.name,
            .run = run,
            .directory = *place,
            .result = work_ / "result.json"};
  Json limited;
  std::optional<MemoryLimit> limit;
  if (step.workload.small_memory) {
    const uint64_t bytes = options_.small_memory_bytes + kLimitHeadroom;
    absl::StatusOr<MemoryLimit> made = MemoryLimit::Make(bytes);
    limited = made.ok() ? Json{{"cgroup_limit_bytes", bytes}}
                        : Json{{"no_cgroup_limit", std::string(MessageOf(made.status()))}};
    if (made.ok()) limit.emplace(*std::move(made));
    if (limit) task.group = limit->group();
  }
  Outcome outcome = RunInChild(task, kPatienceSeconds + options_.minutes * 60);
  if (outcome.failure.empty() && !limited.is_null()) outcome.measurement["extra"].update(limited);
  std::filesystem::remove_all(copy, ignored);
  return outcome;
}

void Campaign::DropWhatIsDone(size_t next_step) {
  for (const Dataset dataset : {Dataset::kSorted, Dataset::kRandom, Dataset::kLarge}) {
    const bool needed =
        std::any_of(steps_.begin() + static_cast<ptrdiff_t>(next_step), steps_.end(),
                    [dataset](const Step& step) { return step.workload.dataset == dataset; });
    if (!needed) data_sets_.Drop(dataset);
  }
}

void Campaign::Report(const Workload& workload) const {
  Say(Describe(workload));
  for (const StoreKind& kind : kinds_) {
    std::vector<double> rates;
    std::vector<double> medians;
    for (const Json& result : results_["results"]) {
      if (result["workload"] != workload.name || result["parameters"] != workload.parameters ||
          result["store"] != kind.name) {
        continue;
      }
      rates.push_back(result["operations"].get<double>() / result["seconds"].get<double>());
      if (result.contains("latency_ns"))
        medians.push_back(result["latency_ns"]["p50"].get<double>());
    }
    if (rates.empty()) continue;
    std::string line = absl::StrFormat("  %-12s %14.0f/s", kind.name, Median(rates));
    if (!medians.empty()) line += absl::StrFormat("  p50 %12.2f us", Median(medians) / 1000);
    Say(line);
  }
}

absl::Status Campaign::Write() const {
  const std::filesystem::path fresh = options_.output.string() + ".new";
  {
    std::ofstream file(fresh);
    file << results_.dump(1) << '\n' << std::flush;
    if (!file) return absl::UnavailableError(fresh.string() + " cannot be written");
  }
  std::error_code error;
  std::filesystem::rename(fresh, options_.output, error);
  if (error) return absl::UnavailableError(options_.output.string() + ": " + error.message());
  return absl::OkStatus();
}

}  // namespace keel::compare
