// A tree page in words, for people.

#ifndef KEEL_BTREE_DESCRIBE_H_
#define KEEL_BTREE_DESCRIBE_H_

#include <cstddef>
#include <span>
#include <string>

namespace keel::btree {

// Header, verdict of CheckNode, prefix, and one line a slot: key and value, or separator and reference.
// Any bytes will do: what is damaged is named, and the rest is still told. REQUIRES: a page of valid size,
// aligned to 8 bytes.
std::string DescribeNode(std::span<const std::byte> page);

}  // namespace keel::btree

#endif  // KEEL_BTREE_DESCRIBE_H_
