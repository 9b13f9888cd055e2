#include "wal/describe.h"

#include "tests/unit/wal/log_test_util.h"
#include "wal/flush_probe.h"

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

// --- Flush probe -----------------------------------------------------------------------------------

io::FlushMethod Probe(int plain_micros, int data_sync_micros, int linked_micros,
                      const std::string& backend, size_t* writes = nullptr) {
  MemoryFileSystem disk;
  disk.set_backend_name(backend);
  disk.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(plain_micros));
  disk.set_flush_time(io::FlushMethod::kDataSyncWrite, absl::Microseconds(data_sync_micros));
  disk.set_flush_time(io::FlushMethod::kLinkedRequests, absl::Microseconds(linked_micros));
  LogWriterOptions options = SmallLog();
  options.probe_flush_method = true;
  auto log = NewLog(&disk, options);
  if (writes != nullptr) {
    *writes = 0;
    for (const Call& call : disk.TakeCalls()) {
      *writes += call.kind == Call::Kind::kWrite ? 1 : 0;
    }
  }
  return log->stats().flush_method;
}

TEST(FlushProbe, ChoosesTheFastest) {
  EXPECT_EQ(Probe(71, 84, 100, "io_uring"), io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(100, 50, 80, "io_uring"), io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(Probe(100, 90, 60, "io_uring"), io::FlushMethod::kLinkedRequests);
  EXPECT_EQ(Probe(100, 80, 60, "posix"), io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(Probe(100, 90, 95, "io_uring"), io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(100, 99, 98, "io_uring"), io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(0, 0, 0, "io_uring"), io::FlushMethod::kWriteThenSync);
}

TEST(FlushProbe, IsShortOnASlowDisk) {
  size_t fast = 0;
  size_t slow = 0;
  Probe(50, 50, 50, "posix", &fast);
  EXPECT_EQ(Probe(20000, 10000, 10000, "posix", &slow), io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(fast - slow, 12u);
  EXPECT_EQ(Probe(1000, 800, 1100, "posix", &slow), io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(fast - slow, 10u);
}

// What is far behind after two rounds is not asked again; if nothing else is left, nobody is.
TEST(FlushProbe, EndsEarlyWhenOneIsFarAhead) {
  size_t close = 0;
  size_t one_behind = 0;
  size_t one_ahead = 0;
  EXPECT_EQ(Probe(20, 25, 30, "io_uring", &close), io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(27, 20, 56, "io_uring", &one_behind), io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(Probe(50, 10, 55, "io_uring", &one_ahead), io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(close - one_behind, 5u);
  EXPECT_EQ(close - one_ahead, 5u * 3u);
}

// F1, F2: nothing is written but the last block, and where that may hold frames of an earlier use, noise first.
TEST(FlushProbe, WritesTheLastBlockAndNoiseWhereThereMayBeFrames) {
  for (const uint64_t block_bytes : {uint64_t{4096}, uint64_t{8192}}) {
    MemoryFileSystem disk;
    NewLog(&disk);
    std::vector<std::byte>& bytes = disk.Bytes(kFirst);
    std::ranges::fill(bytes, std::byte{0xff});
    std::fill(bytes.end() - 4096, bytes.end(), std::byte{0});
    auto file = disk.Open(kFirst, {});
    ASSERT_TRUE(file.ok());
    std::vector<std::vector<std::byte>> synced;
    disk.set_fault([&](const Call& call) {
      if (call.kind == Call::Kind::kSync) synced.push_back(bytes);
      return absl::OkStatus();
    });
    const uint64_t last = bytes.size() - block_bytes;
    const FlushProbeOptions probe{
        .offset = block_bytes, .bytes = last - block_bytes, .block_bytes = block_bytes};
    ASSERT_TRUE(ProbeFlushMethod(file->get(), &disk.clock(), &disk.random(), probe).ok());
    const auto changed = [&](const std::vector<std::byte>& now, uint64_t begin, uint64_t end) {
      return std::count_if(now.begin() + static_cast<ptrdiff_t>(begin),
                           now.begin() + static_cast<ptrdiff_t>(end),
                           [](std::byte byte) { return byte != std::byte{0xff}; });
    };
    for (const std::vector<std::byte>& now : synced) EXPECT_EQ(changed(now, 0, last), 0);
    EXPECT_EQ(
        std::count(bytes.end() - static_cast<ptrdiff_t>(block_bytes), bytes.end(), std::byte{0}),
        static_cast<ptrdiff_t>(block_bytes));
    const bool noise =
        std::count(synced.front().end() - 4096, synced.front().end(), std::byte{0}) < 100;
    EXPECT_EQ(noise, block_bytes > 4096);
  }
}

TEST(FlushProbe, FailureIsAnErrorOfCreate) {
  MemoryFileSystem disk;
  int syncs = 0;
  disk.set_fault([&syncs](const Call& call) {
    const bool fails = call.kind == Call::Kind::kSync && ++syncs == 3;
    return fails ? absl::UnavailableError("injected sync error") : absl::OkStatus();
  });
  LogWriterOptions options = SmallLog();
  options.probe_flush_method = true;
  EXPECT_THAT(CreateLog(&disk, options).status(), IsStatus(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace keel::wal
