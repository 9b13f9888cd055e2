#include "pager/space_slot.h"

#include <cstring>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/status.h"
#include "pager/page_format.h"

namespace keel::pager {
namespace {

constexpr int kReadAttemptsOfSlot = 3;

uint32_t FreePages(const Bitmap& map) {
  return static_cast<uint32_t>(map.CountClear(0, map.size()));
}

void FillSlot(std::span<std::byte> page, const SlotContext& context, PageId id,
              Generation generation, const Bitmap& map) {
  std::memset(page.data(), 0, kPageHeaderBytes);
  PageHeader& header = HeaderOf(page.data());
  header.page_id = id.value;
  header.birth = generation.value;
  header.kind = static_cast<uint8_t>(PageKind::kSpaceMap);
  header.count = FreePages(map);
  const auto bits = std::as_bytes(map.words());
  KEEL_CHECK(page.size() == kPageHeaderBytes + bits.size());
  std::memcpy(page.data() + kPageHeaderBytes, bits.data(), bits.size());
  SealPage(page, context.database);
}

// The page against the entry that names it (R8).
absl::Status CheckEntry(const PageHeader& header, const GroupEntry& entry) {
  if (header.kind != static_cast<uint8_t>(PageKind::kSpaceMap)) {
    return absl::DataLossError("it is no bitmap");
  }
  if (header.birth != entry.stamp.value) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "it is of generation %d, the directory says %d: a lost or stale write",
                      header.birth, entry.stamp.value);
  }
  if (header.checksum != entry.checksum) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "its checksum is %016x, the directory says %016x", header.checksum,
                      entry.checksum);
  }
  if (header.count != entry.free_pages) {
    return MakeStatus(absl::StatusCode::kDataLoss, "it has %d free pages, the directory says %d",
                      header.count, entry.free_pages);
  }
  return absl::OkStatus();
}

// The bits against what holds for every map.
absl::Status CheckBits(const SpaceLayout& layout, uint64_t group, const Bitmap& map,
                       const GroupEntry& entry, uint64_t page_count) {
  if (FreePages(map) != entry.free_pages) {
    return absl::DataLossError("its bits and its count of free pages differ");
  }
  for (uint64_t i = 0; i < map.words().size(); ++i) {
    if ((FixedBits(layout, group, i) & ~map.words()[i]) != 0) {
      return absl::DataLossError("superblocks or slots are marked free");
    }
  }
  if (map.FindSet(layout.PagesIn(group, page_count), map.size()) != map.size()) {
    return absl::DataLossError("pages beyond the end of the file are marked in use");
  }
  return absl::OkStatus();
}

absl::StatusOr<Bitmap> ReadOnce(const SlotContext& context, uint64_t group, const GroupEntry& entry,
                                uint64_t page_count, std::span<std::byte> page) {
  const PageId id = context.layout.Slot(group, entry.slot);
  KEEL_ASSIGN_OR_RETURN(const size_t read, context.file->Read(id.value * page.size(), page));
  if (read < page.size()) return absl::DataLossError("the file ends before it");
  KEEL_RETURN_IF_ERROR(CheckPage(page, context.database, id));
  KEEL_RETURN_IF_ERROR(CheckEntry(HeaderOf(page.data()), entry));
  Bitmap map(context.layout.pages_per_group());
  const auto bits = std::as_writable_bytes(map.words());
  std::memcpy(bits.data(), page.data() + kPageHeaderBytes, bits.size());
  KEEL_RETURN_IF_ERROR(CheckBits(context.layout, group, map, entry, page_count));
  return map;
}

}  // namespace

Bitmap EmptyGroup(const SpaceLayout& layout, uint64_t group) {
  Bitmap map(layout.pages_per_group());
  if (group == 0) layout.ForEachSuperblockPage([&](PageId page) { map.Set(page.value); });
  map.SetRun(SpaceLayout::kFirstSlot, 2);
  return map;
}

uint64_t FixedBits(const SpaceLayout& layout, uint64_t group, uint64_t word) {
  uint64_t bits = word == 0 ? uint64_t{3} << SpaceLayout::kFirstSlot : 0;
  if (group > 0) return bits;
  layout.ForEachSuperblockPage([&](PageId page) {
    if (page.value / 64 == word) bits |= uint64_t{1} << (page.value % 64);
  });
  return bits;
}

absl::StatusOr<GroupEntry> WriteSlot(const SlotContext& context, uint64_t group, uint8_t slot,
                                     Generation generation, const Bitmap& map) {
  AlignedBuffer page = AlignedBuffer::Allocate(context.layout.page_bytes());
  if (page.empty()) return absl::ResourceExhaustedError("out of memory for a space map");
  const PageId id = context.layout.Slot(group, slot);
  FillSlot(page.span(), context, id, generation, map);
  KEEL_RETURN_IF_ERROR(context.file->Write(id.value * page.size(), page.span()));
  return GroupEntry{slot, generation, HeaderOf(page.data()).checksum, FreePages(map)};
}

absl::StatusOr<Bitmap> ReadSlot(const SlotContext& context, uint64_t group, const GroupEntry& entry,
                                uint64_t page_count) {
  AlignedBuffer page = AlignedBuffer::Allocate(context.layout.page_bytes());
  if (page.empty()) return absl::ResourceExhaustedError("out of memory for a space map");
  absl::StatusOr<Bitmap> map;
  for (int attempt = 0; attempt < kReadAttemptsOfSlot; ++attempt) {
    map = ReadOnce(context, group, entry, page_count, page.span());
    if (map.ok()) return map;
  }
  return MakeStatus(map.status().code(), "%s: map of group %d (page %d): %s",
                    context.file->path().native(), group,
                    context.layout.Slot(group, entry.slot).value, MessageOf(map.status()));
}

}  // namespace keel::pager
