// Campaign F: two threads, one of them stopped at a chosen I/O step of what it does while the other
// does all that it can; then the power is cut, and the first goes on.
//
// So a checkpoint, a group commit, a change of log segments, a snapshot that begins, ends or expires and the
// reuse of pages are met by each other at every step, in the same way each time.

#ifndef KEEL_TORTURE_SCHEDULE_H_
#define KEEL_TORTURE_SCHEDULE_H_

#include <cstdint>
#include <string>

#include "torture/tally.h"

namespace keel::torture {

// Which two do what, and which of their meetings it is: every pair once at an early step, then
// every pair once at a later one, and so on, each over other contents.
std::string ScheduleName(uint64_t number);
// How many meetings there are when every pair meets so often.
uint64_t SchedulesUpTo(uint64_t times);

// Empty: all was well, and they did meet.
std::string RunSchedule(uint64_t seed, uint64_t number, Tally* tally);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_SCHEDULE_H_
