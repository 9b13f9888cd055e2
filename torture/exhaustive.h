// Campaign D: every sequence of up to four operations from a small database in the tiny geometry,
// with the power cut at every step of the last one (Mohan et al., Finding Crash-Consistency Bugs
// with Bounded Black-Box Crash Testing, OSDI 2018).

#ifndef KEEL_TORTURE_EXHAUSTIVE_H_
#define KEEL_TORTURE_EXHAUSTIVE_H_

#include <cstdint>
#include <string>

#include "torture/script.h"
#include "torture/tally.h"

namespace keel::torture {

// The sequence with this number: all of one operation, then all of two, and so on, for ever.
Script SequenceOf(uint64_t number, uint64_t seed);
// How many there are of up to `length` operations.
uint64_t SequencesUpTo(int length);

// Empty: all was well.
std::string RunSequence(uint64_t seed, uint64_t number, Tally* tally);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_EXHAUSTIVE_H_
