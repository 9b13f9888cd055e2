// A memory barrier on every running thread of the process: membarrier(2).
//
// It lets one side of a handshake between threads do without a barrier of its own (pager/guard.h).

#ifndef KEEL_IO_PROCESS_BARRIER_H_
#define KEEL_IO_PROCESS_BARRIER_H_

namespace keel::io {

// Whether the kernel has it. Registers the process, once: before main, for later it can take long.
// Never under the thread sanitizer, which does not know it.
// Thread-safe.
bool ProcessBarrierWorks();

// Each thread of the process has passed a full barrier between the call and its return. Microseconds. Thread-safe.
// REQUIRES: ProcessBarrierWorks().
void ProcessBarrier();

}  // namespace keel::io

#endif  // KEEL_IO_PROCESS_BARRIER_H_
