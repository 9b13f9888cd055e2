// What libFuzzer calls; KEEL_FUZZ_TARGET names the target. With KEEL_FUZZ_SEEDS=FOLDER it writes the target's seeds
// there and ends.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/fuzz/fuzz_target.h"

namespace {

void WriteSeeds(const std::string& folder) {
  int number = 0;
  for (const std::string& seed : keel::fuzz::KEEL_FUZZ_TARGET.seeds()) {
    const std::string name = folder + "/seed-" + std::to_string(100 + number++).substr(1);
    std::ofstream(name, std::ios::binary) << seed;
  }
  std::printf("%d seeds\n", number);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  if (const char* const folder = std::getenv("KEEL_FUZZ_SEEDS"); folder != nullptr) {
    WriteSeeds(folder);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  keel::fuzz::Run(keel::fuzz::KEEL_FUZZ_TARGET, {data, size});
  return 0;
}
