#include "wal/describe.h"

#include "tests/unit/wal/log_test_util.h"

namespace keel::wal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = PieceDescription::Kind;

const std::filesystem::path kFirst = std::filesystem::path(kLogDirectory) / "segment-0001";

std::vector<PieceDescription> Pieces(MemoryFileSystem* disk, SegmentDescription* segment) {
  std::vector<PieceDescription> pieces;
  auto file = disk->Open(kFirst, {.read_only = true});
  EXPECT_TRUE(file.ok());
  auto description = DescribeSegment(file->get(), [&](const PieceDescription& piece) {
    pieces.push_back(piece);
    return true;
  });
  EXPECT_TRUE(description.ok()) << description.status();
  *segment = *description;
  return pieces;
}

std::vector<Kind> Kinds(const std::vector<PieceDescription>& pieces) {
  std::vector<Kind> kinds;
  for (const PieceDescription& piece : pieces) kinds.push_back(piece.kind);
  return kinds;
}

TEST(Describe, GoesOnPastDamage) {
  MemoryFileSystem disk;
  {
    auto log = NewLog(&disk);
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Commit(log.get(), "record").ok());
  }
  SegmentDescription segment;
  auto pieces = Pieces(&disk, &segment);
  EXPECT_THAT(Kinds(pieces),
              ElementsAre(Kind::kFrame, Kind::kFrame, Kind::kFrame, Kind::kFrame, Kind::kZeros));
  EXPECT_EQ(pieces.back().bytes, 3 * 4096u);
  EXPECT_TRUE(pieces[2].chained && pieces[2].in_place);
  EXPECT_EQ(segment.frames, 4u);
  EXPECT_THAT(SegmentText(segment), HasSubstr("segment 1 of 32768 bytes"));
  EXPECT_THAT(PieceText(pieces[1]), HasSubstr("records 1"));

  disk.Bytes(kFirst)[2 * 4096 + 300] ^= std::byte{1};
  disk.Bytes(kFirst)[6 * 4096] = std::byte{1};
  disk.Bytes(kFirst)[9] ^= std::byte{1};
  pieces = Pieces(&disk, &segment);
  EXPECT_THAT(Kinds(pieces), ElementsAre(Kind::kFrame, Kind::kDamagedFrame, Kind::kFrame,
                                         Kind::kFrame, Kind::kZeros, Kind::kUnknown, Kind::kZeros));
  EXPECT_FALSE(pieces[2].chained);
  EXPECT_THAT(PieceText(pieces[1]), HasSubstr("checksum does not match"));
  EXPECT_NE(segment.problem, "");
  EXPECT_THAT(SegmentText(segment), HasSubstr("no segment header"));
}

TEST(Describe, UnreadableBlocksAreTold) {
  MemoryFileSystem disk;
  NewLog(&disk);
  disk.set_fault([](const Call& call) {
    const bool hit =
        call.kind == Call::Kind::kRead && call.offset <= 8192 && 8192 < call.offset + call.bytes;
    return hit ? absl::UnavailableError("injected read error") : absl::OkStatus();
  });
  SegmentDescription segment;
  EXPECT_THAT(Kinds(Pieces(&disk, &segment)),
              ElementsAre(Kind::kZeros, Kind::kUnreadable, Kind::kZeros));
}

TEST(Describe, StopsWhenTold) {
  MemoryFileSystem disk;
  {
    auto log = NewLog(&disk);
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Commit(log.get(), "record").ok());
  }
  auto file = disk.Open(kFirst, {.read_only = true});
  int told = 0;
  ASSERT_TRUE(
      DescribeSegment(file->get(), [&](const PieceDescription&) { return ++told < 2; }).ok());
  EXPECT_EQ(told, 2);
  EXPECT_EQ(ListSegments(&disk, kLogDirectory)->size(), disk.Paths().size());
}

}  // namespace
}  // namespace keel::wal
