// Point reads through the public face, of pages that are all in memory.

#include <benchmark/benchmark.h>
#include <keel/keel.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "bench/micro/memory_database.h"
#include "bench/micro/rows.h"

namespace keel::bench {
namespace {

void CountReads(benchmark::State& state, size_t reads, size_t value_bytes) {
  const auto items = state.iterations() * static_cast<int64_t>(reads);
  state.SetItemsProcessed(items);
  state.SetBytesProcessed(items * static_cast<int64_t>(kKeyBytes + value_bytes));
}

// Small values are copied out; those over 256 bytes pin their page.
void Get(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  const auto value_bytes = static_cast<size_t>(state.range(1));
  MemoryDatabase& database = DatabaseToRead(entries, value_bytes);
  const std::vector<std::string> keys = DrawKeys(entries);
  Round round;
  for (auto _ : state) {
    const PinnedValue value = Must(database->Get(round.Next(keys)));
    benchmark::DoNotOptimize(value.data());
  }
  CountReads(state, 1, value_bytes);
}
BENCHMARK(Get)
    ->ArgNames({"entries", "value"})
    ->ArgsProduct({{1000, 1'000'000}, {kValueBytes}})
    ->Args({1000, 600})
    ->Args({100'000, 600});

void GetAbsent(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  MemoryDatabase& database = DatabaseToRead(entries);
  std::vector<std::string> keys = DrawKeys(entries);
  for (std::string& key : keys) key.back() = '+';
  Round round;
  for (auto _ : state) KEEL_CHECK(!database->Get(round.Next(keys)).ok());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(GetAbsent)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

void GetInSnapshot(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  const Snapshot snapshot = DatabaseToRead(entries)->GetSnapshot();
  const std::vector<std::string> keys = DrawKeys(entries);
  Round round;
  for (auto _ : state) {
    const PinnedValue value = Must(snapshot.Get(round.Next(keys)));
    benchmark::DoNotOptimize(value.data());
  }
  CountReads(state, 1, kValueBytes);
}
BENCHMARK(GetInSnapshot)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

// 100 keys at a time; an item is one of them.
void MultiGet(benchmark::State& state) {
  constexpr size_t kKeysAtOnce = 100;
  const auto entries = static_cast<uint64_t>(state.range(0));
  MemoryDatabase& database = DatabaseToRead(entries);
  const std::vector<std::string> keys = DrawKeys(entries);
  Round round;
  std::vector<std::string_view> wanted(kKeysAtOnce);
  for (auto _ : state) {
    for (std::string_view& key : wanted) key = round.Next(keys);
    const auto values = database->MultiGet(wanted);
    KEEL_CHECK(values.back().ok());
  }
  CountReads(state, kKeysAtOnce, kValueBytes);
}
BENCHMARK(MultiGet)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

}  // namespace
}  // namespace keel::bench
