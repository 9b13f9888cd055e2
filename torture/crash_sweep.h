// Campaigns A and B: a workload is recorded once; then the power is cut at every step of the
// recording, in many ways, and Keel has to recover from every image; then the power is cut at every
// step of that recovery, and so on.
//
// From the trace an image costs microseconds, so nothing is run again to make one.

#ifndef KEEL_TORTURE_CRASH_SWEEP_H_
#define KEEL_TORTURE_CRASH_SWEEP_H_

#include <absl/container/flat_hash_map.h>
#include <keel/recovery_report.h>

#include <cstdint>
#include <optional>
#include <string>

#include "fault_injection/crash_choice.h"
#include "torture/history.h"
#include "torture/script.h"
#include "torture/shape.h"
#include "torture/stop.h"
#include "torture/tally.h"

namespace keel::torture {

struct CrashSweepOptions {
  Shape shape;
  fault_injection::DiskImage start;  // settled, and durable
  History history;                   // of what is on it
  Script script;                     // the workload
  // Whether the power is cut during the last step only, and not in the close after it.
  bool last_step_only = false;
  uint64_t seed = 0;
  size_t after = 20;  // operations after each recovery, before it is verified again
  fault_injection::CrashBudget budget;
  size_t max_depth = 1;  // 3: crashes in recoveries from crashes in recoveries
  // Of the workload's crash points one in `slices` is this sweep's, the first of them `slice`.
  uint64_t slice = 0;
  uint64_t slices = 1;
  // How many of those are tried, about, from all of it. 0: every one.
  uint64_t points = 0;
  uint64_t nested_one_in = 64;  // recoveries that are swept in turn
  // Crash points that are tried of each, about: so many within the recovery, half as many later.
  uint64_t nested_points = 4;
  Stop stop = Never;
};

struct CrashFinding {
  std::string where;  // depth, event, strategy, profile
  std::string what;
};

class CrashSweep {
 public:
  CrashSweep(const CrashSweepOptions& options, Tally* tally);

  // Stops at the first violation, which it returns, or when told to.
  std::optional<CrashFinding> Run();

 private:
  // A recorded run, and what is known of its beginning.
  struct Recording {
    fault_injection::DiskImage start;
    fault_injection::Trace trace;
    History history;
    Bounds bounds;         // at the start of the trace
    size_t first = 0;      // event at which the power is cut first
    size_t recovered = 0;  // event at which the recovery that it begins with has ended
    size_t depth = 0;
    uint64_t number = 0;  // of the recording
  };
  struct Place {
    size_t event = 0;
    fault_injection::CrashStrategy strategy = {};
    fault_injection::CrashProfile profile = {};
  };

  std::optional<Recording> RecordWorkload();
  bool Sweep(const Recording& recording);
  // Whether this one of a recording's events is a crash point that is tried.
  bool Chosen(const Recording& recording, size_t event);
  bool CrashHere(const Recording& recording, const fault_injection::Durability& durability,
                 const Bounds& bounds, size_t event);
  bool Try(const Recording& recording, const fault_injection::DiskImage& image,
           const Bounds& bounds, const Place& place);
  bool Recover(const Recording& recording, const fault_injection::DiskImage& image,
               const Bounds& bounds, const Place& place);
  bool ReadOnlyLeavesNoTrace(const fault_injection::DiskImage& image, uint64_t commits,
                             const Recording& recording, const Place& place);
  bool Fail(const Recording& recording, const Place& place, const std::string& what);
  void Note(const RecoveryReport& report, const Bounds& bounds, uint64_t commits, size_t depth);

  const CrashSweepOptions options_;
  Tally* const tally_;
  fault_injection::SeededRandom random_;
  // Commits found in each image, by recording and image: an image that comes again need only be
  // held against the bounds of its new moment.
  absl::flat_hash_map<uint64_t, uint64_t> seen_;
  io::SyncPurpose last_sync_ = {};  // before the crash point
  uint64_t recordings_ = 0;
  std::optional<CrashFinding> finding_;
};

}  // namespace keel::torture

#endif  // KEEL_TORTURE_CRASH_SWEEP_H_
