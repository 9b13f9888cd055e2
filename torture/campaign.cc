#include "torture/campaign.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "torture/beginning.h"
#include "torture/crash_sweep.h"
#include "torture/exhaustive.h"
#include "torture/fault_case.h"
#include "torture/group_case.h"
#include "torture/schedule.h"
#include "torture/soak.h"

namespace keel::torture {

using fault_injection::AfterFailedSync;
using fault_injection::Fault;
using fault_injection::FaultRule;
using fault_injection::Mix;
using fault_injection::SeededRandom;

namespace {

// A workload's crash points and faults are spread over so many cases.
constexpr uint64_t kCrashSlices = 8;
constexpr uint64_t kCrashWorkloads = 4;  // that take turns
constexpr uint64_t kFaultSlices = 512;

// The workload that the case plays a part of, or all.
uint64_t WorkloadOf(const Case& what) {
  switch (what.campaign) {
    case Campaign::kCrash:
      return what.number / (kCrashSlices * kCrashWorkloads) * kCrashWorkloads +
             what.number % kCrashWorkloads;
    case Campaign::kFault:
      return what.number / kFaultSlices;
    default:
      return what.number;
  }
}

uint64_t SeedOf(const Case& what) { return Mix(Mix(what.seed) ^ WorkloadOf(what)); }

// Half of the cases use the tiny geometry, where the most happens in a step.
Shape ShapeOf(uint64_t seed, uint64_t number) {
  SeededRandom random(seed);
  if (number % 2 != 0) return RandomShape(random);
  Shape shape = TinyShape();
  shape.ballast = number % 4 == 2;
  return shape;
}

Script Chosen(Script script, const Case& what) {
  if (!what.steps.has_value()) return script;
  Script chosen;
  for (const size_t index : *what.steps) {
    if (index < script.size()) chosen.push_back(script[index]);
  }
  return chosen;
}

void Report(const Case& what, const Shape& shape, std::string where, std::string text,
            Tally* tally) {
  if (text.empty()) return;
  if (!where.empty()) where += "; ";
  tally->violations.push_back({.campaign = what.campaign,
                               .seed = what.seed,
                               .number = what.number,
                               .where = where + shape.Describe(),
                               .what = std::move(text)});
}

size_t StepsOf(const Case& what) {
  switch (what.campaign) {
    case Campaign::kCrash:
      return 80;
    case Campaign::kNested:
      return 40;
    case Campaign::kFault:
      return 200;
    case Campaign::kSoak:
      return 4000;
    case Campaign::kExhaustive:
    case Campaign::kSchedule:
    case Campaign::kGroups:
      return 0;
  }
  return 0;
}

void RunSweep(const Case& what, Tally* tally, const Stop& stop) {
  const uint64_t seed = SeedOf(what);
  CrashSweepOptions options;
  options.seed = seed;
  options.stop = stop;
  options.shape = ShapeOf(seed, WorkloadOf(what));
  options.script = Chosen(MakeScript(options.shape, seed, StepsOf(what)), what);
  if (what.campaign == Campaign::kCrash) {
    options.slice = what.number / kCrashWorkloads % kCrashSlices;
    options.slices = kCrashSlices;
  } else {
    options.max_depth = 3;
    // Sampled, but from the whole of each recording.
    options.points = 24;
    options.nested_one_in = 24;
    options.nested_points = 4;
  }
  std::string violation;
  options.start = MakeBeginning(options.shape, &violation);
  if (!violation.empty()) return Report(what, options.shape, "", violation, tally);
  CrashSweep sweep(options, tally);
  const std::optional<CrashFinding> finding = sweep.Run();
  if (finding.has_value()) Report(what, options.shape, finding->where, finding->what, tally);
}

// Every kind of error, at one step or from it on, and both behaviours of a cache.
struct FaultVariant {
  Fault fault;
  bool for_ever;
  AfterFailedSync after_failed_sync;
};

std::vector<FaultVariant> FaultVariants() {
  std::vector<FaultVariant> variants;
  for (const Fault fault : {Fault::kIoError, Fault::kNoSpace, Fault::kQuota, Fault::kNoMemory}) {
    for (const bool for_ever : {false, true}) {
      variants.push_back({fault, for_ever, AfterFailedSync::kCached});
    }
  }
  variants.push_back({Fault::kIoError, false, AfterFailedSync::kReverted});
  variants.push_back({Fault::kIoError, true, AfterFailedSync::kReverted});
  return variants;
}

void RunFaults(const Case& what, Tally* tally, const Stop& stop) {
  FaultCaseOptions options;
  options.seed = SeedOf(what);
  options.shape = ShapeOf(options.seed, WorkloadOf(what));
  options.script = Chosen(MakeScript(options.shape, options.seed, StepsOf(what)), what);
  std::string violation;
  options.start = MakeBeginning(options.shape, &violation);
  if (!violation.empty()) return Report(what, options.shape, "", violation, tally);
  const uint64_t steps = CountSteps(options);
  for (uint64_t step = what.number % kFaultSlices; step < steps; step += kFaultSlices) {
    if (stop()) {
      ++tally->cut_short;
      return;
    }
    for (const FaultVariant& variant : FaultVariants()) {
      options.after_failed_sync = variant.after_failed_sync;
      const FaultRule rule{.fault = variant.fault,
                           .from_step = step,
                           .times = variant.for_ever ? FaultRule::kForEver : 1};
      violation = RunWithFaults(options, {rule}, tally);
      if (violation.empty()) continue;
      const std::string where = absl::StrFormat("%s from step %d of %d%s", FaultName(variant.fault),
                                                step, steps, variant.for_ever ? " on" : ", once");
      return Report(what, options.shape, where, violation, tally);
    }
  }
}

void RunLife(const Case& what, Tally* tally, const Stop& stop) {
  SoakOptions options;
  options.seed = SeedOf(what);
  options.stop = stop;
  options.shape = ShapeOf(options.seed, what.number);
  options.script = Chosen(MakeScript(options.shape, options.seed, StepsOf(what)), what);
  Report(what, options.shape, "", RunSoak(options, tally), tally);
}

bool Fails(const Case& what) {
  Tally tally;
  RunCase(what, &tally);
  return !tally.violations.empty();
}

}  // namespace

char CampaignLetter(Campaign campaign) {
  return static_cast<char>('A' + static_cast<int>(campaign));
}

std::string_view CampaignName(Campaign campaign) {
  switch (campaign) {
    case Campaign::kCrash:
      return "crash sweep";
    case Campaign::kNested:
      return "crashes within recoveries";
    case Campaign::kFault:
      return "error sweep";
    case Campaign::kExhaustive:
      return "every short sequence";
    case Campaign::kSoak:
      return "soak";
    case Campaign::kSchedule:
      return "schedules";
    case Campaign::kGroups:
      return "commits as groups";
  }
  return "unknown";
}

std::optional<Campaign> CampaignOf(char letter) {
  for (const Campaign campaign : kCampaigns) {
    if (CampaignLetter(campaign) == letter) return campaign;
  }
  return std::nullopt;
}

uint64_t CasesToMeetAll(Campaign campaign) {
  switch (campaign) {
    case Campaign::kCrash:
      return 20 * kCrashSlices;
    case Campaign::kNested:
      return 40;
    case Campaign::kFault:
      return kFaultSlices;
    case Campaign::kExhaustive:
      return 900;
    case Campaign::kSoak:
    case Campaign::kSchedule:
    case Campaign::kGroups:
      return 100;
  }
  return 0;
}

void RunCase(const Case& what, Tally* tally, const Stop& stop) {
  ++tally->cases;
  switch (what.campaign) {
    case Campaign::kCrash:
    case Campaign::kNested:
      return RunSweep(what, tally, stop);
    case Campaign::kFault:
      return RunFaults(what, tally, stop);
    case Campaign::kExhaustive:
      return Report(what, TinyShape(), "", RunSequence(what.seed, what.number, tally), tally);
    case Campaign::kSoak:
      return RunLife(what, tally, stop);
    case Campaign::kSchedule:
      return Report(what, TinyShape(), "", RunSchedule(what.seed, what.number, tally), tally);
    case Campaign::kGroups:
      return Report(what, TinyShape(), "", RunGroups(SeedOf(what), tally, stop), tally);
  }
}

size_t ScriptSteps(const Case& what) { return StepsOf(what); }

Case Shrink(const Case& failing, int attempts) {
  std::vector<size_t> best;
  if (failing.steps.has_value()) {
    best = *failing.steps;
  } else {
    for (size_t i = 0; i < StepsOf(failing); ++i) best.push_back(i);
  }
  const auto with = [&failing](std::vector<size_t> steps) {
    return Case{failing.campaign, failing.seed, failing.number, std::move(steps)};
  };
  for (size_t piece = best.size() / 2; piece > 0; piece /= 2) {
    for (size_t at = 0; at < best.size() && attempts > 0; --attempts) {
      std::vector<size_t> fewer = best;
      const auto begin = fewer.begin() + static_cast<ptrdiff_t>(at);
      const size_t count = std::min(piece, fewer.size() - at);
      fewer.erase(begin, begin + static_cast<ptrdiff_t>(count));
      if (Fails(with(fewer))) {
        best = std::move(fewer);
      } else {
        at += piece;
      }
    }
  }
  return with(best);
}

}  // namespace keel::torture
