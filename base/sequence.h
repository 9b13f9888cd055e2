// A counter around changes, for readers that wait for nobody and are waited for by nobody.
//
//   writer, one at a time           reader
//   sequence.BeginChange();         const uint64_t seen = sequence.Look();
//   ... change what it covers       ... copy what it covers
//   sequence.EndChange();           if (!Sequence::Settled(seen) || !sequence.Still(seen)) ... the copy is worthless
//
// Odd: a change is under way. A copy between two looks that saw the same even number is of one moment. Until that is known
// it may be a mixture, and must not be read. (The sequence lock of operating systems, of which this is the counter.)

#ifndef KEEL_BASE_SEQUENCE_H_
#define KEEL_BASE_SEQUENCE_H_

#include <absl/base/config.h>
#include <absl/base/dynamic_annotations.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace keel {

// The thread sanitizer knows no fences; there the compiler's order is all that they are for.
inline void FenceOf(std::memory_order order) {
#ifdef ABSL_HAVE_THREAD_SANITIZER
  std::atomic_signal_fence(order);
#else
  std::atomic_thread_fence(order);
#endif
}

// All zeros is a good one.
class Sequence {
 public:
  void BeginChange() {
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    FenceOf(std::memory_order_release);
  }
  void EndChange() {
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // REQUIRES: the writer.
  bool changing() const { return !Settled(count_.load(std::memory_order_relaxed)); }

  uint64_t Look() const { return count_.load(std::memory_order_acquire); }
  static bool Settled(uint64_t seen) { return seen % 2 == 0; }
  bool Still(uint64_t seen) const {
    FenceOf(std::memory_order_acquire);
    return count_.load(std::memory_order_relaxed) == seen;
  }

 private:
  std::atomic<uint64_t> count_{0};
};

// Copies what may be changed meanwhile, for a reader between its looks.
inline void CopyWhatMayChange(void* to, const void* from, size_t bytes) {
  ABSL_ANNOTATE_IGNORE_READS_BEGIN();
  std::memcpy(to, from, bytes);
  ABSL_ANNOTATE_IGNORE_READS_END();
}

}  // namespace keel

#endif  // KEEL_BASE_SEQUENCE_H_
