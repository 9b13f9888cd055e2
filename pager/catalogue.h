// What a checkpoint knows besides pages: keyspaces and their roots, the space directory, and places
// for detached subtrees and bad pages.
//
// Encoded as one byte string, cut into a chain of catalogue pages that belong to the checkpointer
// alone: referenced only from the superblock or each other, outside versions and the reuse rule.
// Their birth field holds the generation that names them: each checkpoint writes its catalogue anew.
//
// The string is a sequence of sections, in any order, each at most once:
//
//   offset size field
//        0    2 section      1 keyspaces, 2 groups, 3 detached subtrees, 4 bad pages
//        2    2 flags        bit 0: a reader that does not know the section must not go on
//        4    4 length       of what follows
//        8      its bytes
//
// A list is a u64 count, then entries of fixed size (names aside):
//
//   keyspaces          u32 next id, then the list: u32 id, u8 level, reference, u16 name bytes, name
//   groups             u64 stamp, u64 checksum, u32 free pages (low 31 bits) and slot (bit 31)
//   detached subtrees  u32 keyspace, u8 level, reference, u64 death
//   bad pages          u48 page id
//
// So the length depends only on how many entries there are and on the names: a checkpoint can set
// its pages aside before it knows the groups' new values.

#ifndef KEEL_PAGER_CATALOGUE_H_
#define KEEL_PAGER_CATALOGUE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "pager/reference.h"
#include "pager/superblock.h"

namespace keel::pager {

inline constexpr size_t kMaxNameBytes = 255;
inline constexpr uint8_t kMaxLevel = 63;

struct CatalogueKeyspace {
  KeyspaceId id;
  std::string name;
  TreeRoot root;

  friend bool operator==(const CatalogueKeyspace&, const CatalogueKeyspace&) = default;
};

// R8: names the current bitmap slot of a group; nothing else decides.
struct GroupEntry {
  uint8_t slot = 0;  // 0 or 1
  Generation stamp;
  uint64_t checksum = 0;
  uint32_t free_pages = 0;

  friend bool operator==(const GroupEntry&, const GroupEntry&) = default;
};

// A subtree cut off by a range delete, still to be walked and freed.
struct DetachedSubtree {
  KeyspaceId keyspace;
  TreeRoot root;
  Epoch death;

  friend bool operator==(const DetachedSubtree&, const DetachedSubtree&) = default;
};

struct Catalogue {
  uint32_t next_keyspace = 1;
  std::vector<CatalogueKeyspace> keyspaces;
  std::vector<GroupEntry> groups;
  std::vector<DetachedSubtree> detached;
  std::vector<PageId> bad_pages;

  friend bool operator==(const Catalogue&, const Catalogue&) = default;
};

// REQUIRES: what DecodeCatalogue demands.
std::string EncodeCatalogue(const Catalogue& catalogue);
// Every count is held against the bytes that are there, every id against its limit; ids and names
// are unique. DataLoss says what is wrong where; FailedPrecondition: a section of a newer Keel.
absl::StatusOr<Catalogue> DecodeCatalogue(std::string_view bytes);

// Bytes of a catalogue page that carry the string.
uint64_t CataloguePayloadBytes(uint32_t page_bytes);
// Pages needed for `bytes`.
uint64_t CataloguePages(uint64_t bytes, uint32_t page_bytes);

// Writes `bytes` to `pages` (exactly as many as needed, at least one), neighbours in one write,
// unsynced, and returns the reference to it.
absl::StatusOr<CatalogueReference> WriteCataloguePages(io::File& file, const DatabaseId& database,
                                                       uint32_t page_bytes, Generation generation,
                                                       std::span<const PageId> pages,
                                                       std::string_view bytes);
struct CatalogueImage {
  std::string bytes;
  std::vector<PageId> pages;
};
// Reads and checks the chain. DataLoss names file and page. Ends after the reference's number of
// pages, holds no more than what it has read and found good.
absl::StatusOr<CatalogueImage> ReadCataloguePages(io::File& file, const DatabaseId& database,
                                                  uint32_t page_bytes, Generation generation,
                                                  const CatalogueReference& reference);

}  // namespace keel::pager

#endif  // KEEL_PAGER_CATALOGUE_H_
