#include "torture/script.h"

#include <absl/strings/str_format.h>

#include <array>

namespace keel::torture {
namespace {

struct Weighted {
  Operation operation;
  uint64_t weight;
};

constexpr std::array kWeights = {
    Weighted{Operation::kPutSmall, 14},    Weighted{Operation::kPutLarge, 4},
    Weighted{Operation::kOverwrite, 8},    Weighted{Operation::kDelete, 8},
    Weighted{Operation::kDeleteRange, 2},  Weighted{Operation::kBulk, 2},
    Weighted{Operation::kHuge, 2},         Weighted{Operation::kSavepoint, 3},
    Weighted{Operation::kRollbackTo, 2},   Weighted{Operation::kCommitSync, 12},
    Weighted{Operation::kCommitAsync, 4},  Weighted{Operation::kCommitNone, 4},
    Weighted{Operation::kRollback, 2},     Weighted{Operation::kBatch, 3},
    Weighted{Operation::kLoad, 2},         Weighted{Operation::kCheckpoint, 3},
    Weighted{Operation::kBackground, 4},   Weighted{Operation::kFillLog, 1},
    Weighted{Operation::kSnapshotOpen, 2}, Weighted{Operation::kSnapshotClose, 2},
    Weighted{Operation::kKeyspace, 1},     Weighted{Operation::kReopen, 1}};
static_assert(kWeights.size() == kOperations, "every operation has a weight");

bool Has(const Shape& shape, Operation operation) {
  switch (operation) {
    case Operation::kSavepoint:
    case Operation::kRollbackTo:
      return shape.savepoints;
    case Operation::kCommitAsync:
    case Operation::kCommitNone:
      return shape.unsynced_commits;
    case Operation::kSnapshotOpen:
    case Operation::kSnapshotClose:
      return shape.snapshots;
    case Operation::kHuge:
      return shape.huge;
    case Operation::kKeyspace:
      return shape.spaces > 1;
    default:
      return true;
  }
}

}  // namespace

Operation ChooseOperation(const Shape& shape, fault_injection::SeededRandom& random) {
  uint64_t total = 0;
  for (const Weighted& entry : kWeights) total += Has(shape, entry.operation) ? entry.weight : 0;
  uint64_t drawn = random.Below(total);
  for (const Weighted& entry : kWeights) {
    const uint64_t weight = Has(shape, entry.operation) ? entry.weight : 0;
    if (drawn < weight) return entry.operation;
    drawn -= weight;
  }
  return Operation::kPutSmall;
}

Script MakeScript(const Shape& shape, uint64_t seed, size_t steps) {
  fault_injection::SeededRandom random(seed);
  Script script;
  while (script.size() < steps) {
    const Operation operation = ChooseOperation(shape, random);
    script.push_back({operation, random.Next()});
  }
  return script;
}

std::string Describe(const Script& script) {
  std::string text;
  for (const Step& step : script)
    absl::StrAppendFormat(&text, " %s", OperationName(step.operation));
  return text.empty() ? text : text.substr(1);
}

}  // namespace keel::torture
