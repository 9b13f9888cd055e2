#include "tests/support/seed.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace keel::testing {
namespace {

uint64_t seed = 0;

uint64_t ParseSeed(std::string_view text) {
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) {
    std::fprintf(stderr, "--seed: not a number from 0 to 2^64-1: '%s'\n",
                 std::string(text).c_str());
    std::exit(2);
  }
  return value;
}

uint64_t DrawSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

uint64_t TestSeed() { return seed; }

void InitTestSeed(int* argc, char** argv) {
  const char* const from_environment = std::getenv("KEEL_TEST_SEED");
  bool chosen = from_environment != nullptr;
  if (chosen) seed = ParseSeed(from_environment);

  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--seed=")) {
      seed = ParseSeed(argument.substr(7));
      chosen = true;
    } else if (argument == "--seed") {
      seed = ParseSeed(i + 1 < *argc ? argv[++i] : "");
      chosen = true;
    } else {
      argv[kept++] = argv[i];
    }
  }
  *argc = kept;
  argv[kept] = nullptr;

  if (!chosen) seed = DrawSeed();
  // No overwrite: a seed that was set by hand goes first.
  setenv("RC_PARAMS", ("seed=" + std::to_string(seed)).c_str(), 0);
}

}  // namespace keel::testing
