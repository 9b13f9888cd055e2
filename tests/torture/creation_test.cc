// A database that is being made: the power is cut at every step of that, in every way, and it has to be there, or to be
// made anew.

#include <gtest/gtest.h>

#include "tests/support/seed.h"
#include "torture/crash_sweep.h"
#include "torture/shape.h"

namespace keel::torture {
namespace {

// In campaigns these few steps are a small part of what each workload has.
TEST(CreationTest, G2_EveryStepOfIt) {
  Tally tally;
  CrashSweepOptions options;
  options.shape = TinyShape();
  options.seed = testing::TestSeed();
  options.after = 2;
  options.budget.each = 64;
  const std::optional<CrashFinding> finding = CrashSweep(options, &tally).Run();
  EXPECT_FALSE(finding.has_value()) << finding->where << ": " << finding->what;
  EXPECT_GT(tally.sometimes["created anew after a crash while it was created"], 0U);
}

}  // namespace
}  // namespace keel::torture
