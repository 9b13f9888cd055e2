// The bytes of a tree page: a slotted node behind the page header.
//
//   offset          size           field
//        0            64           page header (pager/page_format.h)
//       64             p           prefix: leading bytes that all keys of the node share, once
//   64 + p up to 4     8 x count   slots, in key order
//   ...             free space     its bytes mean nothing
//   heap_begin        ...          cells, in no order, with holes of heap_holes bytes in all
//
//   slot    0   2   offset of the cell in the page
//           2   2   key bytes behind the prefix (low 15 bits); bit 15: the value is large
//           4   4   head: the first four of those bytes, zeros if they end, as a number of which the
//                   first byte is the highest, so that heads compare as keys do
//   leaf cell       rest of the key | varint value bytes | value, or the encoded extent if large
//   internal cell   rest of the separator | reference (20 bytes, pager/reference.h)
//
// Of the page header a node uses kind, level, keyspace, count, heap_begin, heap_holes, prefix_bytes, and
// `next` for the insertion hint (RunHint), which decides nothing but where the node is split.
//
// N1  Keys ascend strictly. The separator of an internal node's first child is empty: whatever lies below
//     the second separator is there. Any other separator s says: the keys of its child are >= s.
// N2  The node holds no fences. Its fences are the separators that led to it; the prefix is what its keys
//     share in fact (the first separator aside), at least as long as what the fences share. A key without
//     the prefix goes before all others or after them, and the node is laid out anew with a shorter one.
// N3  Separators are as short as can be: the shortest string above the last key on the left and not above
//     the first key on the right.
// N4  No node is empty. An entry takes at most MaxEntryBytes, so that a node holds at least two entries
//     or three references, and that one which overflows by an entry can always be split in two. Three
//     entries with values at the inline limit fit in a leaf, unless their keys are longer than what an
//     extent's description leaves of a third.
// N5  Cells do not overlap; cells and holes fill the heap exactly.

#ifndef KEEL_BTREE_NODE_FORMAT_H_
#define KEEL_BTREE_NODE_FORMAT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/codec.h"
#include "pager/page_format.h"
#include "pager/reference.h"

namespace keel::btree {

struct Slot {
  uint16_t offset;
  uint16_t key;
  uint32_t head;

  size_t key_bytes() const { return key & 0x7fffU; }
  bool large() const { return (key & 0x8000U) != 0; }
};
inline constexpr uint16_t kLargeValue = 0x8000;
static_assert(sizeof(Slot) == 8 && offsetof(Slot, offset) == 0);
static_assert(offsetof(Slot, key) == 2 && offsetof(Slot, head) == 4);

inline constexpr size_t kNodeHeaderBytes = pager::kPageHeaderBytes;
inline constexpr size_t kMaxKeyBytes = 1024;  // of any page size
// Root pages above this level are refused: with two children a node there is no such tree.
inline constexpr uint8_t kMaxLevel = 47;
// Largest value: kept in extents beyond the inline limit.
inline constexpr uint64_t kMaxValueBytes = uint64_t{64} << 20;

// A value where it lies: inline bytes in a page, or the description of extents.
struct ValueSlot {
  std::string_view bytes;  // inline value, or the encoded extent (btree/overflow.h)
  bool large = false;
};

// First byte of the slots: behind the prefix, aligned for them.
constexpr size_t SlotsOffset(size_t prefix_bytes) {
  return kNodeHeaderBytes + ((prefix_bytes + 3) & ~size_t{3});
}
constexpr size_t UsableBytes(uint32_t page_bytes) { return page_bytes - kNodeHeaderBytes; }

constexpr size_t LeafEntryBytes(size_t key_bytes, size_t value_bytes) {
  return sizeof(Slot) + key_bytes + VarintBytes(value_bytes) + value_bytes;
}
constexpr size_t InternalEntryBytes(size_t key_bytes) {
  return sizeof(Slot) + key_bytes + pager::kReferenceBytes;
}

// Longest key: 1 KiB from 4 KiB pages on, less in the test geometry.
constexpr size_t MaxKeyBytes(uint32_t page_bytes) {
  return page_bytes >= pager::kMinPageBytes ? kMaxKeyBytes : page_bytes / 4;
}
// Longest encoded extent; with more runs than fit a value is not stored.
constexpr size_t MaxExtentBytes(uint32_t page_bytes) { return UsableBytes(page_bytes) / 8; }
// The most that an entry with an inline value takes, slot included: a third of the page, so that values of 1 KiB
// are inline in pages of 4 KiB.
constexpr size_t MaxInlineEntryBytes(uint32_t page_bytes) { return UsableBytes(page_bytes) / 3; }
// Largest value kept in the leaf, for a key of `key_bytes`: what MaxInlineEntryBytes leaves of it, except that what
// an extent's description may take beside a long key, a value may take as well. Larger ones that are inline, or
// smaller ones that are not, are read all the same: earlier versions had the limit at a quarter.
constexpr size_t MaxInlineValueBytes(uint32_t page_bytes, size_t key_bytes) {
  const size_t most = MaxInlineEntryBytes(page_bytes);
  const size_t others = LeafEntryBytes(key_bytes, 0) + VarintBytes(most) - 1;
  return std::max(most > others ? most - others : 0, MaxExtentBytes(page_bytes));
}
// Largest entry of a leaf or an internal node, slot included.
constexpr size_t MaxEntryBytes(uint32_t page_bytes) {
  const size_t longest = MaxKeyBytes(page_bytes);
  return std::max({LeafEntryBytes(longest, MaxExtentBytes(page_bytes)),
                   MaxInlineEntryBytes(page_bytes), InternalEntryBytes(longest)});
}

// What N4 rests on. Padding of the prefix takes up to 3 bytes.
constexpr bool NodesHoldEnough(uint32_t page_bytes) {
  const size_t usable = UsableBytes(page_bytes) - 3;
  return 2 * MaxEntryBytes(page_bytes) <= usable &&
         InternalEntryBytes(0) + 2 * InternalEntryBytes(MaxKeyBytes(page_bytes)) <= usable;
}
static_assert(NodesHoldEnough(512) && NodesHoldEnough(4096) && NodesHoldEnough(8192));
static_assert(NodesHoldEnough(16384) && NodesHoldEnough(32768) && NodesHoldEnough(65536));
static_assert(pager::kTestPageBytes == 512 && pager::kMaxPageBytes == 65536);

// Whether leaves may hold entries that the first readers of the format, whose limit was a quarter, take for damage.
constexpr bool HoldsLongerEntries(uint32_t page_bytes) {
  const size_t first_limit =
      std::max({LeafEntryBytes(MaxKeyBytes(page_bytes), MaxExtentBytes(page_bytes)),
                UsableBytes(page_bytes) / 4, InternalEntryBytes(MaxKeyBytes(page_bytes))});
  return MaxEntryBytes(page_bytes) > first_limit;
}
static_assert(!HoldsLongerEntries(512) && !HoldsLongerEntries(4096) && HoldsLongerEntries(8192));

// The head of a key's bytes behind the prefix.
inline uint32_t HeadOf(std::string_view suffix) {
  uint32_t bytes = 0;
  if (suffix.size() >= sizeof(bytes)) [[likely]] {
    bytes = Load<uint32_t>(suffix.data());
  } else {
    for (size_t i = 0; i < suffix.size(); ++i) {
      bytes |= uint32_t{static_cast<unsigned char>(suffix[i])} << (8 * i);
    }
  }
  return __builtin_bswap32(bytes);
}

// Where the last insertion went, and how many stood in a row: each just behind the one before, or each
// just before it. Sorted insertion shows as such a row and leaves full nodes behind.
struct RunHint {
  uint16_t position = 0;
  uint16_t ascending = 0;
  uint16_t descending = 0;

  static RunHint Of(const pager::PageHeader& header) {
    return RunHint{static_cast<uint16_t>(header.next), static_cast<uint16_t>(header.next >> 16),
                   static_cast<uint16_t>(header.next >> 32)};
  }
  uint64_t Packed() const {
    return uint64_t{position} | uint64_t{ascending} << 16 | uint64_t{descending} << 32;
  }
  // As it is after an insertion at `at`.
  RunHint After(size_t at) const {
    const auto more = [](uint16_t n) { return static_cast<uint16_t>(n + (n < UINT16_MAX)); };
    RunHint hint{static_cast<uint16_t>(at)};
    if (at == position + size_t{1}) hint.ascending = more(ascending);
    if (at == position) hint.descending = more(descending);
    return hint;
  }
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_NODE_FORMAT_H_
