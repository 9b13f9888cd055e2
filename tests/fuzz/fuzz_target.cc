#include "tests/fuzz/fuzz_target.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace keel::fuzz {
namespace {

int64_t ProcessorNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

// Of the thread: no target has others, and waiting for a busy machine does not count. A real hang is
// libFuzzer's to find (-timeout).
void Run(const FuzzTarget& target, std::span<const uint8_t> input) {
  constexpr int64_t kLimit = 1'000'000'000;
  // What a target makes once, for all inputs, is not an input's.
  static const FuzzTarget* warm = nullptr;
  if (warm != &target) {
    target.run({});
    warm = &target;
  }
  const int64_t begin = ProcessorNanoseconds();
  target.run(input);
  const int64_t took = ProcessorNanoseconds() - begin;
  if (took <= kLimit) return;
  std::fprintf(stderr, "%.*s: %zu bytes of input took %.1f s\n",
               static_cast<int>(target.name.size()), target.name.data(), input.size(),
               static_cast<double>(took) / 1e9);
  std::abort();
}

}  // namespace keel::fuzz
