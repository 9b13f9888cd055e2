// The main function of every test binary.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "tests/support/seed.h"

namespace {

// Names the seed beside each failure, where a log's reader looks first.
class SeedPrinter : public testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed()) {
      std::printf("repeat with: --gtest_filter=%s.%s --seed=%" PRIu64 "\n", test.test_suite_name(),
                  test.name(), keel::testing::TestSeed());
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  keel::testing::InitTestSeed(&argc, argv);
  if (argc > 1) {
    std::fprintf(stderr, "unknown argument: %s\n", argv[1]);
    return 2;
  }
  testing::UnitTest::GetInstance()->listeners().Append(new SeedPrinter);
  std::printf("seed: %" PRIu64 "\n", keel::testing::TestSeed());
  // A crash must not take the seed with it.
  std::fflush(stdout);
  return RUN_ALL_TESTS();
}
