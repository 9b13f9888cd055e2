// Who reads a version: one count for all of them, while it is the visible one.
//
// To register with a lock and a table what is let go of some microseconds later is dear, and needless as long as nobody
// has moved on from the version: no page of it dies before (R4). So those who come to the visible version are only
// counted, and it becomes a keeper (pager/reclaimer.h) when another one takes its place, if somebody reads it then.
//
//   open     Enter and Leave count.
//   Close    under the registry's mutex: nobody enters from now on. If somebody is in, the version is kept.
//   Leave    the last one to leave a kept version has the registry give it up: Settle, under the mutex, once.
//
//   W1  Count and marks are one word. So each Enter is before Close, and counted by it, or after it, and refused.
//   W2  Who is refused has been counted for a moment, and may be the last to leave a version that is kept. So only Settle,
//       under the mutex, decides that nobody is in; whoever finds the count at nothing asks for it.

#ifndef KEEL_ENGINE_VERSION_READERS_H_
#define KEEL_ENGINE_VERSION_READERS_H_

#include <atomic>
#include <cstdint>

namespace keel::engine {

// Thread-safe. A copy is another version's: nobody reads it.
class VersionReaders {
 public:
  VersionReaders() = default;
  VersionReaders(const VersionReaders&) {}
  VersionReaders& operator=(const VersionReaders&) = delete;

  // False: it is closed. Leave must follow in either case.
  bool Enter() { return (state_.fetch_add(1, std::memory_order_acq_rel) & kClosed) == 0; }
  // True: nobody is in any more, and the version is kept: Settle.
  bool Leave() { return state_.fetch_sub(1, std::memory_order_acq_rel) == (kClosed | kKept | 1); }

  // Under the registry's mutex, once: whether somebody is in, so that the version is kept from now on.
  bool Close() {
    uint64_t state = state_.load(std::memory_order_relaxed);
    uint64_t closed = 0;
    do {
      closed = state | kClosed | (state != 0 ? kKept : 0);
    } while (!state_.compare_exchange_weak(state, closed, std::memory_order_acq_rel));
    return (closed & kKept) != 0;
  }
  // Likewise: whether a version that was kept is no longer, since nobody is in. Once.
  bool Settle() {
    uint64_t empty = kClosed | kKept;
    return state_.compare_exchange_strong(empty, kClosed, std::memory_order_acq_rel);
  }

  bool closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }
  // Those that are in, and perhaps some who are being refused.
  uint64_t count() const { return state_.load(std::memory_order_relaxed) & ~(kClosed | kKept); }

 private:
  static constexpr uint64_t kClosed = uint64_t{1} << 63;
  static constexpr uint64_t kKept = uint64_t{1} << 62;

  // On a line of its own: what else a version holds is read by those who do not enter.
  alignas(64) std::atomic<uint64_t> state_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VERSION_READERS_H_
