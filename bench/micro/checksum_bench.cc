// Checksums, and the pages that carry them (base/checksum.h, pager/page_format.h).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/checksum.h"
#include "bench/micro/rows.h"
#include "pager/page_format.h"

namespace keel::bench {
namespace {

constexpr DatabaseId kDatabase{.high = 3, .low = 5};
constexpr PageId kPage{17};

AlignedBuffer Bytes(size_t size) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(size);
  KEEL_CHECK(!buffer.empty());
  const std::string piece = RowValue(4096);
  for (size_t at = 0; at < size; at += piece.size()) {
    std::memcpy(buffer.data() + at, piece.data(), std::min(piece.size(), size - at));
  }
  return buffer;
}

void Checksum(benchmark::State& state) {
  const AlignedBuffer bytes = Bytes(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(keel::Checksum(bytes.span(), ChecksumSeed(kDatabase, kPage.value)));
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Checksum)->ArgNames({"bytes"})->Arg(128)->Arg(4096)->Arg(16384)->Arg(65536)->Arg(1 << 20);

// Before a page is written.
void SealPage(benchmark::State& state) {
  AlignedBuffer page = Bytes(static_cast<size_t>(state.range(0)));
  pager::HeaderOf(page.data()).page_id = kPage.value;
  for (auto _ : state) {
    pager::SealPage(page.span(), kDatabase);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(SealPage)->ArgNames({"page"})->Arg(4096)->Arg(16384);

// After a page was read.
void CheckPage(benchmark::State& state) {
  AlignedBuffer page = Bytes(static_cast<size_t>(state.range(0)));
  pager::HeaderOf(page.data()).page_id = kPage.value;
  pager::SealPage(page.span(), kDatabase);
  for (auto _ : state) Must(pager::CheckPage(page.span(), kDatabase, kPage));
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(CheckPage)->ArgNames({"page"})->Arg(4096)->Arg(16384);

// One page's bytes to another page, of as many of each as `pages` says: what copy-on-write rests on.
void CopyPage(benchmark::State& state) {
  const auto page_bytes = static_cast<size_t>(state.range(0));
  const auto pages = static_cast<size_t>(state.range(1));
  const AlignedBuffer source = Bytes(page_bytes * pages);
  AlignedBuffer target = Bytes(page_bytes * pages);
  // An odd stride visits all of a power of two, and no prefetcher knows it.
  size_t at = 0;
  for (auto _ : state) {
    at = (at + 1021) % pages;
    std::memcpy(target.data() + at * page_bytes, source.data() + at * page_bytes, page_bytes);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(CopyPage)->ArgNames({"page", "pages"})->ArgsProduct({{4096, 16384}, {1, 4096}});

}  // namespace
}  // namespace keel::bench
