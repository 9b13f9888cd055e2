#include "engine/fork_guard.h"

#include <pthread.h>

#include <atomic>

namespace keel::engine {

namespace {

std::atomic<uint32_t> generation = 0;

// Registered before main, so that no fork is missed.
const int registered =
    pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

uint32_t ForkGeneration() {
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

}  // namespace keel::engine
