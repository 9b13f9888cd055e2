#include "base/checksum.h"

#include <xxhash.h>

namespace keel {

uint64_t Checksum(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t ChecksumSeed(const DatabaseId& database, uint64_t place) {
  const uint64_t words[3] = {database.high, database.low, place};
  return XXH3_64bits(words, sizeof(words));
}

}  // namespace keel
