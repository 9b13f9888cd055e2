// Whether the bytes of a page are a node: what NodeView relies on.

#ifndef KEEL_BTREE_NODE_CHECK_H_
#define KEEL_BTREE_NODE_CHECK_H_

#include <absl/status/status.h>

#include <cstddef>
#include <span>

namespace keel::btree {

// Checks N1 to N5 within the page: kind and level, that slots and cells lie in the page and do not overlap,
// lengths within their limits, ascending keys, extents that decode, references that can be. One pass over
// the slots, no allocation. DataLoss says what is wrong. Called once for a page that comes from disk, behind
// its checksum: a checksum is no signature. Pages of other kinds are OK.
absl::Status CheckNode(std::span<const std::byte> page);

}  // namespace keel::btree

#endif  // KEEL_BTREE_NODE_CHECK_H_
