// Shows Abseil's locks to the thread sanitizer.
//
// Abseil comes compiled, without the sanitizer's instrumentation, so that a lock of absl::Mutex
// would order nothing in its eyes. The linker is told (see meson.build, --wrap) to call the
// functions below instead of Abseil's; each tells the sanitizer what the real one does. Linked only
// into builds with -Db_sanitize=thread.
//
// A wait through CondVar or Await is taken to hold its mutex exclusively. What else synchronizes
// inside Abseil (Notification, BlockingCounter, Barrier) is not covered: std::latch and
// std::barrier are.

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <sanitizer/tsan_interface.h>

#include <cstdint>

// The names are what C++ makes of them, behind the linker's prefixes.
#define REAL(name) __real__ZN4absl7debian3##name
#define WRAP(name) __wrap__ZN4absl7debian3##name

// Abseil's detector of deadlocks keeps its graph under a lock of its own, which the sanitizer does
// not see either. Nor does it see the system calls by which liburing maps and unmaps: a ring that
// lies where another thread's lay before looks shared. Each ring belongs to one thread at a time
// (io/file_system.h: IoQueue), or is used under a lock, which other tests see.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer asks for this name.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libabsl_graphcycles_internal.so\n"
         "called_from_lib:libabsl_malloc_internal.so\n"
         "race:keel::io::Ring::\n";
}

namespace {

// In the eyes of the sanitizer, holds a mutex from its making on.
class Locking {
 public:
  explicit Locking(void* mutex, unsigned flags = 0) : mutex_(mutex), flags_(flags) {
    __tsan_mutex_pre_lock(mutex_, flags_);
  }
  Locking(const Locking&) = delete;
  Locking& operator=(const Locking&) = delete;
  ~Locking() { __tsan_mutex_post_lock(mutex_, flags_, 0); }

  // For a try: says whether the lock was had.
  bool Report(bool locked) {
    if (!locked) flags_ |= __tsan_mutex_try_lock_failed;
    return locked;
  }

 private:
  void* mutex_;
  unsigned flags_;
};

class Unlocking {
 public:
  explicit Unlocking(void* mutex, unsigned flags = 0) : mutex_(mutex), flags_(flags) {
    __tsan_mutex_pre_unlock(mutex_, flags_);
  }
  Unlocking(const Unlocking&) = delete;
  Unlocking& operator=(const Unlocking&) = delete;
  ~Unlocking() { __tsan_mutex_post_unlock(mutex_, flags_); }

 private:
  void* mutex_;
  unsigned flags_;
};

// A wait lets go of the mutex, and comes back with it.
class Waiting {
 public:
  explicit Waiting(void* mutex) : locking_((Unlocking(mutex), mutex)) {}

 private:
  Locking locking_;
};

}  // namespace

extern "C" {

using absl::Condition;
using absl::CondVar;
using absl::Duration;
using absl::Mutex;
using absl::Time;

void REAL(5Mutex4LockEv)(Mutex* mutex);
void WRAP(5Mutex4LockEv)(Mutex* mutex) {
  Locking locking(mutex);
  REAL(5Mutex4LockEv)(mutex);
}

void REAL(5Mutex6UnlockEv)(Mutex* mutex);
void WRAP(5Mutex6UnlockEv)(Mutex* mutex) {
  Unlocking unlocking(mutex);
  REAL(5Mutex6UnlockEv)(mutex);
}

bool REAL(5Mutex7TryLockEv)(Mutex* mutex);
bool WRAP(5Mutex7TryLockEv)(Mutex* mutex) {
  Locking locking(mutex, __tsan_mutex_try_lock);
  return locking.Report(REAL(5Mutex7TryLockEv)(mutex));
}

void REAL(5Mutex10ReaderLockEv)(Mutex* mutex);
void WRAP(5Mutex10ReaderLockEv)(Mutex* mutex) {
  Locking locking(mutex, __tsan_mutex_read_lock);
  REAL(5Mutex10ReaderLockEv)(mutex);
}

void REAL(5Mutex12ReaderUnlockEv)(Mutex* mutex);
void WRAP(5Mutex12ReaderUnlockEv)(Mutex* mutex) {
  Unlocking unlocking(mutex, __tsan_mutex_read_lock);
  REAL(5Mutex12ReaderUnlockEv)(mutex);
}

bool REAL(5Mutex13ReaderTryLockEv)(Mutex* mutex);
bool WRAP(5Mutex13ReaderTryLockEv)(Mutex* mutex) {
  Locking locking(mutex, __tsan_mutex_read_lock | __tsan_mutex_try_lock);
  return locking.Report(REAL(5Mutex13ReaderTryLockEv)(mutex));
}

void REAL(5Mutex8LockWhenERKNS0_9ConditionE)(Mutex* mutex, const Condition& condition);
void WRAP(5Mutex8LockWhenERKNS0_9ConditionE)(Mutex* mutex, const Condition& condition) {
  Locking locking(mutex);
  REAL(5Mutex8LockWhenERKNS0_9ConditionE)(mutex, condition);
}

bool REAL(5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE)(Mutex* mutex,
                                                                       const Condition& condition,
                                                                       Duration timeout);
bool WRAP(5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE)(Mutex* mutex,
                                                                       const Condition& condition,
                                                                       Duration timeout) {
  Locking locking(mutex);
  return REAL(5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE)(mutex, condition,
                                                                           timeout);
}

bool REAL(5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE)(Mutex* mutex,
                                                                    const Condition& condition,
                                                                    Time deadline);
bool WRAP(5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE)(Mutex* mutex,
                                                                    const Condition& condition,
                                                                    Time deadline) {
  Locking locking(mutex);
  return REAL(5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE)(mutex, condition, deadline);
}

void REAL(5Mutex5AwaitERKNS0_9ConditionE)(Mutex* mutex, const Condition& condition);
void WRAP(5Mutex5AwaitERKNS0_9ConditionE)(Mutex* mutex, const Condition& condition) {
  Waiting waiting(mutex);
  REAL(5Mutex5AwaitERKNS0_9ConditionE)(mutex, condition);
}

bool REAL(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(Mutex* mutex,
                                                                    const Condition& condition,
                                                                    Duration timeout);
bool WRAP(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(Mutex* mutex,
                                                                    const Condition& condition,
                                                                    Duration timeout) {
  Waiting waiting(mutex);
  return REAL(5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE)(mutex, condition, timeout);
}

bool REAL(5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE)(Mutex* mutex,
                                                                 const Condition& condition,
                                                                 Time deadline);
bool WRAP(5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE)(Mutex* mutex,
                                                                 const Condition& condition,
                                                                 Time deadline) {
  Waiting waiting(mutex);
  return REAL(5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE)(mutex, condition, deadline);
}

void REAL(7CondVar4WaitEPNS0_5MutexE)(CondVar* changed, Mutex* mutex);
void WRAP(7CondVar4WaitEPNS0_5MutexE)(CondVar* changed, Mutex* mutex) {
  Waiting waiting(mutex);
  REAL(7CondVar4WaitEPNS0_5MutexE)(changed, mutex);
}

bool REAL(7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE)(CondVar* changed, Mutex* mutex,
                                                                Duration timeout);
bool WRAP(7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE)(CondVar* changed, Mutex* mutex,
                                                                Duration timeout) {
  Waiting waiting(mutex);
  return REAL(7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE)(changed, mutex, timeout);
}

bool REAL(7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE)(CondVar* changed, Mutex* mutex,
                                                             Time deadline);
bool WRAP(7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE)(CondVar* changed, Mutex* mutex,
                                                             Time deadline) {
  Waiting waiting(mutex);
  return REAL(7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE)(changed, mutex, deadline);
}

// A status that threads share is freed by the last that lets go.
void REAL(6Status15UnrefNonInlinedEm)(uintptr_t representation);
void WRAP(6Status15UnrefNonInlinedEm)(uintptr_t representation) {
  void* const address = reinterpret_cast<void*>(representation & ~uintptr_t{3});
  __tsan_release(address);
  __tsan_acquire(address);
  REAL(6Status15UnrefNonInlinedEm)(representation);
}

}  // extern "C"
