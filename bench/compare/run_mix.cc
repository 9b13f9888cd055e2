#include "bench/compare/run_mix.h"

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/status.h"
#include "bench/compare/clock.h"
#include "bench/compare/open_store.h"
#include "bench/compare/process_usage.h"
#include "bench/compare/worker.h"

namespace keel::compare {
namespace {

class Crew {
 public:
  // A session is made, used and ended by its own thread.
  Crew(Work* work, size_t threads, uint64_t seed) : work_(work), results_(threads) {
    for (size_t n = 0; n < threads; ++n) {
      threads_.emplace_back([this, n, seed] { RunWorker(n, Mix64(seed) + n); });
    }
  }

  // All at once, for so long or until one fails.
  double Run(double seconds) {
    while (ready_.load() < threads_.size()) absl::SleepFor(absl::Milliseconds(1));
    const uint64_t begin = NowNs();
    work_->begin_ns = begin;
    begin_.store(true);
    begin_.notify_all();
    while (!work_->stop && SecondsSince(begin) < seconds) Nap(seconds - SecondsSince(begin));
    work_->stop = true;
    for (std::thread& thread : threads_) thread.join();
    return static_cast<double>(last_end_ns_ - begin) / 1e9;
  }

  struct Result {
    absl::Status status;
    uint64_t operations = 0;
    uint64_t rows_written = 0;
    Histogram latencies;
  };
  const std::vector<Result>& results() const { return results_; }

 private:
  static void Nap(double seconds) {
    absl::SleepFor(
        std::clamp(absl::Seconds(seconds), absl::ZeroDuration(), absl::Milliseconds(20)));
  }

  void RunWorker(size_t n, uint64_t seed) {
    absl::StatusOr<std::unique_ptr<Session>> session = work_->store.NewSession();
    ready_.fetch_add(1);
    begin_.wait(false);
    if (!session.ok()) {
      results_[n].status = session.status();
      work_->stop = true;
      return;
    }
    Worker worker(work_, *std::move(session), seed);
    worker.Run();
    NoteEnd(NowNs());
    results_[n] = {worker.status(), worker.operations(), worker.rows_written(), worker.latencies()};
  }

  void NoteEnd(uint64_t end_ns) {
    uint64_t last = last_end_ns_.load();
    while (last < end_ns && !last_end_ns_.compare_exchange_weak(last, end_ns)) {
    }
  }

  Work* const work_;
  std::vector<Result> results_;
  std::atomic<size_t> ready_ = 0;
  std::atomic<bool> begin_ = false;
  std::atomic<uint64_t> last_end_ns_ = 0;
  std::vector<std::thread> threads_;
};

// Checkpoints one after the other while it lives.
class CheckpointLoop {
 public:
  explicit CheckpointLoop(Store* store) : thread_([this, store] { Loop(store); }) {}
  ~CheckpointLoop() {
    if (thread_.joinable()) thread_.join();
  }

  // REQUIRES: called once.
  absl::StatusOr<uint64_t> Stop() {
    stop_ = true;
    thread_.join();
    if (!status_.ok()) return status_;
    return done_;
  }

 private:
  void Loop(Store* store) {
    while (!stop_ && status_.ok()) {
      absl::SleepFor(absl::Milliseconds(50));
      status_ = store->Checkpoint();
      if (status_.ok()) ++done_;
    }
  }

  std::atomic<bool> stop_ = false;
  absl::Status status_;
  uint64_t done_ = 0;
  std::thread thread_;
};

absl::Status ReadAll(Store& store) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, store.NewSession());
  uint64_t bytes = 0;
  return session->Scan("", UINT64_MAX, [&](std::string_view key, std::string_view value) {
    bytes += key.size() + value.size();
  });
}

absl::Status Warm(const Assignment& assignment, Store& store) {
  const bool fits = assignment.rows.bytes() < assignment.store_options.memory_bytes;
  if (fits) return ReadAll(store);
  const Mix reads = Mix::Only(Call::kRead);
  KeyChooser keys(assignment.rows, reads.distribution, assignment.seed);
  Work work{.mix = reads, .rows = assignment.rows, .keys = keys, .store = store};
  Crew crew(&work, 1, assignment.seed + 1);
  crew.Run(std::min(1.0, assignment.options.seconds));
  return crew.results()[0].status;
}

// The last second is not a whole one.
void AddTimeline(const Timeline& timeline, Measurement* measurement) {
  for (const Timeline::Second& second : timeline.seconds()) {
    if (static_cast<double>(measurement->timeline.size() + 1) > measurement->seconds) break;
    Measurement::Second& entry = measurement->timeline.emplace_back();
    entry.second = measurement->timeline.size() - 1;
    entry.operations = second.operations;
    if (second.latencies.count() > 0) entry.p99_ns = second.latencies.Percentile(99);
  }
}

absl::Status Measure(const Assignment& assignment, const MixRun& run, Store& store,
                     Measurement* measurement) {
  KeyChooser keys(assignment.rows, run.mix.distribution, assignment.seed);
  Timeline timeline;
  Work work{.mix = run.mix,
            .rows = assignment.rows,
            .keys = keys,
            .store = store,
            .timeline = run.timeline ? &timeline : nullptr};
  Crew crew(&work, assignment.store_options.threads, assignment.seed);
  std::unique_ptr<CheckpointLoop> checkpoints;
  if (run.checkpoints) checkpoints = std::make_unique<CheckpointLoop>(&store);
  measurement->seconds = crew.Run(run.seconds);
  if (checkpoints != nullptr) {
    KEEL_ASSIGN_OR_RETURN(measurement->extra["checkpoints"], checkpoints->Stop());
  }
  uint64_t rows_written = 0;
  for (const Crew::Result& result : crew.results()) {
    KEEL_RETURN_IF_ERROR(result.status);
    measurement->operations += result.operations;
    measurement->latencies.Merge(result.latencies);
    rows_written += result.rows_written;
  }
  if (rows_written > 0) measurement->user_bytes = rows_written * assignment.rows.row_bytes();
  if (run.timeline) AddTimeline(timeline, measurement);
  return absl::OkStatus();
}

// What taking the time adds to each latency.
uint64_t ClockNs() {
  constexpr uint64_t kTimes = 1000;
  const uint64_t begin = NowNs();
  uint64_t end = begin;
  for (uint64_t time = 0; time < kTimes; ++time) end = NowNs();
  return (end - begin) / kTimes;
}

bool MakesManyACall(const Mix& mix) {
  return mix.percent_of(Call::kSnapshotReads) + mix.percent_of(Call::kMultiGet) +
             mix.percent_of(Call::kTickets) >
         0;
}

}  // namespace

absl::Status RunMix(const Assignment& assignment, const MixRun& run, Measurement* measurement) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, OpenStore(assignment));
  KEEL_RETURN_IF_ERROR(Warm(assignment, *store));
  const std::optional<DiskUsage> before = ReadDiskUsage();
  KEEL_RETURN_IF_ERROR(Measure(assignment, run, *store, measurement));
  if (const std::optional<DiskUsage> now = ReadDiskUsage(); before && now) {
    measurement->extra["bytes_read"] = now->bytes_read - before->bytes_read;
  }
  if (run.mix.timed_one_in > 1) {
    measurement->extra["timed_one_in"] = run.mix.timed_one_in;
    measurement->extra["clock_ns"] = ClockNs();
  }
  if (MakesManyACall(run.mix)) measurement->extra["operations_a_call"] = run.mix.keys;
  measurement->peak_memory_bytes = PeakMemoryBytes();
  KEEL_RETURN_IF_ERROR(store->Sync());
  KEEL_RETURN_IF_ERROR(store->Close());
  if (!measurement->user_bytes || assignment.kind.in_memory) return absl::OkStatus();
  NoteWritten(before, measurement);
  measurement->file_bytes = DirectoryBytes(assignment.store_options.directory);
  return absl::OkStatus();
}

}  // namespace keel::compare
