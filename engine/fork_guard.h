// Notices a fork: a child shares its parent's files and locks, and must not use the database.

#ifndef KEEL_ENGINE_FORK_GUARD_H_
#define KEEL_ENGINE_FORK_GUARD_H_

#include <cstdint>

namespace keel::engine {

// Number of forks between the program's start and this process. One load.
uint32_t ForkGeneration();

}  // namespace keel::engine

#endif  // KEEL_ENGINE_FORK_GUARD_H_
