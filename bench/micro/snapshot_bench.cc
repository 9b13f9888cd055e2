// Snapshots and versions: taking one, giving it back, moving on to the next (engine/version_registry.h).

#include <benchmark/benchmark.h>
#include <keel/keel.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "bench/micro/memory_database.h"
#include "bench/micro/rows.h"
#include "engine/version_registry.h"
#include "pager/guard.h"
#include "pager/page_cache.h"
#include "tests/unit/pager/flat_file.h"

namespace keel::bench {
namespace {

// Taken and given back, beside others that stay open.
void SnapshotOpen(benchmark::State& state) {
  MemoryDatabase& database = DatabaseToRead(1000);
  std::vector<Snapshot> others;
  for (int64_t n = 0; n < state.range(0); ++n) others.push_back(database->GetSnapshot());
  for (auto _ : state) {
    const Snapshot snapshot = database->GetSnapshot();
    benchmark::DoNotOptimize(snapshot.lsn());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(SnapshotOpen)->ArgNames({"others"})->Arg(0)->Arg(1000);

// A version made, published behind the others and made visible, with so many snapshots of older ones open: the part of
// a commit behind the log. No page dies.
void PublishVersion(benchmark::State& state) {
  pager::FlatFile file(size_t{1} << 20);
  pager::TestClock clock;
  const std::shared_ptr<pager::GuardDomain> guards = pager::GuardDomain::Create();
  const std::unique_ptr<pager::PageCache> cache = Must(pager::PageCache::Create(
      &file, &clock, guards.get(), {.frames = size_t{4} * pager::kMinFrames}));
  engine::Version version(MakeEpoch(1, 1), Lsn{1}, CommitNumber{1},
                          {.names = std::make_shared<engine::KeyspaceNames>()});
  engine::VersionRegistry registry(std::make_shared<engine::Version>(version), cache.get(),
                                   guards.get());
  std::vector<engine::VersionKeeper> others;
  const auto publish = [&] {
    version.epoch = NextEpoch(version.epoch);
    ++version.lsn.value;
    ++version.number.value;
    registry.Publish(std::make_shared<engine::Version>(version), {});
    registry.AdvanceVisible(version.lsn);
  };
  for (int64_t n = 0; n < state.range(0); ++n) {
    others.push_back(registry.KeepVisible());
    publish();
  }
  for (auto _ : state) publish();
  KEEL_CHECK(registry.visible()->number == version.number);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(PublishVersion)->ArgNames({"others"})->Arg(0)->Arg(100);

}  // namespace
}  // namespace keel::bench
