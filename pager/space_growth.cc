#include "pager/space_growth.h"

#include <algorithm>
#include <cstring>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "pager/reference.h"

namespace keel::pager {
namespace {

uint64_t PageCountMax(const SpaceMapOptions& options) {
  const uint64_t bytes = static_cast<uint64_t>(INT64_MAX) / options.page_bytes;
  const uint64_t most = std::min(bytes, kMaxPageCount);
  return options.page_count_max == 0 ? most : std::min(most, options.page_count_max);
}

}  // namespace

SpaceGrowth::SpaceGrowth(io::File* file, const SpaceMapOptions& options)
    : file_(file),
      options_(options),
      layout_(options.page_bytes),
      page_count_max_(PageCountMax(options)) {}

absl::StatusOr<uint64_t> SpaceGrowth::Grow(uint64_t end, uint64_t least, uint64_t wanted) {
  KEEL_RETURN_IF_ERROR(failed_sync_);
  absl::Status status = absl::ResourceExhaustedError("the limit on the number of pages is reached");
  for (uint64_t pages = std::max(StepPages(end), wanted); pages >= least; pages /= 2) {
    const uint64_t target = Target(end, pages);
    if (target < end + least) continue;
    status = GrowTo(end, target);
    if (status.ok()) return target;
    // A smaller step needs less room; but a sync is never tried again, not even one that met a full
    // disk.
    KEEL_RETURN_IF_ERROR(failed_sync_);
    if (!absl::IsResourceExhausted(status)) return status;
  }
  return status;
}

uint64_t SpaceGrowth::StepPages(uint64_t end) const {
  const uint64_t bytes_max = std::max(options_.growth_bytes_min, options_.growth_bytes_max);
  const uint64_t bytes =
      std::clamp(end * options_.page_bytes / 8, options_.growth_bytes_min, bytes_max);
  return std::max<uint64_t>(1, bytes / options_.page_bytes);
}

// Where the file ends after growing by so many pages: never within the first pages of a group,
// which would be of no use.
uint64_t SpaceGrowth::Target(uint64_t end, uint64_t pages) const {
  uint64_t target = std::min(page_count_max_, end + pages);
  const uint64_t rest = target % layout_.pages_per_group();
  if (rest == 0 || rest >= SpaceLayout::kShortestGroup) return target;
  target = target - rest + SpaceLayout::kShortestGroup;
  return target <= page_count_max_ ? target
                                   : page_count_max_ - page_count_max_ % layout_.pages_per_group();
}

absl::Status SpaceGrowth::GrowTo(uint64_t end, uint64_t target) {
  if (options_.read_only) return absl::OkStatus();
  const uint64_t page_bytes = options_.page_bytes;
  KEEL_RETURN_IF_ERROR(file_->Allocate(end * page_bytes, (target - end) * page_bytes));
  KEEL_RETURN_IF_ERROR(ZeroSlots(end, target));
  failed_sync_ = file_->Sync(io::SyncPurpose::kDataGrowth);
  return failed_sync_;
}

// Slots are overwritten by checkpoints, which must not meet a full disk: space that was reserved
// but never written can need more of it on its first write.
absl::Status SpaceGrowth::ZeroSlots(uint64_t end, uint64_t target) {
  AlignedBuffer zeros;
  for (uint64_t group = layout_.Groups(end); group < layout_.Groups(target); ++group) {
    if (layout_.Slot(group, 0).value < end) continue;  // there already
    if (zeros.empty()) {
      zeros = AlignedBuffer::Allocate(2 * size_t{options_.page_bytes});
      if (zeros.empty()) return absl::ResourceExhaustedError("out of memory for a space map");
      std::memset(zeros.data(), 0, zeros.size());
    }
    const uint64_t offset = layout_.Slot(group, 0).value * options_.page_bytes;
    KEEL_RETURN_IF_ERROR(file_->Write(offset, zeros.span()));
  }
  return absl::OkStatus();
}

}  // namespace keel::pager
