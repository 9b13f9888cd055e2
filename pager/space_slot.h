// A bitmap slot: one page that says which pages of its group a checkpoint reaches.
//
// An ordinary page header (pager/page_format.h): kind kSpaceMap, birth = the generation, count =
// free pages, the other fields 0. Then (page_bytes - 64) * 8 bits: bit i % 8 of byte i / 8 is set
// when page i of the group is in use. Superblock pages and both slots always are; pages beyond the
// end of the file never are, and count as free: a file can grow without its map being written.

#ifndef KEEL_PAGER_SPACE_SLOT_H_
#define KEEL_PAGER_SPACE_SLOT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/types.h"
#include "io/file_system.h"
#include "pager/bitmap.h"
#include "pager/catalogue.h"
#include "pager/space_layout.h"

namespace keel::pager {

// The map of a group that holds nothing: superblock pages and slots.
Bitmap EmptyGroup(const SpaceLayout& layout, uint64_t group);
// One word of it.
uint64_t FixedBits(const SpaceLayout& layout, uint64_t group, uint64_t word);

// What slots are read and written with.
struct SlotContext {
  io::File* file = nullptr;
  DatabaseId database;
  SpaceLayout layout;
};

// Writes the map to the slot, unsynced, and returns the entry that names it.
absl::StatusOr<GroupEntry> WriteSlot(const SlotContext& context, uint64_t group, uint8_t slot,
                                     Generation generation, const Bitmap& map);

// Reads the slot that the entry names and holds it against the entry and the file's page count.
// Several attempts. DataLoss names file, group and what differs; otherwise the read's error.
absl::StatusOr<Bitmap> ReadSlot(const SlotContext& context, uint64_t group, const GroupEntry& entry,
                                uint64_t page_count);

}  // namespace keel::pager

#endif  // KEEL_PAGER_SPACE_SLOT_H_
