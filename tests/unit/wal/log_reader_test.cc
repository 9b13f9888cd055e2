// R11: where the log ends, what is torn and what is lost; recycled segments; hostile files.

#include "wal/log_reader.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/codec.h"
#include "tests/unit/wal/log_test_util.h"
#include "wal/frame_format.h"
#include "wal/segment.h"

namespace keel::wal {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kFirst = std::filesystem::path(kLogDirectory) / "segment-0001";

struct Place {
  std::filesystem::path path;
  uint64_t offset = 0;
};

// Where a valid or damaged frame with this record stands (a record is found by its bytes).
Place Find(MemoryFileSystem* disk, std::string_view record) {
  for (const auto& path : disk->Paths()) {
    const auto& bytes = disk->Bytes(path);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const size_t at = text.find(record);
    if (at != std::string_view::npos) return {path, at / 4096 * 4096};
  }
  ADD_FAILURE() << record << " is nowhere";
  return {};
}

void FlipAt(MemoryFileSystem* disk, const Place& place) {
  disk->Bytes(place.path)[place.offset + 200] ^= std::byte{1};
}

void EraseAt(MemoryFileSystem* disk, const Place& place) {
  auto& bytes = disk->Bytes(place.path);
  std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(place.offset), 4096, std::byte{0});
}

std::string Named(int i) { return "record-" + std::to_string(1000 + i) + std::string(300, '.'); }

// A log of `count` commits, each a frame of its own.
LogStart Commits(MemoryFileSystem* disk, int count, bool idle_mark = false) {
  auto log = NewLog(disk);
  for (int i = 0; i < count; ++i) EXPECT_TRUE(Commit(log.get(), Named(i)).ok());
  if (idle_mark) {
    EXPECT_TRUE(log->WriteIdleMark().ok());
  }
  return log->start();
}

TEST(LogReader, EmptyLogEndsAtItsStart) {
  MemoryFileSystem disk;
  const LogStart start = NewLog(&disk)->start();
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->end.lsn, start.lsn);
  EXPECT_EQ(read->end.last_record, start.lsn);
  EXPECT_EQ(read->end.frames, 0u);
  EXPECT_FALSE(read->end.torn);
}

TEST(LogReader, RewindBeginsAgain) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 20);
  auto reader = LogReader::Open(&disk, kLogDirectory, kDatabase, start, ReadOptions());
  ASSERT_TRUE(reader.ok());
  for (int round = 0; round < 3; ++round) {
    LogRecord record;
    for (int i = 0; i < 5 + round * 5; ++i) {
      ASSERT_TRUE(*(*reader)->Next(&record));
      EXPECT_EQ(record.bytes, Named(i));
    }
    ASSERT_TRUE((*reader)->Rewind().ok());
  }
}

// The last flush was torn: nobody was told that it succeeded, so the log ends before it.
TEST(LogReader, R11LastFlushTornIsTheEnd) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 5);
  FlipAt(&disk, Find(&disk, Named(4)));
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 4u);
  EXPECT_TRUE(read->end.torn);
  EXPECT_EQ(read->end.torn_bytes, 4096u);
  EXPECT_THAT(read->end.reason, HasSubstr("checksum"));
}

// Finding 11 b: with an idle mark behind it the last commit cannot vanish.
TEST(LogReader, R11LastCommitUnderAnIdleMarkIsLost) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 5, /*idle_mark=*/true);
  FlipAt(&disk, Find(&disk, Named(4)));
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

TEST(LogReader, R11DamageBelowAMarkIsLossWithTheExactRange) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 5);
  const Place place = Find(&disk, Named(2));
  FlipAt(&disk, place);
  const absl::Status status = ReadAll(&disk, start).status();
  EXPECT_THAT(status, IsStatus(StatusCode::kDataLoss));
  const uint64_t x = start.lsn.value + 2 * 4096;
  EXPECT_THAT(status.ToString(), HasSubstr(place.path.string()));
  EXPECT_THAT(status.ToString(), HasSubstr("offset " + std::to_string(place.offset)));
  // The last frame proves everything below itself.
  EXPECT_THAT(status.ToString(),
              HasSubstr("[" + std::to_string(x) + ", " + std::to_string(x + 2 * 4096) + ")"));
  EXPECT_THAT(status.ToString(), HasSubstr("next valid frame is at " + std::to_string(x + 4096)));
}

TEST(LogReader, R11LostWriteInTheMiddleIsLoss) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 5);
  EraseAt(&disk, Find(&disk, Named(1)));
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

// Two frames of one flush: the first lost, the second kept. Neither was acknowledged.
TEST(LogReader, R11UnacknowledgedFrameBehindAHoleIsDiscarded) {
  MemoryFileSystem disk;
  LogStart start;
  {
    auto log = NewLog(&disk);
    start = log->start();
    ASSERT_TRUE(Commit(log.get(), "kept").ok());
    const std::string large(log->max_record_bytes() - 100, 'x');
    ASSERT_TRUE(log->Reserve(2 * large.size(), 2).ok());
    ASSERT_TRUE(log->Append("one" + large.substr(3)).ok());
    ASSERT_TRUE(log->Append("two" + large.substr(3)).ok());
    ASSERT_TRUE(log->Flush(log->end()).ok());
  }
  EraseAt(&disk, Find(&disk, "onexx"));
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("kept"));
  EXPECT_TRUE(read->end.torn);
  EXPECT_GE(read->end.torn_bytes, 8192u);
}

// Finding 11 a: a segment is found without its header.
TEST(LogReader, R11DamagedSegmentHeadersDoNotMatter) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 40);
  for (const auto& path : disk.Paths()) disk.Bytes(path)[30] ^= std::byte{1};
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 40u);
}

// Finding 11 e.
TEST(LogReader, R11MissingOrZeroedSegmentInTheMiddleIsLoss) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 40);
  const Place place = Find(&disk, Named(15));
  {
    auto copy = disk.Copy();
    auto& bytes = copy->Bytes(place.path);
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    EXPECT_THAT(ReadAll(copy.get(), start).status(), IsStatus(StatusCode::kDataLoss));
  }
  auto copy = disk.Copy();
  ASSERT_TRUE(copy->Remove(place.path).ok());
  EXPECT_THAT(ReadAll(copy.get(), start).status(), IsStatus(StatusCode::kDataLoss));
}

// The header of the next segment alone, all frames behind it lost, proves the end of this one.
TEST(LogReader, R11HeaderOfTheNextSegmentCarriesAMark) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 7);  // six in the first segment, one in the second
  const Place last = Find(&disk, Named(6));
  ASSERT_NE(last.path, Find(&disk, Named(5)).path);
  EraseAt(&disk, last);
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 6u);
  FlipAt(&disk, Find(&disk, Named(5)));
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

TEST(LogReader, SegmentsAreKnownByContentsNotByName) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 40);
  const auto paths = disk.Paths();
  std::vector<std::vector<std::byte>> contents;
  contents.reserve(paths.size());
  for (const auto& path : paths) contents.push_back(disk.Bytes(path));
  std::ranges::reverse(contents);
  for (size_t i = 0; i < paths.size(); ++i) disk.Put(paths[i], contents[i]);
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 40u);
}

class LogReaderTest : public ::testing::TestWithParam<uint64_t> {};

INSTANTIATE_TEST_SUITE_P(BlockBytes, LogReaderTest, ::testing::Values(4096, 8192, 65536));

TEST_P(LogReaderTest, R7NewerGenerationThanTheSuperblockIsLoss) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.block_bytes = GetParam();
  LogStart start;
  {
    auto log = NewLog(&disk, options);
    start = log->start();
    log->AnnounceGeneration(Generation{5});
    ASSERT_TRUE(log->FlushGeneration().ok());
  }
  EXPECT_TRUE(ReadAll(&disk, start, ReadOptions(1, 5)).ok());
  const absl::Status status = ReadAll(&disk, start, ReadOptions(1, 4)).status();
  EXPECT_THAT(status, IsStatus(StatusCode::kDataLoss));
  EXPECT_THAT(status.ToString(), HasSubstr("checkpoint 5"));
  // Also in a log that was closed cleanly.
  LogReaderOptions clean = ReadOptions(1, 4);
  clean.clean = true;
  EXPECT_THAT(ReadAll(&disk, start, clean).status(), IsStatus(StatusCode::kDataLoss));
}

TEST(LogReader, R11NewerIncarnationThanTheSuperblockIsLoss) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 2);
  NewLog(&disk, SmallLog(), Identity(2, 77), start.lsn);
  EXPECT_THAT(ReadAll(&disk, start, ReadOptions(1)).status(), IsStatus(StatusCode::kDataLoss));
  EXPECT_EQ(ReadAll(&disk, start, ReadOptions(2))->records.size(), 2u);
}

TEST(LogReader, StaleFramesOfARecycledSegmentAreNotRead) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes;
  LogStart start;
  {
    auto log = NewLog(&disk, options);
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(Commit(log.get(), Named(i)).ok());
      start = *log->StartAt(log->end());
      ASSERT_TRUE(log->Release(start.lsn).ok());
    }
    ASSERT_EQ(log->stats().segments, 3u);
    ASSERT_TRUE(Commit(log.get(), "new").ok());
  }
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("new"));
  EXPECT_FALSE(read->end.torn);
  // Even where the header that tells of the new use is gone, and the last frame with it.
  EraseAt(&disk, Find(&disk, "new"));
  for (const auto& path : disk.Paths()) disk.Bytes(path)[30] ^= std::byte{1};
  const auto shorter = ReadAll(&disk, start);
  ASSERT_TRUE(shorter.ok()) << shorter.status();
  EXPECT_EQ(shorter->records.size(), 0u);
}

// A value may hold a copy of log frames; they are bytes of a payload and nothing else.
TEST(LogReader, FramesWithinAPayloadAreNotFrames) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.first_segment_bytes = options.segment_bytes = 1 << 20;
  options.buffer_bytes = 1 << 20;
  LogStart start;
  {
    auto log = NewLog(&disk, options);
    start = log->start();
    ASSERT_TRUE(Commit(log.get(), "first").ok());
    std::string copy(8192, '\0');
    std::memcpy(copy.data(), disk.Bytes(kFirst).data(), copy.size());
    for (const size_t shift : {3964u, 3965u, 3966u, 3967u}) {
      ASSERT_TRUE(Commit(log.get(), std::string(shift, 'x') + copy).ok());
    }
  }
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 5u);
  EXPECT_FALSE(read->end.torn);
}

// Blocks of values that were written over in part: each claims to be a frame that reaches to the end of the file, and
// checking what they claim would mean to read the file a hundred times.
TEST(LogReader, AnyNumberOfBlocksThatClaimToBeAnotherDatabasesFramesIsNoDamage) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.first_segment_bytes = options.segment_bytes = 1 << 20;
  LogStart start;
  {
    auto log = NewLog(&disk, options);
    start = log->start();
    ASSERT_TRUE(Commit(log.get(), "kept").ok());
  }
  std::vector<std::byte>& bytes = disk.Bytes(kFirst);
  FrameHeader header = LoadFrameHeader(std::span(bytes).subspan(kLogBlockBytes, kLogBlockBytes));
  header.database_high ^= 1;
  for (size_t at = 4 * kLogBlockBytes; at < bytes.size(); at += kLogBlockBytes) {
    header.padded_bytes = static_cast<uint32_t>(bytes.size() - at);
    std::memcpy(bytes.data() + at, &header, sizeof(header));
  }
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("kept"));
  // Nor where the file's own header is gone, and all of it has to be looked at.
  bytes[30] ^= std::byte{1};
  const auto log = CreateLog(&disk, options, Identity(2, 2), start.lsn);
  EXPECT_TRUE(log.ok()) << log.status();
}

TEST(LogReader, MissingLogIsLegalOnlyWhenClean) {
  MemoryFileSystem disk;
  const LogStart start{Lsn{1 << 20}, 0, 0x5a17};
  LogReaderOptions options = ReadOptions();
  EXPECT_THAT(ReadAll(&disk, start, options).status(), IsStatus(StatusCode::kDataLoss));
  options.clean = true;
  const auto read = ReadAll(&disk, start, options);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->end.lsn, start.lsn);
  // There is nothing to ask whether a newer superblock was lost (E4).
  options.newer_may_be_lost = true;
  EXPECT_THAT(ReadAll(&disk, start, options).status(), IsStatus(StatusCode::kDataLoss));
}

TEST(LogReader, NoSegmentWithTheStartIsLegalOnlyWhenClean) {
  MemoryFileSystem disk;
  LogStart start = Commits(&disk, 3);
  start.salt = 1;
  LogReaderOptions options = ReadOptions();
  EXPECT_THAT(ReadAll(&disk, start, options).status(), IsStatus(StatusCode::kDataLoss));
  options.clean = true;
  EXPECT_TRUE(ReadAll(&disk, start, options).ok());
}

TEST(LogReader, CleanOpenReadsHeadersAndFirstFramesOnly) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 40);
  disk.TakeCalls();
  LogReaderOptions options = ReadOptions();
  options.clean = true;
  ASSERT_TRUE(ReadAll(&disk, start, options).ok());
  size_t reads = 0;
  uint64_t bytes = 0;
  for (const Call& call : disk.TakeCalls()) {
    if (call.kind != Call::Kind::kRead) continue;
    ++reads;
    bytes += call.bytes;
  }
  EXPECT_LE(reads, 2 * disk.Paths().size());
  EXPECT_EQ(bytes, 2 * kLogBlockBytes * disk.Paths().size());
}

TEST(LogReader, SegmentsOfAnotherDatabaseAreRefused) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 3);
  auto reader = LogReader::Open(&disk, kLogDirectory, DatabaseId{1, 2}, start, ReadOptions());
  EXPECT_THAT(reader.status(), IsStatus(StatusCode::kDataLoss));
  EXPECT_THAT(CreateLog(&disk, SmallLog(), {DatabaseId{1, 2}, 1, 1}).status(),
              IsStatus(StatusCode::kFailedPrecondition));
}

// E2, without any mark to help: one frame, exactly at the start.
TEST(LogReader, FrameThatNamesAnotherPredecessorIsRefused) {
  MemoryFileSystem disk;
  LogStart start = Commits(&disk, 1);
  ASSERT_EQ(ReadAll(&disk, start)->records.size(), 1u);
  start.chain = 12345;
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

// The same in the middle: a frame with valid bytes at the right place, written after another one.
TEST(LogReader, FrameThatWasWrittenAfterAnotherIsNotTheNext) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 2);
  const Place second = Find(&disk, Named(1));
  const auto block = std::span(disk.Bytes(second.path)).subspan(second.offset, kLogBlockBytes);
  FrameHeader header = LoadFrameHeader(block);
  header.previous ^= 1;
  SealFrame(header, block.first(header.padded_bytes));
  const auto log = ReadAll(&disk, start);
  EXPECT_THAT(log.status(), IsStatus(StatusCode::kDataLoss));
  EXPECT_THAT(log.status().ToString(), HasSubstr("names another predecessor"));
}

// E3, without any mark to help: a superblock names a position only once the frame around it is durable.
TEST(LogReader, DamagedFrameAroundTheStartIsLoss) {
  MemoryFileSystem disk;
  LogStart start;
  {
    auto log = NewLog(&disk);
    const Lsn first = *AppendOne(log.get(), "first");
    ASSERT_TRUE(Commit(log.get(), "second").ok());
    start = *log->StartAt(first);
  }
  EXPECT_THAT(ReadAll(&disk, start)->records, ElementsAre("second"));
  FlipAt(&disk, Find(&disk, "second"));
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

// Reads that fail now and then are repeated; a block that stays unreadable is refused if it may hold
// something behind the end, and only then.
TEST(LogReader, R11UnreadableBlocks) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 4);
  uint64_t bad = 3 * 4096;
  std::string name = "segment-0001";
  const auto fault = [&](const Call& call) {
    const bool hit = call.kind == Call::Kind::kRead && call.name == name && call.offset <= bad &&
                     bad < call.offset + call.bytes;
    return hit ? absl::UnavailableError("injected read error") : absl::OkStatus();
  };
  disk.set_fault(fault);
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));  // in the log
  bad = 6 * 4096;
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));  // behind its end
  LogReaderOptions torn = ReadOptions();
  torn.unreadable_as_torn = true;
  EXPECT_EQ(ReadAll(&disk, start, torn)->records.size(), 4u);
  bad = 7 * 4096;
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 4u);  // the last block, which holds no frame
  bad = 0;
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 4u);  // the header
  name = "segment-0002";
  bad = 4096;
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 4u);  // a spare

  name = "segment-0001";
  int left = 2;
  disk.set_fault([&](const Call& call) {
    const bool hit = call.kind == Call::Kind::kRead && left-- > 0;
    return hit ? absl::UnavailableError("injected read error") : absl::OkStatus();
  });
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 4u);
}

// A block at the end that reads wrong once (a stale read) does not shorten the log.
TEST(LogReader, R11BlocksAtTheEndAreReadTwice) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 4);
  const Place last = Find(&disk, Named(3));
  FlipAt(&disk, last);
  int reads = 0;
  disk.set_fault([&](const Call& call) {
    if (call.kind == Call::Kind::kRead && call.offset > 0 && ++reads == 1) {
      // Files this small are searched in one read from 0 on: this is the second look at the end.
      disk.Bytes(last.path)[last.offset + 200] ^= std::byte{1};
    }
    return absl::OkStatus();
  });
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_GE(reads, 1);
  EXPECT_EQ(read->records.size(), 4u);
}

TEST(LogReader, HoldsFramesTellsALogFromFreshFiles) {
  MemoryFileSystem disk;
  EXPECT_FALSE(*HoldsFrames(&disk, kLogDirectory, true));
  NewLog(&disk);
  EXPECT_FALSE(*HoldsFrames(&disk, kLogDirectory, true));
  auto log = NewLog(&disk, SmallLog(), Identity(2, 2));
  ASSERT_TRUE(Commit(log.get(), "a").ok());
  log.reset();
  EXPECT_TRUE(*HoldsFrames(&disk, kLogDirectory, true));
}

// --- Hostile files ---------------------------------------------------------------------------------

TEST(LogReader, FileFullOfFalseFramesEndsInBoundedTime) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 2);
  std::vector<std::byte> bytes(24 << 20);
  for (uint64_t at = 0; at < bytes.size(); at += 4096) {
    FrameHeader header;
    header.database_high = kDatabase.high;
    header.database_low = kDatabase.low;
    header.lsn = (uint64_t{1} << 40) + at;
    header.padded_bytes =
        static_cast<uint32_t>(std::min<uint64_t>(kFrameBytesMax, bytes.size() - at));
    std::memcpy(bytes.data() + at, &header, sizeof(header));
  }
  disk.Put(std::filesystem::path(kLogDirectory) / "segment-0009", bytes);
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

TEST(LogReader, ManyTinyAndOddFilesAreHarmless) {
  MemoryFileSystem disk;
  const LogStart start = Commits(&disk, 3);
  for (uint32_t slot = 10; slot < 3000; ++slot) {
    disk.Put(std::filesystem::path(kLogDirectory) / SegmentName(slot),
             std::vector<std::byte>(slot % 5000));
  }
  for (const char* name : {"segment-", "segment-00001", "segment-0000", "segment-12345678", "x",
                           "segment-000x", "segment--001"}) {
    EXPECT_FALSE(SegmentSlot(name).has_value()) << name;
    disk.Put(std::filesystem::path(kLogDirectory) / name, std::vector<std::byte>(100000));
  }
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 3u);
}

// Whoever opens a closed log, and goes on in it, opens each file once and reads its head once, however long the frames
// are that it held; and no lock is given up in between (R6).
TEST(LogReader, AClosedLogIsOpenedAndReadOnce) {
  MemoryFileSystem disk;
  LogStart start;
  {
    auto log = NewLog(&disk);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(Commit(log.get(), std::string(6000, 'x')).ok());
    start = *log->StartAt(log->end());
  }
  LogReaderOptions options = ReadOptions();
  options.clean = true;
  disk.TakeCalls();
  auto reader = LogReader::Open(&disk, kLogDirectory, kDatabase, start, options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto log = LogWriter::Create(&disk, kLogDirectory, Identity(2, 0x5a18), start.lsn, start.lsn,
                               SmallLog(), (*reader)->TakeFiles());
  ASSERT_TRUE(log.ok()) << log.status();
  std::map<std::string, int> opens;
  std::map<std::string, int> reads;
  for (const Call& call : disk.TakeCalls()) {
    if (call.kind == Call::Kind::kOpen) ++opens[call.name];
    if (call.kind == Call::Kind::kRead) ++reads[call.name];
  }
  EXPECT_GE(opens.size(), 3U);
  EXPECT_EQ(reads.size(), opens.size());
  for (const auto& [name, count] : opens) EXPECT_EQ(count, 1) << name;
  for (const auto& [name, count] : reads) EXPECT_EQ(count, 1) << name;
  EXPECT_TRUE(Commit(log->get(), "goes on").ok());
}

// A head that cannot be read together with the others is tried again alone.
TEST(LogReader, AHeadThatFailsOnceIsReadAgain) {
  MemoryFileSystem disk;
  LogStart start;
  {
    auto log = NewLog(&disk);
    ASSERT_TRUE(Commit(log.get(), "a record").ok());
    start = *log->StartAt(log->end());
  }
  LogReaderOptions options = ReadOptions();
  options.clean = true;
  std::set<std::string> failed;
  disk.set_fault([&](const Call& call) {
    if (call.kind != Call::Kind::kRead || !failed.insert(call.name).second) return absl::OkStatus();
    return absl::UnavailableError("injected failure");
  });
  EXPECT_TRUE(ReadAll(&disk, start, options).ok());
  EXPECT_GE(failed.size(), 3U);
  // Where nothing helps it is no header, and nothing else.
  disk.set_fault([](const Call& call) {
    const bool fails = call.kind == Call::Kind::kRead && call.name == "segment-0001";
    return fails ? absl::UnavailableError("injected failure") : absl::OkStatus();
  });
  EXPECT_TRUE(ReadAll(&disk, start, options).ok());
}

}  // namespace
}  // namespace keel::wal
