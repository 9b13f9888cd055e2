// Named scenarios: every short sequence with the power cut in its last step, every two threads that
// meet at an I/O step, every fault at every kind of call.

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/seed.h"
#include "torture/beginning.h"
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

void PrintTo(const FaultScenario& scenario, std::ostream* out) { *out << scenario.name; }

// Where Keel makes such calls: which kind, of which file (empty: any).
struct Place {
  CallKind kind;
  std::string_view file;
};
constexpr Place kPlaces[] = {
    {CallKind::kOpen, "data.keel"},
    {CallKind::kOpen, "segment"},
    {CallKind::kOpen, ""},
    {CallKind::kRead, "data.keel"},
    {CallKind::kRead, "segment"},
    {CallKind::kRead, ""},
    {CallKind::kWrite, "data.keel"},
    {CallKind::kWrite, "segment"},
    {CallKind::kWrite, ""},
    {CallKind::kSync, "data.keel"},
    {CallKind::kSync, "segment"},
    {CallKind::kSync, ""},
    {CallKind::kAllocate, "data.keel"},
    {CallKind::kTruncate, "data.keel"},
    {CallKind::kTruncate, "segment"},
    {CallKind::kLock, "data.keel"},
    {CallKind::kLock, "segment"},
    {CallKind::kLock, ""},
    {CallKind::kSyncDirectory, ""},
    {CallKind::kCreateDirectory, ""},
    {CallKind::kList, ""},
    {CallKind::kExists, "data.keel"},
    {CallKind::kRename, "data.keel"},
    {CallKind::kFreeSpace, ""},
};

std::vector<FaultScenario> FaultScenarios() {
  std::vector<FaultScenario> all;
  const auto add = [&all](FaultRule rule, const std::string& where) {
    for (const uint64_t times : {uint64_t{1}, uint64_t{3}, FaultRule::kForEver}) {
      rule.times = times;
      const std::string_view how = times == 0 ? "for_ever" : times == 1 ? "once" : "thrice";
      all.push_back(
          {rule, AfterFailedSync::kCached,
           Identifier(absl::StrFormat("%s_%s_in_%s", FaultName(rule.fault), how, where))});
    }
  };
  for (size_t i = 0; i < io::kSyncPurposes; ++i) {
    const auto purpose = static_cast<io::SyncPurpose>(i);
    for (const Fault fault : {Fault::kIoError, Fault::kNoSpace}) {
      add({.fault = fault, .purpose = purpose}, "sync_of_" + std::string(SyncPurposeName(purpose)));
    }
  }
  for (const auto& [kind, file] : kPlaces) {
    for (const Fault fault : {Fault::kIoError, Fault::kNoSpace, Fault::kQuota, Fault::kReadOnly,
                              Fault::kAccess, Fault::kNoMemory, Fault::kTooManyFiles}) {
      if (!CanSuffer(kind, fault)) continue;
      add({.fault = fault, .calls = {kind}, .path_part = std::string(file)},
          std::string(CallKindName(kind)) + (file.empty() ? "" : "_of_") + std::string(file));
    }
  }
  return all;
}

class FaultMeets : public ::testing::TestWithParam<FaultScenario> {};

const fault_injection::DiskImage& AllButFull(const Shape& shape) {
  static const fault_injection::DiskImage image = [&shape] {
    std::string violation;
    auto made = MakeBeginning(shape, &violation);
    EXPECT_EQ(violation, "");
    return made;
  }();
  return image;
}

// A workload with checkpoints, growth and changes of log segments; the fault comes somewhere in it,
// or at its first chance where there are few, or while the database is created.
TEST_P(FaultMeets, G4_G5_AWorkload) {
  FaultCaseOptions options;
  options.seed = testing::TestSeed();
  options.script = MakeScript(options.shape, options.seed, 60);
  // What forces growth: nothing that is overwritten becomes free.
  options.script.push_back({Operation::kReopen});
  for (uint64_t n = 0; n < 4; ++n) {
    for (const Operation operation :
         {Operation::kSnapshotOpen, Operation::kBulk, Operation::kCommitSync,
          Operation::kCheckpoint, Operation::kFillLog}) {
      options.script.push_back({operation, options.seed + n});
    }
  }
  options.shape.ballast = true;
  options.start = AllButFull(options.shape);
  options.after_failed_sync = GetParam().after_failed_sync;
  options.crashes = 1;

  Tally tally;
  const auto meets = [&](uint64_t from_step) {
    FaultRule rule = GetParam().rule;
    rule.from_step = from_step;
    EXPECT_EQ(RunWithFaults(options, {rule}, &tally), "");
    return tally.faults > 0;
  };
  if (meets(options.seed % 150) || meets(0)) return;
  options.start = {};
  EXPECT_TRUE(meets(0)) << "the workload has no such call";
}

INSTANTIATE_TEST_SUITE_P(Fault, FaultMeets, ::testing::ValuesIn(FaultScenarios()),
                         [](const auto& scenario) { return scenario.param.name; });

}  // namespace
}  // namespace keel::torture
