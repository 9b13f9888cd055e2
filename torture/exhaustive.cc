#include "torture/exhaustive.h"

#include <array>
#include <optional>

#include "fault_injection/sim_file_system.h"
#include "torture/crash_sweep.h"
#include "torture/player.h"

namespace keel::torture {
namespace {

constexpr std::array kAlphabet = {
    Operation::kPutSmall, Operation::kPutLarge,   Operation::kDelete,     Operation::kDeleteRange,
    Operation::kBulk,     Operation::kHuge,       Operation::kCommitSync, Operation::kCommitAsync,
    Operation::kRollback, Operation::kCheckpoint, Operation::kFillLog,    Operation::kSnapshotOpen,
    Operation::kReopen,   Operation::kLoad};

// A huge transaction has so many steps that each sequence which ends in one has its turn with some of them.
constexpr uint64_t kHugeSlices = 16;

// A page or two of keys.
Shape SmallShape() {
  Shape shape = TinyShape();
  shape.spaces = 1;
  shape.keys = 8;
  return shape;
}

}  // namespace

uint64_t SequencesUpTo(int length) {
  uint64_t total = 0;
  uint64_t of_length = 1;
  for (int n = 1; n <= length; ++n) {
    of_length *= kAlphabet.size();
    total += of_length;
  }
  return total;
}

Script SequenceOf(uint64_t number, uint64_t seed) {
  int length = 1;
  while (number >= SequencesUpTo(length)) ++length;
  number -= SequencesUpTo(length - 1);
  fault_injection::SeededRandom random(seed);
  Script script;
  for (int n = 0; n < length; ++n) {
    script.push_back({kAlphabet[number % kAlphabet.size()], random.Next()});
    number /= kAlphabet.size();
  }
  return script;
}

std::string RunSequence(uint64_t seed, uint64_t number, Tally* tally) {
  CrashSweepOptions options;
  options.shape = SmallShape();
  options.seed = fault_injection::Mix(fault_injection::Mix(seed) ^ number);
  options.script = SequenceOf(number, options.seed);
  options.after = 4;
  options.last_step_only = true;
  if (options.script.back().operation == Operation::kHuge) {
    options.slice = number % kHugeSlices;
    options.slices = kHugeSlices;
  }
  fault_injection::SimFileSystem world({.seed = seed});
  Player player(&world, options.shape, &options.history);
  player.Open();
  for (uint64_t n = 0; n < 8; ++n) player.Do({Operation::kPutSmall, seed + n});
  player.Do({Operation::kCommitSync});
  player.Close();
  if (!player.violation().empty()) return player.violation();
  options.start = world.durability().durable();
  CrashSweep sweep(options, tally);
  const std::optional<CrashFinding> finding = sweep.Run();
  if (!finding.has_value()) return "";
  return Describe(options.script) + ": " + finding->where + ": " + finding->what;
}

}  // namespace keel::torture
