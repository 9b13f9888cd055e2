// Named scenarios: every short sequence with the power cut in its last step, every two threads that
// meet at an I/O step, every fault at every kind of call.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "tests/support/seed.h"
#include "torture/exhaustive.h"
#include "torture/fault_case.h"
#include "torture/schedule.h"

namespace keel::torture {
namespace {

using fault_injection::AfterFailedSync;
using fault_injection::CallKind;
using fault_injection::CallKindName;
using fault_injection::Fault;
using fault_injection::FaultName;
using fault_injection::FaultRule;

std::string Identifier(std::string text) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return text;
}

class PowerCutAtTheEndOf : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PowerCutAtTheEndOf, G1_G2) {
  Tally tally;
  EXPECT_EQ(RunSequence(testing::TestSeed(), GetParam(), &tally), "");
}

INSTANTIATE_TEST_SUITE_P(Sequence, PowerCutAtTheEndOf,
                         ::testing::Range<uint64_t>(0, SequencesUpTo(2)), [](const auto& scenario) {
                           return Identifier(Describe(SequenceOf(scenario.param, 0)));
                         });

class TwoThreadsMeet : public ::testing::TestWithParam<uint64_t> {};

TEST_P(TwoThreadsMeet, G1_G2_G7) {
  Tally tally;
  EXPECT_EQ(RunSchedule(testing::TestSeed(), GetParam(), &tally), "");
}

INSTANTIATE_TEST_SUITE_P(Schedule, TwoThreadsMeet, ::testing::Range<uint64_t>(0, SchedulesUpTo(9)),
                         [](const auto& scenario) {
                           return Identifier(ScheduleName(scenario.param));
                         });

struct FaultScenario {
  FaultRule rule;
  AfterFailedSync after_failed_sync = AfterFailedSync::kCached;
  std::string name;
};

std::vector<FaultScenario> FaultScenarios() {
  std::vector<FaultScenario> all;
  const auto add = [&all](FaultRule rule, const std::string& where) {
    for (const uint64_t times : {uint64_t{1}, uint64_t{3}, FaultRule::kForEver}) {
      rule.times = times;
      const std::string how = times == 0 ? "for_ever" : times == 1 ? "once" : "thrice";
      all.push_back({rule, AfterFailedSync::kCached,
                     Identifier(std::string(FaultName(rule.fault)) + "_" + how + "_in_" + where)});
    }
  };
  for (size_t i = 0; i < io::kSyncPurposes; ++i) {
    const auto purpose = static_cast<io::SyncPurpose>(i);
    for (const Fault fault : {Fault::kIoError, Fault::kNoSpace}) {
      add({.fault = fault, .purpose = purpose}, "sync_of_" + std::string(SyncPurposeName(purpose)));
    }
  }
  for (size_t i = 0; i < fault_injection::kCallKinds; ++i) {
    const auto kind = static_cast<CallKind>(i);
    for (const Fault fault : {Fault::kIoError, Fault::kNoSpace, Fault::kQuota, Fault::kReadOnly,
                              Fault::kAccess, Fault::kNoMemory, Fault::kTooManyFiles}) {
      if (!CanSuffer(kind, fault)) continue;
      for (const char* file : {"data.keel", "segment", ""}) {
        add({.fault = fault, .calls = {kind}, .path_part = file},
            std::string(CallKindName(kind)) + (*file == 0 ? "" : "_of_") + file);
      }
    }
  }
  return all;
}

class FaultMeets : public ::testing::TestWithParam<FaultScenario> {};

// A workload with checkpoints and changes of log segments; the fault comes somewhere in it.
TEST_P(FaultMeets, G4_G5_AWorkload) {
  FaultCaseOptions options;
  options.seed = testing::TestSeed();
  options.script = MakeScript(options.shape, options.seed, 60);
  options.after_failed_sync = GetParam().after_failed_sync;
  options.crashes = 1;
  FaultRule rule = GetParam().rule;
  rule.from_step = options.seed % 150;
  Tally tally;
  EXPECT_EQ(RunWithFaults(options, {rule}, &tally), "");
}

INSTANTIATE_TEST_SUITE_P(Fault, FaultMeets, ::testing::ValuesIn(FaultScenarios()),
                         [](const auto& scenario) { return scenario.param.name; });

}  // namespace
}  // namespace keel::torture
