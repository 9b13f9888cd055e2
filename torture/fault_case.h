// Campaign C: one fault at one I/O step of a workload, for every step and every kind of fault.
//
// The workload is played again from its start for each, up to the fault and past it. Whatever Keel
// answers, nothing acknowledged may be lost and nothing wrong returned; with the fault gone it must
// open again and work, also if the machine loses power right after the fault.

#ifndef KEEL_TORTURE_FAULT_CASE_H_
#define KEEL_TORTURE_FAULT_CASE_H_

#include <cstdint>
#include <string>

#include "fault_injection/fault_plan.h"
#include "fault_injection/sim_file_system.h"
#include "torture/script.h"
#include "torture/shape.h"
#include "torture/tally.h"

namespace keel::torture {

struct FaultCaseOptions {
  Shape shape;
  Script script;
  fault_injection::DiskImage start;
  uint64_t seed = 0;
  fault_injection::AfterFailedSync after_failed_sync = fault_injection::AfterFailedSync::kCached;
  size_t crashes = 2;  // crash images that are recovered after each fault
};

// How many I/O steps the workload takes when nothing goes wrong.
uint64_t CountSteps(const FaultCaseOptions& options);

// One run with these faults. Empty: all was well.
std::string RunWithFaults(const FaultCaseOptions& options,
                          const std::vector<fault_injection::FaultRule>& rules, Tally* tally);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_FAULT_CASE_H_
