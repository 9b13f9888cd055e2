// The microbenchmarks: pieces of the engine by themselves, without the disk. See docs/performance.md.

#include <benchmark/benchmark.h>

#include "bench/micro/memory_directory.h"

// Fails if nothing was run, say for a filter that matches nothing.
int main(int argc, char** argv) {
  benchmark::AddCustomContext("files", keel::bench::MemoryDirectory::Parent());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}
