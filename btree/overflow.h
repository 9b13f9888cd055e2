// Large values: raw pages outside the tree, named and checked by an extent in the leaf.
//
// Encoded extent: varint value bytes, varint number of runs, per run {varint first page, varint count},
// u64 birth, u64 checksum of the table. The pages of the runs, one run after the other, are first the table,
// then the value, the last page filled up with zeros. The table (8 bytes a data page, likewise filled up)
// holds one checksum a page, seeded with database, page id and birth: a partial read checks what it touches.
// A value of one page has no table: what would be its checksum is the page's.
// Several runs are allowed, one huge run is never demanded; but their description must fit in
// MaxExtentBytes, so no run is shorter than lets the rest of the value fit into the runs that are left.

#ifndef KEEL_BTREE_OVERFLOW_H_
#define KEEL_BTREE_OVERFLOW_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btree/node_format.h"
#include "pager/page_access.h"

namespace keel::btree {

struct Extent {
  uint64_t value_bytes = 0;
  Epoch birth;
  uint64_t table_checksum = 0;
  std::vector<pager::PageRun> runs;
};

// Pages of the value alone, and of the table in front of them.
constexpr uint64_t ExtentDataPages(uint64_t value_bytes, uint32_t page_bytes) {
  return (value_bytes + page_bytes - 1) / page_bytes;
}
constexpr uint64_t ExtentTablePages(uint64_t value_bytes, uint32_t page_bytes) {
  const uint64_t data_pages = ExtentDataPages(value_bytes, page_bytes);
  return data_pages == 1 ? 0 : (data_pages * 8 + page_bytes - 1) / page_bytes;
}

std::string EncodeExtent(const Extent& extent);
// DataLoss if the bytes are no extent (counts and lengths are checked against each other).
absl::StatusOr<Extent> DecodeExtent(std::string_view bytes, uint32_t page_bytes);
// The same without the result, and without an allocation when all is well; and that it was born by `newest_birth`, as
// what refers to it was.
absl::Status CheckExtent(std::string_view bytes, uint32_t page_bytes, Epoch newest_birth);

// Writes the value to new runs; on an error they have been dropped again. REQUIRES: 0 < value.size() <=
// kMaxValueBytes.
absl::StatusOr<Extent> WriteExtent(pager::PageSink& pages, std::string_view value);
// Reads [offset, offset + buffer.size()) of the value, checking every page it touches. OutOfRange beyond
// the value's end.
absl::Status ReadExtent(pager::PageSource& pages, const Extent& extent, uint64_t offset,
                        std::span<std::byte> buffer);
void DropExtent(pager::PageSink& pages, const Extent& extent);

}  // namespace keel::btree

#endif  // KEEL_BTREE_OVERFLOW_H_
