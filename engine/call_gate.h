// Counts calls under way, so that Close can wait for them.

#ifndef KEEL_ENGINE_CALL_GATE_H_
#define KEEL_ENGINE_CALL_GATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace keel::engine {

// Thread-safe. Entering and leaving cost one uncontended atomic each: threads are spread over shards.
class CallGate {
 public:
  // Whether the gate was open; if so, Leave must follow on the same thread.
  bool Enter() {
    std::atomic<uint32_t>& calls = ThisShard();
    calls.fetch_add(1, std::memory_order_seq_cst);
    if (open_.load(std::memory_order_seq_cst)) [[likely]]
      return true;
    calls.fetch_sub(1, std::memory_order_release);
    return false;
  }
  void Leave() { ThisShard().fetch_sub(1, std::memory_order_release); }
  bool open() const { return open_.load(std::memory_order_relaxed); }

  // Refuses later calls. Whether this call closed the gate.
  bool Close() { return open_.exchange(false, std::memory_order_seq_cst); }
  // Calls that entered before Close and have not left.
  bool Empty() const {
    for (const Shard& shard : shards_) {
      if (shard.calls.load(std::memory_order_acquire) != 0) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kShards = 16;
  struct alignas(64) Shard {
    std::atomic<uint32_t> calls = 0;
  };

  std::atomic<uint32_t>& ThisShard() {
    static std::atomic<uint32_t> threads = 0;
    thread_local const uint32_t thread = threads.fetch_add(1, std::memory_order_relaxed);
    return shards_[thread % kShards].calls;
  }

  std::atomic<bool> open_ = true;
  std::array<Shard, kShards> shards_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_CALL_GATE_H_
