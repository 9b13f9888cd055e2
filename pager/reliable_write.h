// Writes that are repeated: the same bytes at the same place, a bounded number of times.

#ifndef KEEL_PAGER_RELIABLE_WRITE_H_
#define KEEL_PAGER_RELIABLE_WRITE_H_

#include <absl/status/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/clock.h"
#include "io/file_system.h"

namespace keel::pager {

inline constexpr int kWriteAttempts = 5;

// Pauses of 1, 2, 4, ... ms between the attempts. `retries` counts those after the first.
absl::Status WriteReliably(io::File& file, io::Clock& clock, uint64_t offset,
                           std::span<const std::byte> data, int attempts,
                           std::atomic<uint64_t>* retries);

}  // namespace keel::pager

#endif  // KEEL_PAGER_RELIABLE_WRITE_H_
