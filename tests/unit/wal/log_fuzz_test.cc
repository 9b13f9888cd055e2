// Mutated log files, with and without checksums made right again: nothing crashes, hangs or reads past
// its bytes, and what is read is never longer or other than what the checksums vouch for.

#include <algorithm>
#include <cstring>
#include <random>

#include "base/codec.h"
#include "tests/support/seed.h"
#include "tests/unit/wal/log_test_util.h"
#include "wal/describe.h"
#include "wal/frame_format.h"

namespace keel::wal {
namespace {

// Values that break arithmetic.
uint64_t Nasty(std::mt19937_64& random) {
  static constexpr uint64_t kValues[] = {
      0,          1,          127,         128,     4095,        4096,         4097,
      0x7fffffff, 0xffffffff, 0x100000000, kLsnMax, kLsnMax + 1, ~uint64_t{0}, ~uint64_t{4095}};
  return random() % 3 == 0 ? random() : kValues[random() % std::size(kValues)];
}

void MutateHeader(std::span<std::byte> frame, std::mt19937_64& random) {
  static constexpr struct {
    size_t offset;
    size_t size;
  } kFields[] = {{16, 2}, {18, 2}, {20, 4}, {24, 4}, {28, 4}, {32, 8}, {40, 8},
                 {48, 8}, {64, 8}, {72, 8}, {80, 8}, {88, 8}, {96, 8}, {104, 4}};
  const auto field = kFields[random() % std::size(kFields)];
  const uint64_t value = Nasty(random);
  std::memcpy(frame.data() + field.offset, &value, field.size);
}

void Reseal(std::vector<std::byte>* bytes, size_t at) {
  const FrameHeader header = LoadFrameHeader(std::span(*bytes).subspan(at));
  const size_t left = bytes->size() - at;
  if (header.padded_bytes < kLogBlockBytes || header.padded_bytes > left) return;
  SealFrame(header, std::span(*bytes).subspan(at, header.padded_bytes));
}

void ResealSegment(std::vector<std::byte>* bytes) {
  SegmentHeader header;
  std::memcpy(&header, bytes->data(), sizeof(header));
  SealSegmentHeader(header, std::span(*bytes).first(4096));
}

void Mutate(std::vector<std::byte>* bytes, std::mt19937_64& random) {
  if (bytes->size() < 4096) return;
  const size_t blocks = bytes->size() / 4096;
  const size_t at = random() % blocks * 4096;
  switch (random() % 8) {
    case 0:
      (*bytes)[random() % bytes->size()] = static_cast<std::byte>(random());
      break;
    case 1:
      MutateHeader(std::span(*bytes).subspan(at), random);
      break;
    case 2:
    case 3:
      MutateHeader(std::span(*bytes).subspan(at), random);
      Reseal(bytes, at);
      break;
    case 4:  // a record's length
      (*bytes)[at + kFrameHeaderBytes + random() % 64] = static_cast<std::byte>(random());
      Reseal(bytes, at);
      break;
    case 5:
      MutateHeader(std::span(*bytes).first(4096), random);
      ResealSegment(bytes);
      break;
    case 6:
      bytes->resize(random() % (bytes->size() + 1));
      break;
    default:
      std::memcpy(bytes->data() + random() % blocks * 4096, bytes->data() + at, 0);
      std::copy_n(bytes->begin() + static_cast<ptrdiff_t>(at), 4096,
                  bytes->begin() + static_cast<ptrdiff_t>(random() % blocks * 4096));
  }
}

void ReadEveryWay(MemoryFileSystem* disk, const LogStart& start, std::mt19937_64& random) {
  LogReaderOptions options =
      ReadOptions(random() % 2 == 0 ? 1 : ~uint64_t{0}, random() % 2 == 0 ? 0 : ~uint64_t{0});
  options.clean = random() % 8 == 0;
  options.unreadable_as_torn = random() % 2 == 0;
  const auto read = ReadAll(disk, start, options);
  if (!read.ok()) {
    EXPECT_THAT(read.status(), IsStatus(absl::StatusCode::kDataLoss));
  }
  for (const auto& path : disk->Paths()) {
    auto file = disk->Open(path, {.read_only = true});
    ASSERT_TRUE(file.ok());
    uint64_t told = 4096;
    auto segment = DescribeSegment(file->get(), [&](const PieceDescription& piece) {
      EXPECT_EQ(piece.offset, told);
      told += piece.bytes;
      EXPECT_FALSE(PieceText(piece).empty());
      RecordWalker records(Lsn{piece.header.lsn}, piece.payload);
      while (records.Next()) {
      }
      return true;
    });
    ASSERT_TRUE(segment.ok()) << segment.status();
    EXPECT_LE(told, std::max<uint64_t>(segment->file_bytes, 4096));
  }
}

TEST(LogFuzz, MutatedFilesNeverCrash) {
  std::mt19937_64 random(testing::TestSeed());
  MemoryFileSystem disk;
  LogStart start;
  LogStart later;
  {
    auto log = NewLog(&disk);
    start = log->start();
    for (int i = 0; i < 25; ++i) {
      ASSERT_TRUE(AppendOne(log.get(), std::string(random() % 2500, 'a')).ok());
      if (i % 3 == 0) {
        ASSERT_TRUE(log->Flush(log->end()).ok());
      }
      if (i == 12) {
        ASSERT_TRUE(log->Flush(log->end()).ok());
        later = *log->StartAt(log->end());
      }
    }
    ASSERT_TRUE(log->Flush(log->end()).ok());
  }
  for (int round = 0; round < 600 && !HasFailure(); ++round) {
    auto copy = disk.Copy();
    const auto paths = copy->Paths();
    for (uint64_t n = random() % 5 + 1; n > 0; --n) {
      Mutate(&copy->Bytes(paths[random() % paths.size()]), random);
    }
    LogStart from = random() % 3 == 0 ? later : start;
    if (random() % 8 == 0) from.lsn = Lsn{Nasty(random)};
    if (random() % 8 == 0) from.chain = Nasty(random);
    ReadEveryWay(copy.get(), from, random);
    // A fresh log can be begun beside whatever is there, or it says why not.
    auto log = CreateLog(copy.get(), SmallLog(), Identity(2, 9), from.lsn);
    if (log.ok()) {
      EXPECT_TRUE(Commit(log->get(), "on top").ok());
    } else {
      EXPECT_TRUE(absl::IsFailedPrecondition(log.status()) || absl::IsDataLoss(log.status()) ||
                  absl::IsResourceExhausted(log.status()))
          << log.status();
    }
  }
}

}  // namespace
}  // namespace keel::wal
