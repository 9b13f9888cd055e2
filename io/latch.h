// Taking a mutex that is held for about a microsecond at a time.
//
//   absl::Mutex mutex;
//   {
//     const LatchLock lock(&mutex);
//     ...
//   }
//
// To put a thread to sleep and wake it costs several times what such a holder takes, and absl::Mutex looks for less than
// a microsecond before it does. So whoever waits stays awake at first:
//
//   it looks again and again, more and more seldom,     so that who holds it may come back some times before another
//   for about ten microseconds;                         processor has what both of them change
//   then it lets others run and looks between them;     perhaps the holder, who was put off its processor
//   and then it sleeps like any other                   the holder waits for the disk, say
//
// Letting others run takes as long as they like: on a busy machine, for a thread of low priority, several milliseconds a
// time. So that is bounded in time as well.

#ifndef KEEL_IO_LATCH_H_
#define KEEL_IO_LATCH_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <algorithm>
#include <thread>

namespace keel::io {

// Tells the processor that somebody waits in a loop.
inline void PauseProcessor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The operating system's time, to some milliseconds, in some nanoseconds.
absl::Duration RoughTime();

// One wait for something that another thread does within microseconds.
class AwakeWait {
 public:
  // `time` for tests.
  explicit AwakeWait(absl::Duration (*time)() = &RoughTime) : time_(time) {}

  // Lets some time pass. False: it has taken long enough to sleep instead.
  bool Pass() {
    if (pauses_ < kPausesMax) {
      for (int i = 0; i < step_; ++i) PauseProcessor();
      pauses_ += step_;
      step_ = std::min(2 * step_, kStepMax);
      return true;
    }
    if (yields_ == 0) begin_ = time_();
    if (yields_ == kYieldsMax || time_() - begin_ > kLongest) return false;
    ++yields_;
    std::this_thread::yield();
    return true;
  }

 private:
  static constexpr int kPausesMax = 250;  // some ten microseconds in all
  static constexpr int kStepMax = 32;     // in a row: one or two microseconds
  static constexpr int kYieldsMax = 200;
  static constexpr absl::Duration kLongest = absl::Milliseconds(20);

  absl::Duration (*const time_)();
  absl::Duration begin_;  // of the yields
  int pauses_ = 0;
  int step_ = 1;
  int yields_ = 0;
};

class ABSL_SCOPED_LOCKABLE LatchLock {
 public:
  explicit LatchLock(absl::Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(*mutex) {
    Lock();
  }
  ~LatchLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  LatchLock(const LatchLock&) = delete;
  LatchLock& operator=(const LatchLock&) = delete;

 private:
  void Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (mutex_.TryLock()) return;
    for (AwakeWait wait; wait.Pass();) {
      if (mutex_.TryLock()) return;
    }
    mutex_.Lock();
  }

  absl::Mutex& mutex_;
};

}  // namespace keel::io

#endif  // KEEL_IO_LATCH_H_
