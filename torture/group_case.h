// Campaign G: threads that commit at the same time, so that their commits are applied and flushed as groups, while a
// checkpoint or an expiry goes on; then the power is cut at every effect of it.
//
// No commit reads what another one writes, so there is no number to tell their order, as in the other campaigns; the
// LSNs do that afterwards. Which of them meet depends on the system's scheduler, so a seed does not repeat a case to the
// letter.

#ifndef KEEL_TORTURE_GROUP_CASE_H_
#define KEEL_TORTURE_GROUP_CASE_H_

#include <cstdint>
#include <string>

#include "torture/stop.h"
#include "torture/tally.h"

namespace keel::torture {

// Empty: all was well.
std::string RunGroups(uint64_t seed, Tally* tally, const Stop& stop);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_GROUP_CASE_H_
