// What a checkpoint knows besides pages: keyspaces and their roots, the space directory, and places for
// detached subtrees and bad pages.
//
// Encoded as one byte string, cut into a chain of catalogue pages that belong to the checkpointer alone:
// referenced only from the superblock or each other, outside versions and the reuse rule. Their birth
// field holds the generation. Written anew by each checkpoint that changes it.

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

std::string EncodeCatalogue(const Catalogue& catalogue);
absl::StatusOr<Catalogue> DecodeCatalogue(std::string_view bytes);

// Bytes of a catalogue page that carry the string.
uint64_t CataloguePayloadBytes(uint32_t page_bytes);
// Pages needed for `bytes`.
uint64_t CataloguePages(uint64_t bytes, uint32_t page_bytes);

// Writes `bytes` to `pages` (exactly as many as needed), unsynced, and returns the reference to it.
absl::StatusOr<CatalogueReference> WriteCataloguePages(io::File& file, const DatabaseId& database,
                                                       uint32_t page_bytes, Generation generation,
                                                       std::span<const PageId> pages,
                                                       std::string_view bytes);
struct CatalogueImage {
  std::string bytes;
  std::vector<PageId> pages;
};
// Reads and checks the chain. DataLoss names file and page. Bounded by the reference and the file's size.
absl::StatusOr<CatalogueImage> ReadCataloguePages(io::File& file, const DatabaseId& database,
                                                  uint32_t page_bytes, Generation generation,
                                                  const CatalogueReference& reference);

}  // namespace keel::pager

#endif  // KEEL_PAGER_CATALOGUE_H_
