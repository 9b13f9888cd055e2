// A part of the memory budget that many share, taken and given back in bytes.

#ifndef KEEL_ENGINE_MEMORY_SHARE_H_
#define KEEL_ENGINE_MEMORY_SHARE_H_

#include <atomic>
#include <cstddef>

namespace keel::engine {

// Thread-safe.
class MemoryShare {
 public:
  explicit MemoryShare(size_t bytes_max) : bytes_max_(bytes_max) {}
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  // False, and nothing taken, if there is less left.
  bool Take(size_t bytes) {
    size_t taken = taken_.load(std::memory_order_relaxed);
    do {
      if (bytes > bytes_max_ - taken) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
    return true;
  }
  void GiveBack(size_t bytes) { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

  size_t bytes_max() const { return bytes_max_; }
  size_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  const size_t bytes_max_;
  std::atomic<size_t> taken_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_MEMORY_SHARE_H_
