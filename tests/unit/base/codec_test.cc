#include "base/codec.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/seed.h"

namespace keel {
namespace {

constexpr uint64_t kMax64 = std::numeric_limits<uint64_t>::max();

// Values at which a varint gets one byte longer, and their neighbours.
std::vector<uint64_t> VarintEdges() {
  std::vector<uint64_t> edges = {0, kMax64, kMax64 - 1};
  for (int bits = 7; bits < 64; bits += 7) {
    const uint64_t edge = uint64_t{1} << bits;
    edges.insert(edges.end(), {edge - 1, edge, edge + 1});
  }
  return edges;
}

std::string Varint(uint64_t value) {
  std::string out;
  ByteWriter(&out).Varint(value);
  return out;
}

TEST(VarintTest, RoundTripsAtEveryLength) {
  for (const uint64_t value : VarintEdges()) {
    const std::string bytes = Varint(value);
    EXPECT_EQ(bytes.size(), VarintBytes(value)) << value;
    uint64_t read = ~value;
    EXPECT_EQ(LoadVarint(bytes.data(), bytes.size(), &read), bytes.size()) << value;
    EXPECT_EQ(read, value);
  }
}

TEST(VarintTest, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(Varint(0), std::string(1, '\0'));
  EXPECT_EQ(Varint(0x7f), "\x7f");
  EXPECT_EQ(Varint(0x80), std::string("\x80\x01", 2));
  EXPECT_EQ(Varint(300), std::string("\xac\x02", 2));
  EXPECT_EQ(Varint(kMax64), std::string(9, '\xff') + "\x01");
  EXPECT_EQ(VarintBytes(kMax64), kMaxVarintBytes);
}

TEST(VarintTest, EveryCutIsRefused) {
  for (const uint64_t value : VarintEdges()) {
    const std::string bytes = Varint(value);
    for (size_t limit = 0; limit < bytes.size(); ++limit) {
      uint64_t read = 7;
      EXPECT_EQ(LoadVarint(bytes.data(), limit, &read), 0U);
      EXPECT_EQ(read, 7U) << "nothing is stored";
    }
  }
}

TEST(VarintTest, MoreThan64BitsAreRefused) {
  uint64_t read = 0;
  for (const char last : {'\x02', '\x7f', '\x81', '\xff'}) {
    const std::string bytes = std::string(9, '\xff') + last + std::string(4, '\x01');
    EXPECT_EQ(LoadVarint(bytes.data(), bytes.size(), &read), 0U);
  }
  const std::string endless(64, '\x80');
  EXPECT_EQ(LoadVarint(endless.data(), endless.size(), &read), 0U);
}

TEST(FixedTest, FieldsAreLittleEndian) {
  std::string out;
  ByteWriter writer(&out);
  writer.Fixed<uint16_t>(0x0102);
  writer.Fixed<uint32_t>(0x03040506);
  writer.Fixed<uint8_t>(7);
  EXPECT_EQ(out, std::string("\x02\x01\x06\x05\x04\x03\x07"));
  EXPECT_EQ(Load<uint16_t>(out.data()), 0x0102);
  EXPECT_EQ(Load<uint32_t>(out.data() + 2), 0x03040506U);
}

TEST(FixedTest, SixByteFieldsTouchSixBytes) {
  std::string bytes(8, 'x');
  Store48(bytes.data() + 1, 0x060504030201);
  EXPECT_EQ(bytes, "x\x01\x02\x03\x04\x05\x06x");
  EXPECT_EQ(Load48(bytes.data() + 1), 0x060504030201U);
}

TEST(ByteReaderTest, TakesWhatWasWritten) {
  std::string out;
  ByteWriter writer(&out);
  writer.Fixed<uint64_t>(42);
  writer.Varint(1 << 20);
  writer.Prefixed("key");
  writer.Prefixed("");
  writer.Bytes("tail");

  ByteReader reader(out);
  uint64_t fixed = 0;
  uint64_t varint = 0;
  std::string_view key;
  std::string_view empty = "?";
  std::string_view tail;
  EXPECT_TRUE(reader.Fixed(&fixed) && reader.Varint(&varint) && reader.Prefixed(&key) &&
              reader.Prefixed(&empty) && reader.Bytes(4, &tail));
  EXPECT_EQ(fixed, 42U);
  EXPECT_EQ(varint, 1U << 20);
  EXPECT_EQ(key, "key");
  EXPECT_EQ(empty, "");
  EXPECT_EQ(tail, "tail");
  EXPECT_TRUE(reader.ok() && reader.empty());
}

TEST(ByteReaderTest, WhatIsNotThereIsRefusedAndNothingTaken) {
  const auto expect_refused = [](std::string_view bytes, auto take) {
    ByteReader reader(bytes);
    EXPECT_FALSE(take(reader));
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.rest(), bytes);
  };
  uint64_t value = 0;
  std::string_view text;
  expect_refused("1234567", [&](ByteReader& reader) { return reader.Fixed(&value); });
  expect_refused("\x80", [&](ByteReader& reader) { return reader.Varint(&value); });
  expect_refused("", [&](ByteReader& reader) { return reader.Varint(&value); });
  expect_refused("abc", [&](ByteReader& reader) { return reader.Bytes(4, &text); });
  expect_refused("abc", [&](ByteReader& reader) { return reader.Bytes(~size_t{0}, &text); });
  expect_refused(
      "\x04"
      "abc",
      [&](ByteReader& reader) { return reader.Prefixed(&text); });
  const std::string huge = Varint(kMax64) + "abc";
  expect_refused(huge, [&](ByteReader& reader) { return reader.Prefixed(&text); });
}

TEST(ByteReaderTest, OnceFailedItStaysFailed) {
  ByteReader reader("abc");
  uint32_t word = 0;
  uint8_t byte = 0;
  uint64_t value = 0;
  std::string_view text;
  EXPECT_FALSE(reader.Fixed(&word));
  EXPECT_FALSE(reader.Fixed(&byte));
  EXPECT_FALSE(reader.Varint(&value));
  EXPECT_FALSE(reader.Bytes(0, &text));
  EXPECT_FALSE(reader.Prefixed(&text));
  EXPECT_FALSE(reader.ok());
}

// Random bytes, random getters: whatever is handed out lies inside the buffer.
TEST(ByteReaderTest, HostileBytesNeverLeadOutOfTheBuffer) {
  std::mt19937_64 random(testing::TestSeed());
  for (int round = 0; round < 20000; ++round) {
    // On the heap, and of this very size, so that the sanitizers see a step beyond.
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 3 == 0 ? 0xff : random() % 8);
    }
    const std::vector<char> exact(bytes.begin(), bytes.end());
    ByteReader reader({exact.data(), exact.size()});
    for (size_t before = exact.size() + 1; reader.ok() && !reader.empty();) {
      ASSERT_LT(reader.rest().size(), before) << "it gets ahead";
      before = reader.rest().size();
      uint64_t value = 0;
      uint16_t half = 0;
      std::string_view text;
      const uint64_t choice = random() % 4;
      const bool taken = choice == 0   ? reader.Varint(&value)
                         : choice == 1 ? reader.Fixed(&half)
                         : choice == 2 ? reader.Prefixed(&text)
                                       : reader.Bytes(1 + random() % 3, &text);
      if (taken && !text.empty()) {
        ASSERT_GE(text.data(), exact.data());
        ASSERT_LE(text.data() + text.size(), exact.data() + exact.size());
      }
    }
  }
}

}  // namespace
}  // namespace keel
