// One thread that sleeps until another one wakes it: a place for one wait.
//
//   Parker parker;                  // of the thread that will wait
//   lines.push_back(&parker);       // where others find it
//   parker.Wait();                  // returns once somebody has called Wake, before or after
//
// A condition variable lets its waiters go one after the other, each when the one before it has got the mutex and let it
// go: with many of them on few processors that takes as many changes of threads, each of which takes longer than what
// the thread then does. A parker's thread needs no mutex to go on, and many are woken at once (parking_lot.h: by one
// call of the system).
//
//   K1  Wake is called once at the most, and touches nothing of the parker once Wait can return: it may be gone.

#ifndef KEEL_IO_PARKER_H_
#define KEEL_IO_PARKER_H_

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
  bool woken() const { return state_.load(std::memory_order_acquire) == kWoken; }
  void Wake();

 private:
  enum State : uint32_t { kEmpty, kSleeping, kWoken };

  std::atomic<uint32_t> state_ = kEmpty;
};

}  // namespace keel::io

#endif  // KEEL_IO_PARKER_H_
