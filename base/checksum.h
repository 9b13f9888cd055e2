// Checksums: XXH3-64 with a seed that ties the bytes to their database and place.

#ifndef KEEL_BASE_CHECKSUM_H_
#define KEEL_BASE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/types.h"

namespace keel {

uint64_t Checksum(std::span<const std::byte> bytes, uint64_t seed);

// A seed from a database and a place in it (page id, LSN, file offset): the same bytes at another
// place, or of another database, do not verify.
uint64_t ChecksumSeed(const DatabaseId& database, uint64_t place);

}  // namespace keel

#endif  // KEEL_BASE_CHECKSUM_H_
