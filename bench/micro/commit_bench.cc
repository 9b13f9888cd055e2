// Commits that do not wait for the disk, whole and by their stages (engine/database_impl.h has the recipe). All that is
// done for them later, on threads of the database in real life, is done here by the same thread, now and then, and
// counted: reclaiming pages, writing the log's buffers, checkpoints.

#include <benchmark/benchmark.h>
#include <keel/keel.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/micro/memory_database.h"
#include "bench/micro/memory_directory.h"
#include "bench/micro/rows.h"
#include "engine/commit_queue.h"
#include "engine/database_impl.h"
#include "engine/open.h"
#include "io/system_clock.h"

namespace keel::bench {
namespace {

constexpr WriteOptions kUnsynced{.durability = Durability::kNone};
// Commits between two rounds of background work: about as many as go by in one of its periods.
constexpr uint64_t kCommitsPerRound = 4096;

void CountRows(benchmark::State& state, int64_t rows_per_commit) {
  const int64_t rows = state.iterations() * rows_per_commit;
  state.SetItemsProcessed(rows);
  state.SetBytesProcessed(rows * static_cast<int64_t>(kKeyBytes + kValueBytes));
}

class RoundsOfWork {
 public:
  explicit RoundsOfWork(Database* database) : database_(database) {}
  void NoteCommit() {
    if (++commits_ % kCommitsPerRound == 0) Must(database_->RunBackgroundWork());
  }

 private:
  Database* const database_;
  uint64_t commits_ = 0;
};

// A row that is there gets another value.
void Put(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  MemoryDatabase database(entries);
  RoundsOfWork rounds(&*database);
  const std::vector<std::string> keys = DrawKeys(entries);
  const std::string value = RowValue();
  Round round;
  for (auto _ : state) {
    Must(database->Put(round.Next(keys), value, kUnsynced));
    rounds.NoteCommit();
  }
  CountRows(state, 1);
}
BENCHMARK(Put)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

// Rows that are not there yet, behind all others.
void Append(benchmark::State& state) {
  MemoryDatabase database(static_cast<uint64_t>(state.range(0)));
  RoundsOfWork rounds(&*database);
  const std::string value = RowValue();
  uint64_t number = database.entries();
  for (auto _ : state) {
    Must(database->Put(RowKey(number++), value, kUnsynced));
    rounds.NoteCommit();
  }
  CountRows(state, 1);
}
BENCHMARK(Append)->ArgNames({"entries"})->Arg(1000);

// Many rows in one commit.
void WriteBatchOfRows(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  MemoryDatabase database(entries);
  RoundsOfWork rounds(&*database);
  const std::vector<std::string> keys = DrawKeys(entries);
  const std::string value = RowValue();
  Round round;
  WriteBatch batch;
  for (auto _ : state) {
    batch.Clear();
    for (int64_t i = 0; i < state.range(1); ++i) batch.Put(round.Next(keys), value);
    Must(database->Write(batch, kUnsynced));
    rounds.NoteCommit();
  }
  CountRows(state, state.range(1));
}
BENCHMARK(WriteBatchOfRows)
    ->ArgNames({"entries", "rows"})
    ->ArgsProduct({{1000, 1'000'000}, {10, 1000}});

// The queue alone, without others in it. Who finds the writer lock free is spared even that.
void EnterQueue(benchmark::State& state) {
  io::SystemClock clock;
  engine::CommitQueue queue(&clock, size_t{1} << 20);
  const auto apply = [] { return absl::OkStatus(); };
  for (auto _ : state) {
    engine::CommitQueue::Member member(apply, Durability::kNone, 128, "");
    KEEL_CHECK(queue.Enter(&member, absl::InfiniteDuration()) == engine::CommitQueue::Turn::kLead);
    const engine::CommitQueue::Group group = queue.TakeGroup(&member);
    queue.Answer(group, &member);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(EnterQueue);

// --- stages ---

// Adds up the time between Start and Stop of one stage.
class StopWatch {
 public:
  explicit StopWatch(int64_t stage) : stage_(stage) {}

  template <typename Step>
  void Run(int64_t stage, Step&& step) {
    if (stage != stage_) return step();
    const auto begin = std::chrono::steady_clock::now();
    step();
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  // Since the last call.
  double TakeSeconds() { return std::exchange(seconds_, 0.0); }

 private:
  const int64_t stage_;
  double seconds_ = 0;
};

using DatabaseImpl = std::shared_ptr<Database::Impl>;

// One transaction, as keel::Transaction takes the database through it.
template <typename Change>
void Transact(const DatabaseImpl& database, StopWatch* watch, Change&& change) {
  watch->Run(1, [&] { Must(database->AcquireWriter(absl::InfiniteDuration(), "")); });
  watch->Run(2, [&] { change(); });
  watch->Run(3, [&] { Must(database->CommitWriter(kUnsynced)); });
}

void PutRow(const DatabaseImpl& database, std::string_view key, std::string_view value) {
  Must(database->ApplyAndLog({.key = key, .value = value}));
}

// One stage of a transaction that puts one row; the others go on unmeasured:
//   0  nothing: what measuring takes
//   1  the writer lock, health, room in the log
//   2  the change on new pages, a copy of each on the path; its operation gathered
//   3  the record appended, the version published, the lock released, the version visible
void CommitStage(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  StopWatch watch(state.range(1));
  const MemoryDirectory directory;
  const DatabaseImpl database =
      Must(engine::OpenDatabase(directory.path() / "db", MemoryOptions()));
  const std::string value = RowValue();
  Transact(database, &watch, [&] {
    for (uint64_t n = 0; n < entries; ++n) PutRow(database, RowKey(n), value);
  });
  watch.TakeSeconds();
  const std::vector<std::string> keys = DrawKeys(entries);
  Round round;
  uint64_t commits = 0;
  for (auto _ : state) {
    const std::string& key = round.Next(keys);
    watch.Run(0, [] {});
    Transact(database, &watch, [&] { PutRow(database, key, value); });
    if (++commits % kCommitsPerRound == 0) Must(database->RunBackgroundWork());
    state.SetIterationTime(watch.TakeSeconds());
  }
  state.SetItemsProcessed(state.iterations());
  Must(database->Close());
}
BENCHMARK(CommitStage)
    ->ArgNames({"entries", "stage"})
    ->ArgsProduct({{1000, 100'000}, {1, 2, 3}})
    ->UseManualTime();
// By its own time it would go on for ages.
BENCHMARK(CommitStage)
    ->ArgNames({"entries", "stage"})
    ->Args({1000, 0})
    ->Iterations(2000)
    ->UseManualTime();

}  // namespace
}  // namespace keel::bench
