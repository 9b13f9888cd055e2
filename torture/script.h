// What a case does, step by step, each with its own source of chance: a step that is left out
// changes nothing about the others, so that failing scripts can be shrunk.

#ifndef KEEL_TORTURE_SCRIPT_H_
#define KEEL_TORTURE_SCRIPT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fault_injection/mix.h"
#include "torture/operation.h"
#include "torture/shape.h"

namespace keel::torture {

struct Step {
  Operation operation = Operation::kPutSmall;
  uint64_t choice = 0;  // seed of all that the step draws: keys, values, which savepoint
};

using Script = std::vector<Step>;

// A random operation as it comes in a usual day, of those that the shape has.
Operation ChooseOperation(const Shape& shape, fault_injection::SeededRandom& random);

Script MakeScript(const Shape& shape, uint64_t seed, size_t steps);

// The names of the steps, one after the other.
std::string Describe(const Script& script);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_SCRIPT_H_
