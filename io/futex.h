// The system's calls for threads that sleep at a word of memory until somebody wakes them.

#ifndef KEEL_IO_FUTEX_H_
#define KEEL_IO_FUTEX_H_

#include <time.h>

#include <atomic>
#include <cstdint>

namespace keel::io {

// Of those who sleep at a word, the ones that a call means: it and they have a bit in common.
constexpr uint32_t kAnyMark = 0xFFFFFFFF;

// Sleeps while `word` has `value`, and not beyond `until`, a time of CLOCK_MONOTONIC, or nullptr. Returns for no reason
// at times: the caller looks whether it was woken, and sleeps again. REQUIRES: mark != 0.
void FutexWait(std::atomic<uint32_t>* word, uint32_t value, const timespec* until = nullptr,
               uint32_t mark = kAnyMark);

// Wakes who sleeps there. Of the word only the address is used: it may be gone.
void FutexWake(std::atomic<uint32_t>* word, uint32_t marks = kAnyMark);

}  // namespace keel::io

#endif  // KEEL_IO_FUTEX_H_
