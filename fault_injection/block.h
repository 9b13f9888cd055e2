// The unit in which the simulated disk keeps bytes: 4 KiB, immutable, shared between images.

#ifndef KEEL_FAULT_INJECTION_BLOCK_H_
#define KEEL_FAULT_INJECTION_BLOCK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace keel::fault_injection {

inline constexpr size_t kBlockBytes = 4096;
inline constexpr size_t kSectorBytes = 512;  // what a device writes whole or not at all
inline constexpr size_t kBlockSectors = kBlockBytes / kSectorBytes;

// One bit a sector of a block, the lowest for the first.
using SectorMask = uint8_t;
inline constexpr SectorMask kAllSectors = 0xff;
static_assert(kBlockSectors == 8, "a SectorMask has one bit a sector");

struct Block {
  std::array<std::byte, kBlockBytes> bytes;
  uint64_t hash = 0;  // of the bytes
};

// Null stands for zeros, so that equal contents are equal whatever made them.
using BlockRef = std::shared_ptr<const Block>;

BlockRef MakeBlock(std::span<const std::byte, kBlockBytes> bytes);
uint64_t HashOf(const BlockRef& block);
void CopyOut(const BlockRef& block, size_t offset, std::span<std::byte> out);

// `base` with the sectors in `mask` taken from `over`.
BlockRef MergeSectors(const BlockRef& base, const BlockRef& over, SectorMask mask);

// `base` with everything from `bytes` on as zeros.
BlockRef CutBlock(const BlockRef& base, size_t bytes);

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_BLOCK_H_
