// How much memory this process may use.

#ifndef KEEL_IO_MEMORY_LIMIT_H_
#define KEEL_IO_MEMORY_LIMIT_H_

#include <cstdint>

namespace keel::io {

// Bytes of memory of the machine, or of the control group of this process if that is less. Asks the system
// anew with each call.
uint64_t MemoryLimit();

}  // namespace keel::io

#endif  // KEEL_IO_MEMORY_LIMIT_H_
