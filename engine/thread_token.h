// A number for the calling thread that no other thread has or will have: ids of the system are used again.

#ifndef KEEL_ENGINE_THREAD_TOKEN_H_
#define KEEL_ENGINE_THREAD_TOKEN_H_

#include <atomic>
#include <cstdint>

namespace keel::engine {

// Never 0.
inline uint64_t ThisThreadToken() {
  static std::atomic<uint64_t> tokens = 0;
  thread_local const uint64_t token = tokens.fetch_add(1, std::memory_order_relaxed) + 1;
  return token;
}

}  // namespace keel::engine

#endif  // KEEL_ENGINE_THREAD_TOKEN_H_
