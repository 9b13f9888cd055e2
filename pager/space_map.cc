#include "pager/space_map.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "pager/grouped_space_map.h"
#include "pager/space_growth.h"
#include "pager/space_layout.h"

namespace keel::pager {
namespace {

absl::Status CheckGeometry(uint64_t page_count, const SpaceMapOptions& options) {
  if (IsValidPageBytes(options.page_bytes) && page_count >= MinPageCount(options.page_bytes)) {
    return absl::OkStatus();
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument, "%d pages of %d bytes are no data file",
                    page_count, options.page_bytes);
}

}  // namespace

SpaceMapOptions SpaceMapOptionsFor(uint32_t page_bytes) {
  SpaceMapOptions options;
  const uint64_t bytes_min = uint64_t{page_bytes} * page_bytes / 16;
  options.page_bytes = page_bytes;
  options.growth_bytes_min = std::min(options.growth_bytes_min, bytes_min);
  options.slack_bytes_min = std::min(options.slack_bytes_min, bytes_min);
  return options;
}

uint64_t PagesPerGroup(uint32_t page_bytes) { return SpaceLayout(page_bytes).pages_per_group(); }

PageId BitmapSlot(uint32_t page_bytes, uint64_t group, int slot) {
  return SpaceLayout(page_bytes).Slot(group, slot);
}

std::vector<PageId> SuperblockPages(uint32_t page_bytes) {
  std::vector<PageId> pages;
  SpaceLayout(page_bytes).ForEachSuperblockPage([&](PageId page) { pages.push_back(page); });
  return pages;
}

absl::StatusOr<std::unique_ptr<SpaceMap>> SpaceMap::Create(io::File* file, uint64_t page_count,
                                                           const SpaceMapOptions& options) {
  KEEL_RETURN_IF_ERROR(CheckGeometry(page_count, options));
  if (!options.read_only) {
    KEEL_RETURN_IF_ERROR(SpaceGrowth(file, options).ZeroSlots(0, page_count));
  }
  return std::make_unique<GroupedSpaceMap>(file, page_count, page_count, std::vector<GroupEntry>{},
                                           options);
}

absl::StatusOr<std::unique_ptr<SpaceMap>> SpaceMap::Open(io::File* file, uint64_t page_count,
                                                         const std::vector<GroupEntry>& directory,
                                                         const SpaceMapOptions& options) {
  KEEL_RETURN_IF_ERROR(CheckGeometry(page_count, options));
  if (const uint64_t groups = SpaceLayout(options.page_bytes).Groups(page_count);
      directory.size() > groups) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: the space directory names %d groups, a file of %d pages has %d",
                      file->path().native(), directory.size(), page_count, groups);
  }
  KEEL_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  const uint64_t end = std::min(page_count, size / options.page_bytes);
  return std::make_unique<GroupedSpaceMap>(file, page_count, end, directory, options);
}

}  // namespace keel::pager
