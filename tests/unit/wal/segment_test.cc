// Segment files come into being safely, and the pool never hands out what may be needed.

#include "wal/segment.h"

#include <algorithm>

#include "tests/unit/wal/log_test_util.h"
#include "wal/segment_pool.h"

namespace keel::wal {
namespace {

using absl::StatusCode;

constexpr uint64_t kBytes = 32 << 10;

SegmentPoolOptions Options() {
  SegmentPoolOptions options;
  options.database = kDatabase;
  options.segment_bytes = 4 * kBytes;
  options.first_segment_bytes = kBytes;
  options.segment_bytes_min = 4 * kLogBlockBytes;
  return options;
}

std::unique_ptr<SegmentPool> OpenPool(MemoryFileSystem* disk, Lsn keep_from = Lsn{kLsnMax}) {
  disk->CreateDirectory(kLogDirectory).IgnoreError();
  auto pool = SegmentPool::Open(disk, kLogDirectory, keep_from, Options());
  EXPECT_TRUE(pool.ok()) << pool.status();
  return *std::move(pool);
}

// Finding 32: zeros, sync, directory, header, sync; only then is it in the pool.
TEST(Segment, R10IsInThePoolOnlyOnceDurable) {
  MemoryFileSystem disk;
  auto pool = OpenPool(&disk);
  ASSERT_TRUE(pool->MakeSpares(1).ok());
  std::vector<Call::Kind> kinds;
  uint64_t zeroed = 0;
  for (const Call& call : disk.TakeCalls()) {
    if (call.kind == Call::Kind::kWrite) zeroed += call.bytes;
    if (kinds.empty() || kinds.back() != call.kind) kinds.push_back(call.kind);
  }
  EXPECT_EQ(zeroed, kBytes + kLogBlockBytes);
  using Kind = Call::Kind;
  EXPECT_THAT(kinds, testing::ElementsAre(Kind::kOpen, Kind::kTruncate, Kind::kWrite, Kind::kSync,
                                          Kind::kSyncDirectory, Kind::kWrite, Kind::kSync));
  std::mt19937_64 random(1);
  auto after = disk.AfterCrash(random, CrashChoice::kNothing);
  EXPECT_EQ(OpenPool(after.get())->spares(), 1u);
}

// Whatever step of the making fails, the pool goes on, and the next attempt succeeds.
TEST(Segment, HalfMadeFileNeverBreaksAnything) {
  for (int fail_at = 0; fail_at < 12; ++fail_at) {
    MemoryFileSystem disk;
    auto pool = OpenPool(&disk);
    ASSERT_TRUE(pool->MakeSpares(1).ok());
    int call_number = 0;
    disk.set_fault([&](const Call& call) {
      const bool fails = call.kind != Call::Kind::kRead && call_number++ == fail_at;
      return fails ? absl::ResourceExhaustedError("injected: no space") : absl::OkStatus();
    });
    const absl::Status status = pool->MakeSpares(2);
    EXPECT_EQ(pool->spares(), status.ok() ? 2u : 1u);
    disk.set_fault(nullptr);
    EXPECT_TRUE(pool->MakeSpares(2).ok()) << fail_at;
    EXPECT_EQ(pool->counts().files, 2u);
    EXPECT_EQ(disk.Paths().size(), 2u);
  }
}

// A crash in the middle of the making leaves anything; the file is recognised and made anew.
TEST(Segment, HalfMadeFileAfterACrashIsMadeAnew) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    MemoryFileSystem disk;
    auto pool = OpenPool(&disk);
    ASSERT_TRUE(pool->MakeSpares(1).ok());
    int left = static_cast<int>(random() % 8);
    std::unique_ptr<MemoryFileSystem> after;
    disk.set_fault([&](const Call&) {
      return left-- <= 0 ? absl::UnavailableError("the power is gone") : absl::OkStatus();
    });
    pool->MakeSpares(2).IgnoreError();
    after = disk.AfterCrash(random, CrashChoice::kTorn);
    auto again = OpenPool(after.get());
    EXPECT_GE(again->spares(), 1u);
    ASSERT_TRUE(again->MakeSpares(3).ok());
    EXPECT_EQ(after->Paths().size(), 3u);
  }
}

TEST(Segment, FullDiskIsResourceExhausted) {
  MemoryFileSystem disk;
  auto pool = OpenPool(&disk);
  disk.set_capacity(2 * kBytes);
  EXPECT_THAT(pool->MakeSpares(3), IsStatus(StatusCode::kResourceExhausted));
  EXPECT_EQ(pool->spares(), 2u);
  disk.set_capacity(3 * kBytes);
  EXPECT_TRUE(pool->MakeSpares(3).ok());
}

TEST(Segment, SizesDoubleUpToTheLimit) {
  MemoryFileSystem disk;
  auto pool = OpenPool(&disk);
  ASSERT_TRUE(pool->MakeSpares(6).ok());
  std::vector<uint64_t> sizes;
  for (const auto& path : disk.Paths()) sizes.push_back(disk.Bytes(path).size() / kBytes);
  EXPECT_THAT(sizes, testing::ElementsAre(1u, 1u, 1u, 2u, 4u, 4u));
}

TEST(SegmentPool, P1HeldSegmentsAreNotHandedOut) {
  MemoryFileSystem disk;
  auto pool = OpenPool(&disk);
  Segment* const first = *pool->Take();
  first->begin = Lsn{1000};
  first->end = Lsn{2000};
  pool->Hold(first);
  ASSERT_TRUE(pool->MakeSpares(1).ok());
  EXPECT_NE(*pool->Take(), first);
  pool->Release(Lsn{1999});
  EXPECT_EQ(pool->spares(), 0u);
  pool->Release(Lsn{2000});
  EXPECT_EQ(*pool->Take(), first);
}

// Whoever makes it is killed before its name is durable: the file is there all the same, and is not in the pool.
TEST(SegmentPool, P4AFileIsInThePoolOnlyOnceItsNameIsDurable) {
  MemoryFileSystem disk;
  auto pool = OpenPool(&disk);
  bool killed = false;
  disk.set_fault([&killed](const Call& call) {
    killed |= call.kind == Call::Kind::kSyncDirectory;
    return killed ? absl::UnavailableError("killed") : absl::OkStatus();
  });
  EXPECT_FALSE(pool->MakeSpares(1).ok());
  disk.set_fault(nullptr);
  pool.reset();
  ASSERT_EQ(disk.Paths().size(), 1u);
  ASSERT_EQ(disk.Bytes(disk.Paths().front()).size(), kBytes);
  pool = OpenPool(&disk);
  EXPECT_EQ(pool->spares(), 0u);
  ASSERT_TRUE(pool->MakeSpares(1).ok());
  EXPECT_EQ(disk.Paths().size(), 1u);
}

// What looks like a frame of another database lies in somebody's value.
TEST(SegmentPool, AValueThatHoldsAFrameOfAnotherDatabaseIsNobodysBusiness) {
  const std::filesystem::path first = std::filesystem::path(kLogDirectory) / "segment-0001";
  std::vector<std::byte> foreign;
  {
    MemoryFileSystem other;
    other.CreateDirectory(kLogDirectory).IgnoreError();
    auto log = LogWriter::Create(&other, kLogDirectory, {DatabaseId{7, 7}, 1, 1}, Lsn{1 << 20},
                                 Lsn{kLsnMax}, SmallLog());
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE(Commit(log->get(), "foreign").ok());
    log->reset();
    const std::vector<std::byte>& bytes = other.Bytes(first);
    foreign.assign(bytes.begin() + kLogBlockBytes, bytes.begin() + 2 * kLogBlockBytes);
  }
  MemoryFileSystem disk;
  ASSERT_TRUE(OpenPool(&disk)->MakeSpares(1).ok());
  std::ranges::copy(foreign, disk.Bytes(first).begin() + 3 * kLogBlockBytes);
  const auto pool = SegmentPool::Open(&disk, kLogDirectory, Lsn{kLsnMax}, Options());
  EXPECT_TRUE(pool.ok()) << pool.status();
}

// Without its header, and with nothing but another database's frames, it is that one's file.
TEST(SegmentPool, AFileWithNothingButFramesOfAnotherDatabaseIsRefused) {
  MemoryFileSystem disk;
  ASSERT_TRUE(Commit(NewLog(&disk).get(), "theirs").ok());
  disk.Bytes(std::filesystem::path(kLogDirectory) / "segment-0001")[30] ^= std::byte{1};
  SegmentPoolOptions mine = Options();
  mine.database = DatabaseId{7, 7};
  for (const auto& path : disk.Paths()) {
    if (path.filename() == "segment-0001") continue;
    ASSERT_TRUE(disk.Remove(path).ok());
  }
  EXPECT_THAT(SegmentPool::Open(&disk, kLogDirectory, Lsn{kLsnMax}, mine).status(),
              IsStatus(StatusCode::kFailedPrecondition));
}

// Segments of the kept log stay, those of a fresh log that no superblock ever named do not.
TEST(SegmentPool, P1OldLogIsHeldAndAbandonedFreshLogIsNot) {
  MemoryFileSystem disk;
  LogStart start;
  {
    auto log = NewLog(&disk);
    start = log->start();
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(Commit(log.get(), std::string(3000, 'a')).ok());
  }
  NewLog(&disk, SmallLog(), Identity(2, 2), start.lsn);
  auto pool = OpenPool(&disk, start.lsn);
  const SegmentPoolCounts counts = pool->counts();
  EXPECT_EQ(counts.files - counts.spares, 2u);
}

// A crash lost the header of a segment's new use and kept its frames, which a reader believes: the file
// still shows the header of an earlier use, or of none. A fresh log must not be begun in it.
TEST(SegmentPool, P1FramesCountForMoreThanAnOlderHeader) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes;  // so that the first spare is taken
  LogStart start;
  const std::filesystem::path second = std::filesystem::path(kLogDirectory) / "segment-0002";
  std::vector<std::byte> unused;
  {
    auto log = NewLog(&disk, options);
    start = log->start();
    unused = disk.Bytes(second);
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(Commit(log.get(), std::string(3000, 'a')).ok());
  }
  std::copy_n(unused.begin(), kLogBlockBytes, disk.Bytes(second).begin());
  ASSERT_EQ(ReadAll(&disk, start)->records.size(), 8u);
  for (uint64_t i = 0; i < 4; ++i) {
    auto fresh = NewLog(&disk, options, Identity(2 + i, 2 + i), start.lsn);
    ASSERT_TRUE(Commit(fresh.get(), "not yet named").ok());
    fresh.reset();
    const auto read = ReadAll(&disk, start, ReadOptions(2 + i));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->records.size(), 8u);
  }
}

// P2: damaged headers do not let an LSN or a segment number come twice.
TEST(SegmentPool, P2NumbersAreBeyondThoseOfDamagedFiles) {
  MemoryFileSystem disk;
  Lsn end;
  {
    auto log = NewLog(&disk);
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(Commit(log.get(), std::string(3000, 'a')).ok());
    end = log->end();
  }
  const uint64_t number = OpenPool(&disk)->last_number_at_open();
  for (const auto& path : disk.Paths()) disk.Bytes(path)[20] ^= std::byte{1};
  auto pool = OpenPool(&disk, Lsn{1});
  EXPECT_GT(pool->end_at_open(), end);
  EXPECT_GE(pool->last_number_at_open(), number);
  for (const auto& path : disk.Paths()) {
    auto& bytes = disk.Bytes(path);
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
  }
  pool.reset();
  EXPECT_GE(OpenPool(&disk)->last_number_at_open(), number);
}

}  // namespace
}  // namespace keel::wal
