// Input: up to four copies, each u8 control, u8 length, bytes of the block's beginning.
// Control, by bits: 1 puts the magic right, 2 the offset, 4 the checksum.

#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "pager/describe.h"
#include "pager/superblock.h"
#include "pager/superblock_format.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/pager/memory_file.h"

namespace keel::fuzz {
namespace {

using pager::Superblock;

constexpr uint8_t kMagic = 1;
constexpr uint8_t kOffset = 2;
constexpr uint8_t kSeal = 4;

using Block = std::array<std::byte, pager::kSuperblockBytes>;

void PutRight(uint8_t control, uint64_t offset, Block* block) {
  using Fields = pager::SuperblockFields;
  if ((control & kMagic) != 0)
    Store(block->data() + offsetof(Fields, magic), pager::kSuperblockMagic);
  if ((control & kOffset) != 0) Store(block->data() + offsetof(Fields, offset), offset);
  if ((control & kSeal) == 0) return;
  const auto checked = std::span(*block).subspan(pager::kSuperblockChecked);
  Store(block->data() + offsetof(Fields, checksum), Checksum(checked, pager::kSuperblockSeed));
}

void DecodeOne(const Block& block, uint64_t offset) {
  KEEL_CHECK(!pager::ToText(pager::DescribeSuperblock(block, offset)).empty());
  const absl::StatusOr<Superblock> decoded = pager::DecodeSuperblock(block, offset);
  if (!decoded.ok()) return;
  (void)pager::CheckWritable(*decoded);
  Block again;
  pager::EncodeSuperblock(*decoded, offset, again);
  KEEL_CHECK(*pager::DecodeSuperblock(again, offset) == *decoded);
}

// What an open for writing does, and a checkpoint after it.
void GoOnFrom(pager::MemoryFile& file, const pager::SuperblockChoice& choice) {
  Superblock raised = choice.chosen;
  ++raised.incarnation;
  if (!pager::CheckSuperblock(raised).ok()) return;
  KEEL_CHECK(pager::RewriteSuperblock(file, choice, raised).ok());
  const auto rewritten = pager::ReadSuperblocks(file);
  KEEL_CHECK(rewritten.ok() && rewritten->chosen == raised && !rewritten->used_copy);
  Superblock next = raised;
  ++next.generation.value;
  if (!pager::CheckSuperblock(next).ok()) return;
  KEEL_CHECK(pager::WriteSuperblock(file, next, 1 - pager::PairOf(*rewritten)).ok());
  const auto written = pager::ReadSuperblocks(file);
  KEEL_CHECK(written.ok() && written->chosen == next);
}

void RunSuperblock(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  pager::MemoryFile file(uint64_t{2} << 20);
  for (const uint64_t offset : pager::kSuperblockOffsets) {
    if (input.empty()) break;
    const auto control = input.Take<uint8_t>();
    Block block;
    CopyPadded(input.Bytes(input.Take<uint8_t>()), block);
    PutRight(control, offset, &block);
    DecodeOne(block, offset);
    KEEL_CHECK(file.Write(offset, block).ok());
  }
  const auto choice = pager::ReadSuperblocks(file);
  if (choice.ok()) GoOnFrom(file, *choice);
}

std::string CopyOf(const Superblock& superblock, size_t place) {
  Block block;
  pager::EncodeSuperblock(superblock, pager::kSuperblockOffsets[place], block);
  constexpr size_t kBytes = sizeof(pager::SuperblockFields);
  std::string copy = {static_cast<char>(kMagic | kOffset | kSeal), static_cast<char>(kBytes)};
  return copy.append(reinterpret_cast<const char*>(block.data()), kBytes);
}

std::vector<std::string> Seeds() {
  Superblock older;
  older.database = {7, 9};
  older.incarnation = 3;
  older.generation = {(uint64_t{3} << kEpochCounterBits) + 4};
  older.epoch = MakeEpoch(3, 9);
  older.log_salt = 5;
  older.page_count = 1000;
  older.catalogue = {PageId{20}, 1, 100, 77};
  Superblock newer = older;
  ++newer.generation.value;
  newer.clean = true;
  return {CopyOf(older, 0), CopyOf(older, 0) + CopyOf(older, 1),
          CopyOf(older, 0) + CopyOf(older, 1) + CopyOf(newer, 2) + CopyOf(newer, 3)};
}

}  // namespace

const FuzzTarget kSuperblockTarget = {"superblock", &RunSuperblock, &Seeds};

}  // namespace keel::fuzz
