// Where the groups of the space map and their bitmap slots lie, for every page size.
//
// Slots are pages 10 and 11 of their group: the first pages that no superblock copy touches,
// whatever the page size (with 512 bytes a page, copies lie in pages 0-7, 128-135, 2048-2055,
// 2176-2183).

#ifndef KEEL_PAGER_SPACE_LAYOUT_H_
#define KEEL_PAGER_SPACE_LAYOUT_H_

#include <algorithm>
#include <cstdint>

#include "base/types.h"
#include "pager/page_format.h"
#include "pager/superblock.h"

namespace keel::pager {

class SpaceLayout {
 public:
  static constexpr uint64_t kFirstSlot = 10;      // index in the group
  static constexpr uint64_t kOverheadPages = 12;  // a group of fewer pages holds nothing
  static constexpr uint64_t kShortestGroup = 16;  // growth makes no shorter one

  explicit constexpr SpaceLayout(uint32_t page_bytes) : page_bytes_(page_bytes) {}

  constexpr uint32_t page_bytes() const { return page_bytes_; }
  constexpr uint64_t pages_per_group() const { return (page_bytes_ - kPageHeaderBytes) * 8; }

  constexpr uint64_t GroupOf(PageId id) const { return id.value / pages_per_group(); }
  constexpr uint64_t IndexInGroup(PageId id) const { return id.value % pages_per_group(); }
  constexpr PageId FirstPage(uint64_t group) const { return PageId{group * pages_per_group()}; }
  constexpr PageId Slot(uint64_t group, int slot) const {
    return PageId{group * pages_per_group() + kFirstSlot + static_cast<uint64_t>(slot)};
  }

  // Groups that a file of so many pages has: a last one too short for anything is none.
  constexpr uint64_t Groups(uint64_t page_count) const {
    const uint64_t rest = page_count % pages_per_group();
    return page_count / pages_per_group() + (rest > kOverheadPages ? 1 : 0);
  }
  // Pages of the group that lie in a file of so many pages.
  constexpr uint64_t PagesIn(uint64_t group, uint64_t page_count) const {
    const uint64_t first = group * pages_per_group();
    return page_count <= first ? 0 : std::min(page_count - first, pages_per_group());
  }

  // Calls visit(PageId) for each page that a superblock copy touches, ascending.
  template <typename Visit>
  constexpr void ForEachSuperblockPage(Visit&& visit) const {
    for (const uint64_t offset : kSuperblockOffsets) {
      const uint64_t last = (offset + kSuperblockBytes - 1) / page_bytes_;
      for (uint64_t page = offset / page_bytes_; page <= last; ++page) visit(PageId{page});
    }
  }

 private:
  uint32_t page_bytes_;
};

// The claims of the banner, for every page size.
constexpr bool SpaceLayoutHolds() {
  for (uint32_t page_bytes = kTestPageBytes; page_bytes <= kMaxPageBytes; page_bytes *= 2) {
    const SpaceLayout layout(page_bytes);
    bool holds = layout.pages_per_group() % 64 == 0 &&
                 MinPageCount(page_bytes) > SpaceLayout::kOverheadPages &&
                 MinPageCount(page_bytes) <= layout.pages_per_group();
    layout.ForEachSuperblockPage([&](PageId page) {
      holds &= layout.GroupOf(page) == 0;
      holds &= page != layout.Slot(0, 0) && page != layout.Slot(0, 1);
    });
    if (!holds) return false;
  }
  return true;
}
static_assert(SpaceLayoutHolds());

}  // namespace keel::pager

#endif  // KEEL_PAGER_SPACE_LAYOUT_H_
