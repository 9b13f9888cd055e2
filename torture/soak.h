// Campaign E: a long life. Random work with random faults; now and then the process is killed, the
// power cut, the disk full; each time the database has to come back with what it acknowledged.

#ifndef KEEL_TORTURE_SOAK_H_
#define KEEL_TORTURE_SOAK_H_

#include <cstdint>
#include <string>

#include "torture/script.h"
#include "torture/shape.h"
#include "torture/stop.h"
#include "torture/tally.h"

namespace keel::torture {

struct SoakOptions {
  Shape shape;
  Script script;
  uint64_t seed = 0;
  Stop stop = Never;
};

// Empty: all was well.
std::string RunSoak(const SoakOptions& options, Tally* tally);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_SOAK_H_
