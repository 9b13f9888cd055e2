#include "fault_injection/block.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"

namespace keel::fault_injection {

BlockRef MakeBlock(std::span<const std::byte, kBlockBytes> bytes) {
  if (std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; })) {
    return nullptr;
  }
  auto block = std::make_shared<Block>();
  std::ranges::copy(bytes, block->bytes.begin());
  block->hash = Checksum(bytes, 0);
  return block;
}

uint64_t HashOf(const BlockRef& block) { return block == nullptr ? 0 : block->hash; }

void CopyOut(const BlockRef& block, size_t offset, std::span<std::byte> out) {
  if (block == nullptr) {
    std::ranges::fill(out, std::byte{0});
  } else {
    std::memcpy(out.data(), block->bytes.data() + offset, out.size());
  }
}

BlockRef MergeSectors(const BlockRef& base, const BlockRef& over, SectorMask mask) {
  if (mask == kAllSectors) return over;
  if (mask == 0 || base == over) return base;
  std::array<std::byte, kBlockBytes> bytes;
  CopyOut(base, 0, bytes);
  for (size_t sector = 0; sector < kBlockSectors; ++sector) {
    if ((mask >> sector & 1) == 0) continue;
    const size_t at = sector * kSectorBytes;
    CopyOut(over, at, std::span(bytes).subspan(at, kSectorBytes));
  }
  return MakeBlock(bytes);
}

BlockRef CutBlock(const BlockRef& base, size_t bytes) {
  if (base == nullptr || bytes >= kBlockBytes) return base;
  std::array<std::byte, kBlockBytes> kept{};
  CopyOut(base, 0, std::span(kept).first(bytes));
  return MakeBlock(kept);
}

}  // namespace keel::fault_injection
