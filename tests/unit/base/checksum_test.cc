#include "base/checksum.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <string_view>

namespace keel {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The files of a database outlive the library: the algorithm must never change under them.
TEST(ChecksumTest, IsXxh3) {
  EXPECT_EQ(Checksum({}, 0), 0x2d06800538d394c2U);
  EXPECT_EQ(Checksum(Bytes("keel"), 0), 4519838786679531796U);
  EXPECT_EQ(Checksum(Bytes("keel"), 1), 13439891565529319476U);
  EXPECT_EQ(ChecksumSeed({1, 2}, 3), 8964613590703056768U);
}

TEST(ChecksumTest, EveryBitCounts) {
  std::string bytes(300, 'a');
  const uint64_t whole = Checksum(Bytes(bytes), 1);
  std::set<uint64_t> seen = {whole};
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(seen.insert(Checksum(Bytes(bytes), 1)).second) << bit;
    bytes[bit / 8] = 'a';
  }
  EXPECT_EQ(Checksum(Bytes(bytes), 1), whole);
}

TEST(ChecksumTest, LengthCounts) {
  const std::string zeros(64, '\0');
  std::set<uint64_t> seen;
  for (size_t size = 0; size <= zeros.size(); ++size) {
    EXPECT_TRUE(seen.insert(Checksum(Bytes(zeros).first(size), 9)).second) << size;
  }
}

TEST(ChecksumTest, TheSeedTiesToDatabaseAndPlace) {
  const std::set<uint64_t> seeds = {
      ChecksumSeed({1, 2}, 3), ChecksumSeed({1, 2}, 4), ChecksumSeed({1, 3}, 3),
      ChecksumSeed({2, 2}, 3), ChecksumSeed({2, 1}, 3), ChecksumSeed({0, 0}, 0),
  };
  EXPECT_EQ(seeds.size(), 6U);
  EXPECT_EQ(ChecksumSeed({1, 2}, 3), ChecksumSeed({1, 2}, 3));
  std::set<uint64_t> checksums;
  for (const uint64_t seed : seeds) checksums.insert(Checksum(Bytes("the same page"), seed));
  EXPECT_EQ(checksums.size(), seeds.size());
}

}  // namespace
}  // namespace keel
