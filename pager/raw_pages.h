// Raw pages of large values: straight between the file and the caller's memory, past the frames.

#ifndef KEEL_PAGER_RAW_PAGES_H_
#define KEEL_PAGER_RAW_PAGES_H_

#include <absl/status/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/types.h"
#include "io/file_system.h"

namespace keel::pager {

// Thread-safe. Buffers are multiples of the page size; those not aligned as the file demands go
// through a copy of at most 1 MiB.
class RawPages {
 public:
  RawPages(io::File* file, io::Clock* clock, uint32_t page_bytes)
      : file_(*file), clock_(*clock), page_bytes_(page_bytes) {}

  // Unchecked. A failed read is repeated (kReadAttempts), then it is DataLoss, as is the file's
  // end.
  absl::Status Read(PageId first, std::span<std::byte> buffer);
  absl::Status Write(PageId first, std::span<const std::byte> data);

 private:
  bool Aligned(const std::byte* memory) const;
  absl::Status ReadPart(uint64_t offset, std::span<std::byte> part);

  io::File& file_;
  io::Clock& clock_;
  const uint32_t page_bytes_;
  std::atomic<uint64_t> retries_{0};
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_RAW_PAGES_H_
