// The data file for people: what superblocks, catalogue pages and map pages say, field by field.
//
//   const Description description = DescribeSuperblock(block, offset);
//   std::fputs(ToText(description).c_str(), stdout);
//
// Uses the engine's own decoders for the verdict, and goes on past damage: fields are shown as they stand
// in the bytes, whether or not they hold. Never writes.

#ifndef KEEL_PAGER_DESCRIBE_H_
#define KEEL_PAGER_DESCRIBE_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace keel::pager {

struct DescribedField {
  uint64_t offset = 0;  // in the bytes described
  uint64_t size = 0;    // 0: derived, not a field of its own
  std::string name;
  std::string value;
};

struct Description {
  std::string kind;     // "superblock", "leaf page", ...
  absl::Status status;  // OK, or what is wrong with it
  std::vector<DescribedField> fields;
};

// One copy, of kSuperblockBytes.
Description DescribeSuperblock(std::span<const std::byte> block, uint64_t offset);

// A page's header, and for catalogue and map pages what follows it. Of a tree page only the header.
// REQUIRES: page.size() >= kPageHeaderBytes, aligned to 8.
Description DescribePage(std::span<const std::byte> page, const DatabaseId& database, PageId id);

// A whole catalogue, put together from its pages (ReadCataloguePages).
Description DescribeCatalogue(std::string_view bytes);

// One line a field: offset, size, name, value; then the verdict.
std::string ToText(const Description& description);

}  // namespace keel::pager

#endif  // KEEL_PAGER_DESCRIBE_H_
