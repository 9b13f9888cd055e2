#include "torture/fault_case.h"

#include <absl/strings/str_format.h>

#include "fault_injection/crash_choice.h"
#include "torture/player.h"

namespace keel::torture {

using fault_injection::FaultPlan;
using fault_injection::FaultRule;
using fault_injection::SeededRandom;
using fault_injection::SimDisk;
using fault_injection::SimFileSystem;
using fault_injection::SimOptions;

namespace {

SimOptions WorldOptions(const FaultCaseOptions& options) {
  return {.seed = options.seed,
          .after_failed_sync = options.after_failed_sync,
          .direct_io = options.shape.direct_io,
          .keep_trace = false,
          .quickest_flush = options.shape.flush};
}

// With nothing in the way the database has to open, hold what the history says, and work.
std::string WorksAgain(const FaultCaseOptions& options, SimFileSystem* world, History history) {
  Player player(world, options.shape, &history);
  player.Open();
  player.Verify();
  player.Play(MakeScript(options.shape, options.seed + 1, 20));
  player.Play({{Operation::kBatch, options.seed}, {Operation::kCheckpoint}, {Operation::kReopen}});
  player.Verify();
  player.Close();
  if (player.violation().empty() && player.commits() == 0) return "no commit came about afterwards";
  return player.violation();
}

// What is there if the machine stops now, whichever way.
std::string SurvivesPowerLoss(const FaultCaseOptions& options, const SimDisk& disk,
                              const History& history, uint64_t number) {
  SeededRandom random(options.seed + number);
  const auto& durability = disk.durability();
  fault_injection::CrashChoice choice;
  for (const auto& pending : durability.pending()) {
    const bool kept = number == 0 ? false : random.OneIn(2);
    choice.kept.push_back(kept ? pending.sectors : fault_injection::SectorMask{0});
  }
  SimFileSystem world(WorldOptions(options), BuildCrashImage(durability, choice));
  const std::string violation = WorksAgain(options, &world, history);
  return violation.empty() ? "" : "after a power loss: " + violation;
}

void Note(Tally* tally, const Player& player, bool opened) {
  tally->Met("opening met a fault", !opened);
  tally->Met("commit of unknown outcome", absl::IsUnknown(player.last_error()));
  player.Tell(tally);
  if (player.by_checkpoint() > 0 || player.checkpoint_unknown()) {
    tally->Met("commit by checkpoint of unknown outcome", player.checkpoint_unknown());
  }
  tally->Met("refused for want of room", absl::IsResourceExhausted(player.last_error()));
  tally->Met("stopped", !player.alive());
  tally->Met("went on after an error", player.alive() && !player.last_error().ok());
  tally->Met("fault without consequence", player.last_error().ok());
}

}  // namespace

uint64_t CountSteps(const FaultCaseOptions& options) {
  SimFileSystem world(WorldOptions(options), options.start);
  History history;
  Player player(&world, options.shape, &history);
  player.Open();
  player.Play(options.script);
  player.Close();
  return world.steps();
}

std::string RunWithFaults(const FaultCaseOptions& options, const std::vector<FaultRule>& rules,
                          Tally* tally) {
  SimFileSystem world(WorldOptions(options), options.start);
  FaultPlan plan(options.seed);
  for (const FaultRule& rule : rules) plan.Add(rule);
  world.set_plan(std::move(plan));
  History history;
  {
    Player player(&world, options.shape, &history);
    player.set_strict(false);
    const bool opened = player.Open();
    player.Play(options.script);
    tally->operations += options.script.size();
    // Reads go on, faults or not; and again once the system's cache has dropped what was lost.
    if (opened && player.violation().empty()) player.Verify();
    world.EvictLost();
    if (opened && player.violation().empty()) player.Verify();
    Note(tally, player, opened);
    if (!player.violation().empty()) return player.violation();
    const SimDisk before = world.disk();
    for (uint64_t n = 0; n < options.crashes; ++n) {
      std::string violation = SurvivesPowerLoss(options, before, history, n);
      if (!violation.empty()) return violation;
    }
    player.Close();
    if (!player.violation().empty()) return player.violation();
  }
  tally->faults += world.faults();
  world.set_plan(FaultPlan());
  ++tally->recoveries[0];
  const std::string violation = WorksAgain(options, &world, history);
  return violation.empty() ? "" : "with the fault gone: " + violation;
}

}  // namespace keel::torture
