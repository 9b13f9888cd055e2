#include "pager/raw_overlay.h"

#include <cstring>

#include "base/status.h"

namespace keel::pager {

absl::Status RawOverlay::Write(PageId first, std::span<const std::byte> data) {
  const absl::MutexLock lock(&mutex_);
  const uint64_t count = data.size() / page_bytes_;
  if (pages_.size() + count > pages_max_) {
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      "large values of the log take more than %d pages of memory", pages_max_);
  }
  for (uint64_t i = 0; i < count; ++i) {
    std::unique_ptr<std::byte[]>& page = pages_[first.value + i];
    if (page == nullptr) page = std::make_unique<std::byte[]>(page_bytes_);
    std::memcpy(page.get(), data.data() + i * page_bytes_, page_bytes_);
  }
  return absl::OkStatus();
}

uint64_t RawOverlay::Patch(PageId first, std::span<std::byte> buffer) const {
  const absl::MutexLock lock(&mutex_);
  uint64_t patched = 0;
  for (uint64_t i = 0; !pages_.empty() && i < buffer.size() / page_bytes_; ++i) {
    const auto found = pages_.find(first.value + i);
    if (found == pages_.end()) continue;
    std::memcpy(buffer.data() + i * page_bytes_, found->second.get(), page_bytes_);
    ++patched;
  }
  return patched;
}

bool RawOverlay::Covers(PageId first, uint64_t count) const {
  const absl::MutexLock lock(&mutex_);
  for (uint64_t i = 0; i < count; ++i) {
    if (!pages_.contains(first.value + i)) return false;
  }
  return true;
}

}  // namespace keel::pager
