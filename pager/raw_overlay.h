// Raw pages of a read-only open: what recovery writes of large values is kept in memory, never in the file.

#ifndef KEEL_PAGER_RAW_OVERLAY_H_
#define KEEL_PAGER_RAW_OVERLAY_H_

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/types.h"

namespace keel::pager {

// Thread-safe.
class RawOverlay {
 public:
  // Holds at most `pages_max` pages.
  RawOverlay(uint32_t page_bytes, uint64_t pages_max)
      : page_bytes_(page_bytes), pages_max_(pages_max) {}

  // ResourceExhausted, with nothing changed, beyond the limit.
  absl::Status Write(PageId first, std::span<const std::byte> data) ABSL_LOCKS_EXCLUDED(mutex_);
  // Copies those of the pages that are here over what was read from the file; returns how many.
  uint64_t Patch(PageId first, std::span<std::byte> buffer) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether all pages of the range are here.
  bool Covers(PageId first, uint64_t count) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const uint32_t page_bytes_;
  const uint64_t pages_max_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<std::byte[]>> pages_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_RAW_OVERLAY_H_
