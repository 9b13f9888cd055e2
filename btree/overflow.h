// Large values: raw pages outside the tree, named and checked by an extent in the leaf.
//
// Encoded extent: varint value bytes, varint number of runs, per run {varint first page, varint count},
// u64 birth, u64 checksum of the table. The table (8 bytes a data page, in the first pages of the first
// run) holds one checksum a page, seeded with database, page id and birth: a partial read checks what it
// touches. Several runs are allowed, one huge run is never demanded.

#ifndef KEEL_BTREE_OVERFLOW_H_
#define KEEL_BTREE_OVERFLOW_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pager/page_access.h"

namespace keel::btree {

struct Extent {
  uint64_t value_bytes = 0;
  Epoch birth;
  uint64_t table_checksum = 0;
  std::vector<pager::PageRun> runs;
};

// Largest value kept in the leaf, for a key of `key_bytes`: the whole entry takes at most a quarter page.
size_t MaxInlineValueBytes(uint32_t page_bytes, size_t key_bytes);

std::string EncodeExtent(const Extent& extent);
// DataLoss if the bytes are no extent (counts and lengths are checked against each other).
absl::StatusOr<Extent> DecodeExtent(std::string_view bytes, uint32_t page_bytes);

// Writes the value to new runs; on an error they have been dropped again.
absl::StatusOr<Extent> WriteExtent(pager::PageSink& pages, std::string_view value);
// Reads [offset, offset + buffer.size()) of the value, checking every page it touches.
absl::Status ReadExtent(pager::PageSource& pages, const Extent& extent, uint64_t offset,
                        std::span<std::byte> buffer);
void DropExtent(pager::PageSink& pages, const Extent& extent);

}  // namespace keel::btree

#endif  // KEEL_BTREE_OVERFLOW_H_
