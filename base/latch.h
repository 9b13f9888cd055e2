// Taking a mutex that is held for about a microsecond at a time.
//
//   absl::Mutex mutex;
//   {
//     const LatchLock lock(&mutex);
//     ...
//   }
//
// To put a thread to sleep and wake it costs several times what such a holder takes, and absl::Mutex looks for less than
// a microsecond before it does. So it is looked at for some microseconds first; who still finds it held, since the holder
// was put off its processor, sleeps like any other.

#ifndef KEEL_BASE_LATCH_H_
#define KEEL_BASE_LATCH_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace keel {

// Tells the processor that somebody waits in a loop.
inline void PauseProcessor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Of PauseProcessor, before a waiting thread sleeps: about ten microseconds.
inline constexpr int kPausesMax = 250;

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
    for (int pause = 0; pause < kPausesMax; ++pause) {
      if (mutex_.TryLock()) return;
      PauseProcessor();
    }
    mutex_.Lock();
  }

  absl::Mutex& mutex_;
};

}  // namespace keel

#endif  // KEEL_BASE_LATCH_H_
