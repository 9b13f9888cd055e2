// References: how a page names another one.
//
// On disk 20 bytes:
//   offset size field
//        0    6 page id
//        6    8 birth
//       14    6 entries below (low 47 bits), "extents below" (bit 47)
//
// Entry counts make exact range counts O(log n); "extents below" lets whole subtrees be freed without
// reading leaves that hold no large value.

#ifndef KEEL_PAGER_REFERENCE_H_
#define KEEL_PAGER_REFERENCE_H_

#include <cstddef>
#include <cstdint>

#include "base/codec.h"
#include "base/types.h"

namespace keel::pager {

struct Reference {
  PageId id;
  Epoch birth;
  uint64_t entries = 0;
  bool extents_below = false;

  bool null() const { return id.value == 0; }
  friend bool operator==(const Reference&, const Reference&) = default;
};

inline constexpr size_t kReferenceBytes = 20;
inline constexpr uint64_t kMaxEntries = (uint64_t{1} << 47) - 1;
inline constexpr uint64_t kMaxPageId = (uint64_t{1} << 48) - 1;
// Pages that a file may have, for the table of those in memory (pager/page_table.h): 64 TiB in pages of 4 KiB.
inline constexpr uint64_t kMaxPageCount = uint64_t{1} << 34;

inline void StoreReference(void* to, const Reference& reference) {
  auto* out = static_cast<unsigned char*>(to);
  Store48(out, reference.id.value);
  Store<uint64_t>(out + 6, reference.birth.value);
  Store48(out + 14,
          reference.entries | (reference.extents_below ? uint64_t{1} << 47 : uint64_t{0}));
}

inline Reference LoadReference(const void* from) {
  const auto* in = static_cast<const unsigned char*>(from);
  const uint64_t tail = Load48(in + 14);
  return Reference{PageId{Load48(in)}, Epoch{Load<uint64_t>(in + 6)}, tail & kMaxEntries,
                   (tail >> 47) != 0};
}

// The root of one tree: a null reference for an empty tree, which has no pages.
struct TreeRoot {
  Reference reference;
  uint8_t level = 0;  // of the root page: 0 when it is a leaf

  bool empty() const { return reference.null(); }
  friend bool operator==(const TreeRoot&, const TreeRoot&) = default;
};

// Consecutive raw pages that hold part of a large value.
struct PageRun {
  PageId first;
  uint64_t count = 0;

  friend bool operator==(const PageRun&, const PageRun&) = default;
};

// How many pages a run is to have.
struct RunSize {
  uint64_t least = 1;
  uint64_t most = 1;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_REFERENCE_H_
