// Notices a fork: a child shares its parent's files and locks, and must not use the database.

#ifndef KEEL_ENGINE_FORK_GUARD_H_
#define KEEL_ENGINE_FORK_GUARD_H_

#include <atomic>
#include <cstdint>

namespace keel::engine {

// Counted by the handler that fork_guard.cc registers before main.
extern std::atomic<uint32_t> fork_generation;

// Number of forks between the program's start and this process. One load.
inline uint32_t ForkGeneration() { return fork_generation.load(std::memory_order_relaxed); }

}  // namespace keel::engine

#endif  // KEEL_ENGINE_FORK_GUARD_H_
