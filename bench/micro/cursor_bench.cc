// Cursors through the public face, over pages that are all in memory.

#include <benchmark/benchmark.h>
#include <keel/keel.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "bench/micro/memory_database.h"
#include "bench/micro/rows.h"

namespace keel::bench {
namespace {

void CountRows(benchmark::State& state, int64_t rows) {
  state.SetItemsProcessed(rows);
  state.SetBytesProcessed(rows * static_cast<int64_t>(kKeyBytes + kValueBytes));
}

// One step and a look at key and value, round and round the whole database.
void CursorNext(benchmark::State& state) {
  Cursor cursor = DatabaseToRead(static_cast<uint64_t>(state.range(0)))->NewCursor();
  cursor.SeekToFirst();
  for (auto _ : state) {
    benchmark::DoNotOptimize(cursor.key().data());
    benchmark::DoNotOptimize(cursor.value().data());
    cursor.Next();
    if (!cursor.Valid()) cursor.SeekToFirst();
  }
  Must(cursor.status());
  CountRows(state, state.iterations());
}
BENCHMARK(CursorNext)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

void CursorPrev(benchmark::State& state) {
  Cursor cursor = DatabaseToRead(static_cast<uint64_t>(state.range(0)))->NewCursor();
  cursor.SeekToLast();
  for (auto _ : state) {
    benchmark::DoNotOptimize(cursor.key().data());
    benchmark::DoNotOptimize(cursor.value().data());
    cursor.Prev();
    if (!cursor.Valid()) cursor.SeekToLast();
  }
  Must(cursor.status());
  CountRows(state, state.iterations());
}
BENCHMARK(CursorPrev)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

// A seek to a random key and so many steps; an item is a row seen.
void CursorSeek(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  const int64_t rows = state.range(1);
  Cursor cursor = DatabaseToRead(entries)->NewCursor();
  const std::vector<std::string> keys = DrawKeys(entries);
  Round round;
  int64_t seen = 0;
  for (auto _ : state) {
    cursor.Seek(round.Next(keys));
    for (int64_t i = 0; i < rows && cursor.Valid(); ++i, ++seen) {
      benchmark::DoNotOptimize(cursor.value().data());
      cursor.Next();
    }
  }
  Must(cursor.status());
  CountRows(state, seen);
}
BENCHMARK(CursorSeek)->ArgNames({"entries", "rows"})->ArgsProduct({{1000, 1'000'000}, {1, 100}});

// Made, used once, ended: with it its snapshot.
void CursorLife(benchmark::State& state) {
  const auto entries = static_cast<uint64_t>(state.range(0));
  MemoryDatabase& database = DatabaseToRead(entries);
  const std::vector<std::string> keys = DrawKeys(entries);
  Round round;
  for (auto _ : state) {
    Cursor cursor = database->NewCursor();
    cursor.Seek(round.Next(keys));
    KEEL_CHECK(cursor.Valid());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(CursorLife)->ArgNames({"entries"})->Arg(1000)->Arg(1'000'000);

}  // namespace
}  // namespace keel::bench
