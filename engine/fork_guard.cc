#include "engine/fork_guard.h"

#include <pthread.h>

namespace keel::engine {

constinit std::atomic<uint32_t> fork_generation = 0;

namespace {

// Registered before main, so that no fork is missed. Whoever reads the counter has this file linked in.
[[maybe_unused]] const int registered = pthread_atfork(
    nullptr, nullptr, [] { fork_generation.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

}  // namespace keel::engine
