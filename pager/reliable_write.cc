#include "pager/reliable_write.h"

#include <absl/time/time.h>

namespace keel::pager {

absl::Status WriteReliably(io::File& file, io::Clock& clock, uint64_t offset,
                           std::span<const std::byte> data, int attempts,
                           std::atomic<uint64_t>* retries) {
  absl::Status status = file.Write(offset, data);
  absl::Duration pause = absl::Milliseconds(1);
  for (int attempt = 1; attempt < attempts && !status.ok(); ++attempt) {
    clock.Sleep(pause);
    pause *= 2;
    retries->fetch_add(1, std::memory_order_relaxed);
    status = file.Write(offset, data);
  }
  return status;
}

}  // namespace keel::pager
