#include "torture/soak.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "torture/beginning.h"
#include "torture/player.h"

namespace keel::torture {

using fault_injection::CallKind;
using fault_injection::CrashChoice;
using fault_injection::CrashProfile;
using fault_injection::Durability;
using fault_injection::Fault;
using fault_injection::FaultPlan;
using fault_injection::kCrashProfiles;
using fault_injection::SeededRandom;
using fault_injection::SimFileSystem;

namespace {

class Soak {
 public:
  Soak(const SoakOptions& options, Tally* tally)
      : options_(options), tally_(tally), random_(options.seed) {
    lying_ = random_.OneIn(5);
    faulty_ = !lying_ && random_.OneIn(2);
    full_ = random_.OneIn(3);
    world_ =
        std::make_unique<SimFileSystem>(WorldOptions(), MakeBeginning(options.shape, &violation_));
  }

  std::string Run();

 private:
  fault_injection::SimOptions WorldOptions() {
    return {.seed = random_.Next(),
            .space = random_.OneIn(4) ? fault_injection::SpaceModel::kDelayed
                                      : fault_injection::SpaceModel::kImmediate,
            .after_failed_sync = random_.OneIn(2) ? fault_injection::AfterFailedSync::kCached
                                                  : fault_injection::AfterFailedSync::kReverted,
            .direct_io = options_.shape.direct_io,
            .keep_trace = false,
            .quickest_flush = options_.shape.flush};
  }

  std::string Live(const Script& part);
  void AddFaults();
  void AddSilentFaults();
  std::unique_ptr<SimFileSystem> AfterPowerLoss();
  std::unique_ptr<SimFileSystem> AfterKill();

  const SoakOptions& options_;
  Tally* const tally_;
  SeededRandom random_;
  bool lying_ = false;  // the device, and not only in the life in which it began
  bool faulty_ = false;
  bool full_ = false;
  std::unique_ptr<SimFileSystem> world_;
  History history_;
  bool damaged_ = false;   // beyond opening
  std::string violation_;  // in the beginning
};

// Some kinds of faults, each rare, for one life of the process.
void Soak::AddFaults() {
  FaultPlan plan(random_.Next());
  constexpr Fault kFaults[] = {Fault::kIoError, Fault::kIoError, Fault::kNoSpace, Fault::kNoMemory};
  for (uint64_t n = random_.Below(3); n > 0; --n) {
    plan.Add({.fault = kFaults[random_.Below(std::size(kFaults))],
              .calls = random_.OneIn(2) ? std::vector<CallKind>{}
                                        : std::vector<CallKind>{static_cast<CallKind>(
                                              random_.Below(fault_injection::kCallKinds))},
              .from_step = random_.Below(400),
              .probability = 0.02,
              .times = random_.OneIn(3) ? 0 : 1 + random_.Below(3)});
  }
  if (random_.OneIn(3)) {  // the log cannot grow, though the tree can
    plan.Add({.fault = Fault::kNoSpace,
              .calls = {CallKind::kAllocate},
              .path_part = "segment",
              .from_step = random_.Below(400),
              .times = 0});
  }
  world_->set_plan(std::move(plan));
}

// What no call tells of.
void Soak::AddSilentFaults() {
  FaultPlan plan(random_.Next());
  constexpr Fault kFaults[] = {Fault::kLostWrite, Fault::kMisdirectedWrite, Fault::kDuplicatedWrite,
                               Fault::kLyingSync, Fault::kFlippedBit,       Fault::kStaleRead,
                               Fault::kZeroRead};
  for (uint64_t n = 1 + random_.Below(2); n > 0; --n) {
    plan.Add({.fault = kFaults[random_.Below(std::size(kFaults))],
              .path_part = random_.OneIn(3)   ? "segment"
                           : random_.OneIn(2) ? "data.keel"
                                              : "",
              .from_step = random_.Below(200),
              .probability = 0.05,
              .times = 1 + random_.Below(4)});
  }
  world_->set_plan(std::move(plan));
}

std::unique_ptr<SimFileSystem> Soak::AfterPowerLoss() {
  const Durability durability = world_->durability();
  CrashChoice choice;
  const uint64_t share = 1 + random_.Below(4);
  for (const auto& pending : durability.pending()) {
    const bool kept = !random_.OneIn(share + 1);
    choice.kept.push_back(kept ? pending.sectors : fault_injection::SectorMask{0});
    if (kept && pending.effect->IsData() && random_.OneIn(8)) {
      choice.kept.back() &= static_cast<fault_injection::SectorMask>(random_.Next());
    }
  }
  choice.garbage = random_.OneIn(4);
  choice.shredded = random_.OneIn(4);
  choice.seed = random_.Next();
  const CrashProfile profile = kCrashProfiles[random_.Below(kCrashProfiles.size())];
  tally_->Met("power lost");
  return std::make_unique<SimFileSystem>(
      WorldOptions(),
      BuildCrashImage(durability, Restrict(profile, durability, std::move(choice))));
}

std::unique_ptr<SimFileSystem> Soak::AfterKill() {
  tally_->Met("process killed");
  auto next = std::make_unique<SimFileSystem>(WorldOptions(), world_->disk());
  if (random_.OneIn(2)) next->EvictLost();
  return next;
}

// From one opening to its end, which is a clean one, or a crash.
std::string Soak::Live(const Script& part) {
  const bool faults = faulty_ && random_.OneIn(2);
  const bool full = full_ && random_.OneIn(2);
  if (faults) AddFaults();
  if (lying_) AddSilentFaults();
  if (full) {
    // Of every size from a block on: the small ones are met within a transaction, or a segment.
    world_->set_capacity(world_->used_bytes() + random_.Below(uint64_t{4096} << random_.Below(9)));
    tally_->Met("little room on the disk");
  }
  std::unique_ptr<SimFileSystem> next;
  {
    Player player(world_.get(), options_.shape, &history_);
    player.set_strict(!faults && !full && !lying_);
    player.set_lying_device(lying_);
    const bool opened = player.Open();
    damaged_ = lying_ && !opened;
    player.Play(part);
    tally_->operations += part.size();
    player.Tell(tally_);
    tally_->Met("stopped by a fault", opened && !player.alive());
    if (opened && (lying_ || random_.OneIn(4))) player.Verify();
    if (lying_) tally_->Met("a lying device was found out", absl::IsDataLoss(player.last_error()));
    ++tally_->recoveries[player.recovery_report().clean ? 0 : 1];
    const uint64_t end = random_.Below(3);
    if (end == 0) player.Close();
    if (!player.violation().empty()) return player.violation();
    // Taken before the database goes: what its destructor writes comes too late.
    if (end != 0) next = end == 1 ? AfterKill() : AfterPowerLoss();
  }
  tally_->faults += world_->faults();
  if (lying_) tally_->Met("a life with silent faults", world_->faults() > 0);
  if (next != nullptr) world_ = std::move(next);
  world_->set_plan(FaultPlan());
  world_->set_capacity(uint64_t{1} << 40);
  return "";
}

std::string Soak::Run() {
  if (!violation_.empty()) return violation_;
  size_t done = 0;
  while (done < options_.script.size() && !damaged_) {
    if (options_.stop()) {
      ++tally_->cut_short;
      break;
    }
    const size_t steps = std::min(options_.script.size() - done, 1 + random_.Below(200));
    const auto begin = options_.script.begin() + static_cast<ptrdiff_t>(done);
    const std::string violation = Live({begin, begin + static_cast<ptrdiff_t>(steps)});
    if (!violation.empty())
      return absl::StrFormat("steps %d to %d: %s", done, done + steps, violation);
    done += steps;
  }
  return "";
}

}  // namespace

std::string RunSoak(const SoakOptions& options, Tally* tally) { return Soak(options, tally).Run(); }

}  // namespace keel::torture
