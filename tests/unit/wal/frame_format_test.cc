// The bytes of frames and segment headers: what a decoder takes and refuses, and what they look like.

#include "wal/frame_format.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/codec.h"
#include "tests/unit/wal/log_test_util.h"

namespace keel::wal {
namespace {

std::vector<std::byte> Frame(std::vector<std::string> records, FrameHeader* header) {
  std::string payload;
  ByteWriter writer(&payload);
  for (const std::string& record : records) writer.Prefixed(record);
  header->payload_bytes = static_cast<uint32_t>(payload.size());
  header->padded_bytes =
      static_cast<uint32_t>(RoundUp(kFrameHeaderBytes + payload.size(), kLogBlockBytes));
  header->records = static_cast<uint32_t>(records.size());
  std::vector<std::byte> frame(header->padded_bytes);
  std::memcpy(frame.data() + kFrameHeaderBytes, payload.data(), payload.size());
  header->checksum = SealFrame(*header, frame);
  return frame;
}

FrameHeader Sample() {
  FrameHeader header;
  header.lsn = 0x300000;
  header.segment = 3;
  header.database_high = kDatabase.high;
  header.database_low = kDatabase.low;
  header.incarnation = 2;
  header.salt = 0x5a17;
  header.durable_mark = 0x2ff000;
  header.generation = 0x20000000001;
  header.previous = 0x0123456789abcdef;
  return header;
}

TEST(FrameFormat, SealedFrameIsValid) {
  FrameHeader header = Sample();
  const auto frame = Frame({"one", "", std::string(5000, 'x')}, &header);
  const FrameHeader loaded = LoadFrameHeader(frame);
  EXPECT_EQ(FrameHeaderProblem(loaded, 0x1000, frame.size()), "");
  EXPECT_EQ(FrameProblem(loaded, frame), "");
  EXPECT_EQ(loaded.records, 3u);
  EXPECT_EQ(loaded.end(), header.lsn + 8192);
}

TEST(FrameFormat, EveryBitOfAFrameIsUnderTheChecksum) {
  FrameHeader header = Sample();
  auto frame = Frame({"some record", "another"}, &header);
  for (size_t bit = 0; bit < frame.size() * 8; bit += (bit < 2048 ? 1 : 37)) {
    frame[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const FrameHeader loaded = LoadFrameHeader(frame);
    const bool valid = FrameHeaderProblem(loaded, 0x1000, frame.size()).empty() &&
                       loaded.padded_bytes == frame.size() && FrameProblem(loaded, frame).empty();
    EXPECT_FALSE(valid) << "bit " << bit;
    frame[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

TEST(FrameFormat, HeaderFieldsAreBounded) {
  const auto problem = [](auto change, uint64_t offset = 0x1000, uint64_t left = 4096) {
    FrameHeader header = Sample();
    header.padded_bytes = 4096;
    change(&header);
    return std::string(FrameHeaderProblem(header, offset, left));
  };
  EXPECT_EQ(problem([](FrameHeader*) {}), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->magic ^= 1; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->version = 2; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->header_bytes = 64; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->flags = 1; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->padded_bytes = 0; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->padded_bytes = 4097; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->padded_bytes = 8192; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->padded_bytes = 32 << 20; }, 0x1000, 64 << 20), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->payload_bytes = 4096; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->records = 1; }), "");
  EXPECT_NE(problem([](FrameHeader* h) { h->lsn += 1; }), "");
  EXPECT_NE(
      problem([](FrameHeader* h) { h->lsn = std::numeric_limits<uint64_t>::max() & ~4095ull; }),
      "");
  EXPECT_NE(problem([](FrameHeader* h) {
              h->lsn = 0;
              h->durable_mark = 0;
            }),
            "");
  EXPECT_NE(problem([](FrameHeader* h) { h->durable_mark = h->lsn + 1; }), "");
}

TEST(FrameFormat, RecordsMustFillThePayload) {
  FrameHeader header = Sample();
  auto frame = Frame({"abc", "defg"}, &header);
  const auto check = [&](auto change) {
    FrameHeader changed = header;
    auto bytes = frame;
    change(&changed, &bytes);
    changed.checksum = SealFrame(changed, bytes);
    return std::string(FrameProblem(changed, bytes));
  };
  EXPECT_EQ(check([](auto, auto) {}), "");
  EXPECT_NE(check([](FrameHeader* h, auto) { h->records = 3; }), "");
  EXPECT_NE(check([](FrameHeader* h, auto) { h->payload_bytes -= 1; }), "");
  EXPECT_NE(check([](FrameHeader* h, auto) { h->payload_bytes += 1; }), "");
  EXPECT_NE(check([](auto, auto* b) { (*b)[kFrameHeaderBytes] = std::byte{0x7f}; }), "");
  EXPECT_NE(check([](auto, auto* b) { (*b)[kFrameHeaderBytes] = std::byte{0xff}; }), "");
  EXPECT_NE(
      check([](auto, auto* b) { std::fill_n(b->begin() + kFrameHeaderBytes, 9, std::byte{0xff}); }),
      "");
}

TEST(FrameFormat, RecordWalkerTellsEnds) {
  FrameHeader header = Sample();
  const auto frame = Frame({"abc", std::string(200, 'x'), ""}, &header);
  RecordWalker records(
      Lsn{header.lsn},
      {reinterpret_cast<const char*>(frame.data()) + kFrameHeaderBytes, header.payload_bytes});
  const uint64_t first = header.lsn + kFrameHeaderBytes;
  ASSERT_TRUE(records.Next());
  EXPECT_EQ(records.end().value, first + 4);
  ASSERT_TRUE(records.Next());
  EXPECT_EQ(records.end().value, first + 4 + 202);
  ASSERT_TRUE(records.Next());
  EXPECT_EQ(records.bytes(), "");
  EXPECT_EQ(records.end().value, header.records_end());
  EXPECT_FALSE(records.Next());
  EXPECT_TRUE(records.ok());
}

SegmentHeader SampleSegment() {
  SegmentHeader header;
  header.block_bytes = 4096;
  header.segment = 3;
  header.first_lsn = 0x2ff000;
  header.segment_bytes = 1 << 20;
  header.database_high = kDatabase.high;
  header.database_low = kDatabase.low;
  header.incarnation = 2;
  header.salt = 0x5a17;
  header.durable_mark = 0x2fe000;
  header.generation = 0x20000000001;
  header.previous = 0x0123456789abcdef;
  return header;
}

TEST(SegmentFormat, EveryBitOfAHeaderIsUnderTheChecksum) {
  std::vector<std::byte> block(4096);
  SealSegmentHeader(SampleSegment(), block);
  SegmentHeader loaded;
  EXPECT_EQ(LoadSegmentHeader(block, &loaded), "");
  EXPECT_EQ(loaded.first_lsn, 0x2ff000u);
  EXPECT_NE(LoadSegmentHeader(std::span(block).first(512), &loaded), "");
  for (size_t bit = 0; bit < block.size() * 8; bit += (bit < 2048 ? 1 : 37)) {
    block[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_NE(LoadSegmentHeader(block, &loaded), "") << "bit " << bit;
    block[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

// --- Golden bytes ----------------------------------------------------------------------------------

struct Field {
  size_t offset;
  size_t size;
  const char* name;
};

constexpr Field kFrameFields[] = {
    {0, 8, "checksum"},      {8, 8, "magic"},        {16, 2, "version"},
    {18, 2, "header_bytes"}, {20, 4, "flags"},       {24, 4, "payload_bytes"},
    {28, 4, "padded_bytes"}, {32, 8, "lsn"},         {40, 8, "segment"},
    {48, 16, "database"},    {64, 8, "incarnation"}, {72, 8, "salt"},
    {80, 8, "durable_mark"}, {88, 8, "generation"},  {96, 8, "previous"},
    {104, 4, "records"},     {108, 20, "reserved"},  {128, 4, "record"},
    {132, 6, "record"},      {138, 6, "padding"}};
constexpr Field kSegmentFields[] = {
    {0, 8, "checksum"},     {8, 8, "magic"},        {16, 2, "version"},   {18, 2, "header_bytes"},
    {20, 4, "block_bytes"}, {24, 8, "segment"},     {32, 8, "first_lsn"}, {40, 8, "segment_bytes"},
    {48, 16, "database"},   {64, 8, "incarnation"}, {72, 8, "salt"},      {80, 8, "durable_mark"},
    {88, 8, "generation"},  {96, 8, "previous"},    {104, 24, "reserved"}};

std::string Dump(std::span<const std::byte> bytes, std::span<const Field> fields) {
  std::string text;
  size_t next = 0;
  for (const Field& field : fields) {
    EXPECT_EQ(field.offset, next) << "a gap before " << field.name;
    next = field.offset + field.size;
    text += absl::StrFormat("%4d %3d  %-14s", field.offset, field.size, field.name);
    for (size_t i = 0; i < field.size; ++i) {
      text += absl::StrFormat(" %02x", static_cast<unsigned>(bytes[field.offset + i]));
    }
    text += '\n';
  }
  return text;
}

TEST(FrameFormat, GoldenBytes) {
  FrameHeader frame_header = Sample();
  const auto frame = Frame({"abc", "keel!"}, &frame_header);
  std::vector<std::byte> segment(4096);
  SealSegmentHeader(SampleSegment(), segment);
  const std::string text =
      "# Segment header: offset, size, field, bytes\n" + Dump(segment, kSegmentFields) +
      "\n# Frame with the records \"abc\" and \"keel!\"\n" + Dump(frame, kFrameFields);

  const std::string path = KEEL_GOLDEN_DIR "/wal_format.txt";
  if (std::getenv("KEEL_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str())
      << "the format has changed; if that is meant, raise its version and "
         "run with KEEL_UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace keel::wal
