// Campaign F: two threads, one of them stopped at a chosen I/O step of what it does while the other
// does all that it can; then the power is cut, and the first goes on.
//
// So a checkpoint, a group commit, a change of log segments, a snapshot that begins or ends and the
// reuse of pages are met by each other at every step, in the same way each time.

#ifndef KEEL_TORTURE_SCHEDULE_H_
#define KEEL_TORTURE_SCHEDULE_H_

#include <cstdint>
#include <string>

#include "torture/tally.h"

namespace keel::torture {

// Which two do what, and at which step they meet. Every pair meets at step 0, then every pair at
// step 1, and so on.
std::string ScheduleName(uint64_t number);
// How many meet at the first so many steps.
uint64_t SchedulesUpTo(uint64_t steps);

// Empty: all was well.
std::string RunSchedule(uint64_t seed, uint64_t number, Tally* tally);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_SCHEDULE_H_
