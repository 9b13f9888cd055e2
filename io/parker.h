// One thread that sleeps until another one wakes it: a place for one wait.
//
//   Parker parker;                  // of the thread that will wait
//   lines.push_back(&parker);       // where others find it
//   parker.Wait();                  // returns once somebody has called Wake, before or after
//
// A condition variable lets its waiters go one after the other, each when the one before it has got the mutex and let it
// go: with many of them on few processors that takes as many changes of threads, each of which takes longer than what
// the thread then does. A parker's thread needs no mutex to go on, and many are woken at once.
//
//   K1  Wake is called once at the most, and touches nothing of the parker once Wait can return: it may be gone.

#ifndef KEEL_IO_PARKER_H_
#define KEEL_IO_PARKER_H_

#include <absl/time/time.h>

#include <atomic>
#include <cstdint>

namespace keel::io {

class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // What was written before Wake is seen after Wait.
  void Wait();
  // False: nobody has called Wake for about `timeout` of the operating system's time, or for less: the caller looks at its
  // clock. May be followed by another wait.
  bool WaitFor(absl::Duration timeout);
  bool woken() const { return state_.load(std::memory_order_acquire) == kWoken; }
  void Wake();

 private:
  enum State : uint32_t { kEmpty, kSleeping, kWoken };

  // The kernel compares and waits on the word itself.
  std::atomic<uint32_t> state_ = kEmpty;
  static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(state_) == sizeof(uint32_t));
};

}  // namespace keel::io

#endif  // KEEL_IO_PARKER_H_
