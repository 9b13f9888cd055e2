#include "bench/compare/workload.h"

#include <algorithm>
#include <initializer_list>

#include "base/status.h"
#include "bench/compare/floors.h"
#include "bench/compare/process_usage.h"
#include "bench/compare/run_load.h"
#include "bench/compare/run_mix.h"
#include "bench/compare/run_open.h"

namespace keel::compare {
namespace {

constexpr uint64_t kTimedOneIn = 8;  // of quick calls
constexpr double kSecondsAMinute = 60;
constexpr uint64_t kTimesOverwritten = 3;

class List {
 public:
  explicit List(const RunOptions& options) : options_(options) {}

  void AddAll();
  std::vector<Workload> Take() { return std::move(workloads_); }

 private:
  void AddLoads();
  void AddScan(Dataset dataset);
  void AddPuts();
  void AddReads();
  void AddYcsb(Durability durability, size_t threads);
  void AddSpaceAndOpens();
  void AddTrade();
  void AddSustained();
  void AddLarge();

  Workload& Add(std::string name, Json parameters = Json::object());
  Workload& AddMix(std::string name, MixRun run, size_t threads, Durability durability);

  const RunOptions& options_;
  std::vector<Workload> workloads_;
};

const char* DurabilityName(Durability durability) {
  return durability == Durability::kSynced ? "synced" : "unsynced";
}

Workload& List::Add(std::string name, Json parameters) {
  Workload& workload = workloads_.emplace_back();
  workload.name = std::move(name);
  workload.parameters = std::move(parameters);
  return workload;
}

bool OnlyReads(const Mix& mix) {
  return mix.percent_of(Call::kRead) + mix.percent_of(Call::kScan) +
             mix.percent_of(Call::kSnapshotReads) + mix.percent_of(Call::kMultiGet) ==
         100;
}

Workload& List::AddMix(std::string name, MixRun run, size_t threads, Durability durability) {
  if (run.seconds == 0) run.seconds = options_.seconds;
  Workload& workload = Add(std::move(name));
  workload.parameters["threads"] = threads;
  workload.threads = threads;
  workload.durability = durability;
  workload.read_only = OnlyReads(run.mix);
  if (!workload.read_only) workload.parameters["durability"] = DurabilityName(durability);
  workload.needs_disk = durability == Durability::kSynced;
  workload.needs_checkpoint = run.checkpoints;
  workload.run = [run](const Assignment& assignment, Measurement* measurement) {
    return RunMix(assignment, run, measurement);
  };
  return workload;
}

void List::AddLoads() {
  const auto add = [this](const char* name, const char* method, LoadMethod how) {
    Workload& workload = Add(name, {{"method", method}});
    workload.dataset = Dataset::kNone;
    workload.run = [how](const Assignment& assignment, Measurement* measurement) {
      return RunLoad(assignment, how, measurement);
    };
  };
  add("sorted_load", "bulk", LoadMethod::kBulk);
  add("sorted_load", "batches", LoadMethod::kSortedBatches);
  add("random_load", "batches", LoadMethod::kRandomBatches);
}

void List::AddScan(Dataset dataset) {
  Workload& workload = Add("scan", {{"loaded", DatasetName(dataset)}});
  workload.dataset = dataset;
  workload.read_only = true;
  workload.run = RunScans;
}

Mix Timed(Mix mix, Distribution distribution, uint64_t one_in) {
  mix.distribution = distribution;
  mix.timed_one_in = one_in;
  return mix;
}

void List::AddPuts() {
  const Mix update = Mix::Only(Call::kUpdate);
  for (const size_t threads : std::initializer_list<size_t>{1, 2, 8, 32, 128}) {
    AddMix("durable_put", {.mix = update}, threads, Durability::kSynced);
  }
  AddMix("durable_put_checkpoints", {.mix = update, .checkpoints = true}, 8, Durability::kSynced);
  AddMix("commit_tickets", {.mix = Mix::Only(Call::kTickets)}, 1, Durability::kUnsynced)
      .needs_disk = true;
  AddMix("unsynced_put", {.mix = Timed(update, Distribution::kUniform, kTimedOneIn)}, 1,
         Durability::kUnsynced);
  AddMix("unsynced_insert",
         {.mix = Timed(Mix::Only(Call::kInsert), Distribution::kUniform, kTimedOneIn)}, 1,
         Durability::kUnsynced);
}

void List::AddReads() {
  const Mix read = Mix::Only(Call::kRead);
  for (const size_t threads : std::initializer_list<size_t>{1, 2}) {
    AddMix("read", {.mix = Timed(read, Distribution::kUniform, kTimedOneIn)}, threads,
           Durability::kUnsynced)
        .parameters["distribution"] = "uniform";
    AddMix("read", {.mix = Timed(read, Distribution::kZipfian, kTimedOneIn)}, threads,
           Durability::kUnsynced)
        .parameters["distribution"] = "zipfian";
  }
  for (const Call call : {Call::kSnapshotReads, Call::kMultiGet}) {
    const Mix mix = Mix::Only(call);
    AddMix(call == Call::kMultiGet ? "multi_get" : "snapshot_reads", {.mix = mix}, 1,
           Durability::kUnsynced)
        .parameters["keys"] = mix.keys;
  }
  AddMix("seek_next", {.mix = Mix::Only(Call::kScan)}, 1, Durability::kUnsynced)
      .parameters["rows"] = 100;
}

struct YcsbMix {
  const char* name;
  Mix mix;
};

std::vector<YcsbMix> YcsbMixes() {
  std::vector<YcsbMix> mixes = {
      {"ycsb_a", Mix::Of({{Call::kRead, 50}, {Call::kUpdate, 50}})},
      {"ycsb_b", Mix::Of({{Call::kRead, 95}, {Call::kUpdate, 5}})},
      {"ycsb_c", Mix::Only(Call::kRead)},
      {"ycsb_d", Mix::Of({{Call::kRead, 95}, {Call::kInsert, 5}})},
      {"ycsb_e", Mix::Of({{Call::kScan, 95}, {Call::kInsert, 5}})},
      {"ycsb_f", Mix::Of({{Call::kRead, 50}, {Call::kReadModifyWrite, 50}})},
  };
  for (YcsbMix& ycsb : mixes) {
    const bool latest = ycsb.name == std::string_view("ycsb_d");
    ycsb.mix.distribution = latest ? Distribution::kLatest : Distribution::kZipfian;
    ycsb.mix.scan_min = 1;
    ycsb.mix.timed_one_in = ycsb.mix.percent_of(Call::kScan) > 0 ? 1 : kTimedOneIn;
  }
  return mixes;
}

void List::AddYcsb(Durability durability, size_t threads) {
  for (YcsbMix& ycsb : YcsbMixes()) {
    const bool half_writes = ycsb.mix.percent_of(Call::kRead) == 50;
    if (durability == Durability::kSynced && !half_writes) continue;
    if (durability == Durability::kSynced) ycsb.mix.timed_one_in = 1;
    AddMix(ycsb.name, {.mix = ycsb.mix}, threads, durability);
  }
}

void List::AddSpaceAndOpens() {
  Workload& overwrite = Add("overwrite", {{"times", kTimesOverwritten}});
  overwrite.run = [](const Assignment& assignment, Measurement* measurement) {
    return RunOverwrites(assignment, kTimesOverwritten, measurement);
  };
  Workload& clean = Add("open_clean");
  clean.needs_disk = true;
  clean.run = RunOpenClean;
  const uint64_t puts = std::min<uint64_t>(100'000, options_.rows);
  Workload& kill = Add("open_after_kill", {{"operations_in_log", puts}});
  kill.needs_disk = true;
  kill.run = [puts](const Assignment& assignment, Measurement* measurement) {
    return RunOpenAfterKill(assignment, puts, measurement);
  };
}

// What checkpoints cost, and what they spare: the more log may gather, the fewer pages are written, and the longer an
// open takes after a crash with much of it there.
void List::AddTrade() {
  constexpr uint64_t kPutInLog = 126;  // bytes, of a row of 116, as measured with many puts a frame
  for (const uint64_t mib : std::initializer_list<uint64_t>{16, 64, 256, 1024}) {
    const uint64_t bytes = mib << 20;
    const auto on_keel = [&](const char* name, auto measure) {
      Workload& workload = Add(name, {{"checkpoint_log_bytes", bytes}});
      workload.only = "keel";
      workload.run = [bytes, measure](const Assignment& assignment, Measurement* measurement) {
        Assignment changed = assignment;
        changed.store_options.checkpoint_log_bytes = bytes;
        return measure(changed, measurement);
      };
    };
    on_keel("trade_overwrite", [](const Assignment& assignment, Measurement* measurement) {
      return RunOverwrites(assignment, kTimesOverwritten, measurement);
    });
    const uint64_t puts = std::min(bytes / kPutInLog * 3 / 4, 8 * options_.rows);
    on_keel("trade_open", [puts](const Assignment& assignment, Measurement* measurement) {
      return RunOpenAfterKill(assignment, puts, measurement);
    });
  }
}

void List::AddSustained() {
  if (options_.minutes <= 0) return;
  const Mix half =
      Timed(Mix::Of({{Call::kRead, 50}, {Call::kUpdate, 50}}), Distribution::kZipfian, 1);
  for (const Durability durability : {Durability::kUnsynced, Durability::kSynced}) {
    AddMix("sustained",
           {.mix = half, .seconds = options_.minutes * kSecondsAMinute, .timeline = true}, 8,
           durability)
        .parameters["minutes"] = options_.minutes;
  }
}

void List::AddLarge() {
  const size_t first = workloads_.size();
  AddMix("large_read", {.mix = Mix::Only(Call::kRead)}, 1, Durability::kUnsynced);
  AddMix("large_multi_get", {.mix = Mix::Only(Call::kMultiGet)}, 1, Durability::kUnsynced);
  AddMix(
      "large_ycsb_a",
      {.mix = Timed(Mix::Of({{Call::kRead, 50}, {Call::kUpdate, 50}}), Distribution::kZipfian, 1)},
      8, Durability::kUnsynced);
  for (const size_t threads : std::initializer_list<size_t>{1, 8}) {
    AddMix("large_durable_put", {.mix = Mix::Only(Call::kUpdate)}, threads, Durability::kSynced);
  }
  for (size_t n = first; n < workloads_.size(); ++n) {
    Workload& workload = workloads_[n];
    workload.dataset = Dataset::kLarge;
    workload.small_memory = true;
    workload.needs_disk = true;
    workload.parameters["rows"] = RowCount(options_, Dataset::kLarge);
    workload.parameters["value_bytes"] = options_.large_value_bytes;
    workload.parameters["memory_bytes"] = options_.small_memory_bytes;
  }
}

void List::AddAll() {
  AddFloors(&workloads_);
  AddLoads();
  AddScan(Dataset::kSorted);
  AddScan(Dataset::kRandom);
  AddPuts();
  AddReads();
  for (const size_t threads : std::initializer_list<size_t>{2, 8})
    AddYcsb(Durability::kUnsynced, threads);
  for (const size_t threads : std::initializer_list<size_t>{2, 8})
    AddYcsb(Durability::kSynced, threads);
  AddSpaceAndOpens();
  AddTrade();
  AddSustained();
  AddLarge();
}

}  // namespace

const char* DatasetName(Dataset dataset) {
  constexpr const char* kNames[kDatasets] = {"none", "sorted", "random", "large"};
  return kNames[static_cast<size_t>(dataset)];
}

uint64_t RowCount(const RunOptions& options, Dataset dataset) {
  if (dataset != Dataset::kLarge) return options.rows;
  return std::max<uint64_t>(1, options.large_bytes / (Key::kBytes + options.large_value_bytes));
}

size_t ValueBytes(const RunOptions& options, Dataset dataset) {
  return dataset == Dataset::kLarge ? options.large_value_bytes : options.value_bytes;
}

std::vector<Workload> Workloads(const RunOptions& options) {
  List list(options);
  list.AddAll();
  return list.Take();
}

Workload Preparation(Dataset dataset) {
  const LoadMethod method =
      dataset == Dataset::kSorted ? LoadMethod::kSortedBatches : LoadMethod::kRandomBatches;
  Workload workload;
  workload.name = "preparation";
  workload.dataset = dataset;
  workload.run = [method](const Assignment& assignment, Measurement* measurement) {
    return RunLoad(assignment, method, measurement);
  };
  return workload;
}

}  // namespace keel::compare
