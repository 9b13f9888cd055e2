// The header that every page of the data file begins with, and how a page is sealed and checked.
//
//   offset size field
//        0    8 checksum    XXH3-64 of bytes [8, page size), seeded with database id and page id
//        8    8 page id     a page found at another place was misdirected
//       16    8 birth       epoch it was made in (catalogue and map pages: generation); a page with
//                           another birth than its reference says is a lost or stale write
//       24    1 kind        PageKind
//       25    1 level       tree pages: 0 for a leaf, +1 for each step up
//       26    2 flags       reserved, 0
//       28    4 keyspace    tree pages: the keyspace they belong to
//       32    4 count       tree pages: slots in use; others: their own use
//       36    4 heap_begin  tree pages: first byte of the heap, which grows down from the page's end
//       40    4 heap_holes  tree pages: bytes in the heap that belong to no slot
//       44    2 prefix      tree pages: bytes of the common key prefix
//       46    2 reserved    0
//       48    8 next        catalogue pages: the next page of the chain, 0 at its end
//       56    8 reserved    0
//
// Every page read from disk passes CheckPage before anything else looks at it (promise G3).

#ifndef KEEL_PAGER_PAGE_FORMAT_H_
#define KEEL_PAGER_PAGE_FORMAT_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/codec.h"
#include "base/types.h"

namespace keel::pager {

enum class PageKind : uint8_t {
  kFree = 0,  // all zeros: never written
  kLeaf = 1,
  kInternal = 2,
  kCatalogue = 3,
  kSpaceMap = 4,
};
std::string_view PageKindName(PageKind kind);

inline constexpr size_t kPageHeaderBytes = 64;
inline constexpr uint32_t kMinPageBytes = 4096;
inline constexpr uint32_t kMaxPageBytes = 65536;
inline constexpr uint32_t kTestPageBytes = 512;  // tests only: all happens within a few steps

// A power of two in [4096, 65536], or the test geometry.
bool IsValidPageBytes(uint32_t page_bytes);

struct PageHeader {
  uint64_t checksum = 0;
  uint64_t page_id = 0;
  uint64_t birth = 0;
  uint8_t kind = 0;
  uint8_t level = 0;
  uint16_t flags = 0;
  uint32_t keyspace = 0;
  uint32_t count = 0;
  uint32_t heap_begin = 0;
  uint32_t heap_holes = 0;
  uint16_t prefix_bytes = 0;
  uint16_t reserved = 0;
  uint64_t next = 0;
  uint64_t reserved2 = 0;
};
static_assert(sizeof(PageHeader) == kPageHeaderBytes);
static_assert(offsetof(PageHeader, page_id) == 8 && offsetof(PageHeader, birth) == 16);
static_assert(offsetof(PageHeader, kind) == 24 && offsetof(PageHeader, level) == 25);
static_assert(offsetof(PageHeader, keyspace) == 28 && offsetof(PageHeader, count) == 32);
static_assert(offsetof(PageHeader, heap_begin) == 36 && offsetof(PageHeader, heap_holes) == 40);
static_assert(offsetof(PageHeader, prefix_bytes) == 44 && offsetof(PageHeader, next) == 48);

// The header in place. `page` is aligned to 8 bytes (frames and I/O buffers are).
inline const PageHeader& HeaderOf(const std::byte* page) {
  return *reinterpret_cast<const PageHeader*>(page);
}
inline PageHeader& HeaderOf(std::byte* page) { return *reinterpret_cast<PageHeader*>(page); }

// Computes and stores the checksum.
void SealPage(std::span<std::byte> page, const DatabaseId& database);

// Whether checksum and page id hold. DataLoss says what is wrong: a checksum, or a page that belongs
// elsewhere, with expected and found values.
absl::Status CheckPage(std::span<const std::byte> page, const DatabaseId& database, PageId id);

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_FORMAT_H_
