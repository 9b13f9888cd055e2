// The log against crashes and damage, at random: every step of a small engine that appends, flushes,
// checkpoints, releases and recovers, with the power cut anywhere, again and again.

#include <algorithm>
#include <random>

#include "tests/support/seed.h"
#include "tests/unit/wal/log_test_util.h"
#include "wal/frame_format.h"

namespace keel::wal {
namespace {

// What an engine keeps in its superblock, and what it expects behind it.
struct Superblock {
  LogStart start;
  uint64_t incarnation = 1;
  uint64_t generation = 0;
  size_t first = 0;  // index of the first record behind the start
};

struct Record {
  std::string bytes;
  Lsn end;
};

LogWriterOptions RandomOptions(std::mt19937_64& random, MemoryFileSystem* disk) {
  LogWriterOptions options = SmallLog();
  options.block_bytes = random() % 4 == 0 ? 8192 : 4096;
  options.first_segment_bytes = (random() % 3 + 1) * (16 << 10);
  options.segment_bytes = options.first_segment_bytes << (random() % 2);
  options.buffer_bytes = (random() % 4 + 2) * 8192;
  if (random() % 3 == 0) {
    disk->set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(50));
  }
  return options;
}

class World {
 public:
  explicit World(uint64_t seed) : random_(seed), disk_(std::make_unique<MemoryFileSystem>()) {
    Recover();
    NameFreshLog();
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) Step();
  }

  MemoryFileSystem* disk() { return disk_.get(); }
  LogWriter* log() { return log_.get(); }
  const Superblock& superblock() const { return superblock_; }
  const std::vector<Record>& records() const { return records_; }
  std::mt19937_64& random() { return random_; }
  void CloseLog() { log_.reset(); }
  uint64_t crashes() const { return crashes_; }
  uint64_t torn() const { return torn_; }
  uint64_t lost() const { return lost_; }

  void Step() {
    const uint64_t choice = random_() % 100;
    if (choice < 55) {
      AppendSome();
    } else if (choice < 75) {
      FlushSome();
    } else if (choice < 80) {
      EXPECT_TRUE(log_->WriteIdleMark().ok());
    } else if (choice < 82) {
      EXPECT_TRUE(log_->ProbeFlushMethod().ok());
    } else if (choice < 92) {
      Checkpoint();
    } else {
      Crash();
    }
  }

 private:
  void AppendSome() {
    const size_t count = random_() % 5 + 1;
    std::vector<std::string> group;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t limit = random_() % 8 == 0 ? log_->max_record_bytes() : 600;
      std::string record = std::to_string(++number_) + ":";
      record.resize(std::min(log_->max_record_bytes(), record.size() + random_() % limit),
                    static_cast<char>('a' + number_ % 26));
      bytes += record.size();
      group.push_back(std::move(record));
    }
    ASSERT_TRUE(log_->Reserve(bytes, count).ok());
    for (std::string& record : group) {
      absl::StatusOr<Lsn> end = log_->Append(record);
      ASSERT_TRUE(end.ok()) << end.status();
      records_.push_back({std::move(record), *end});
    }
  }

  void FlushSome() {
    if (records_.empty()) return;
    const Record& record = records_[random_() % records_.size()];
    ASSERT_TRUE(log_->Flush(record.end).ok());
    NoteDurable();
  }

  void NoteDurable() {
    while (durable_ < records_.size() && records_[durable_].end <= log_->durable()) ++durable_;
  }

  // May stop after any of its steps, as in a crash.
  void Checkpoint() {
    NoteDurable();
    if (durable_ == superblock_.first) return;
    const size_t first = superblock_.first + 1 + random_() % (durable_ - superblock_.first);
    absl::StatusOr<LogStart> start = log_->StartAt(records_[first - 1].end);
    ASSERT_TRUE(start.ok()) << start.status();
    superblock_.start = *start;
    superblock_.first = first;
    ++superblock_.generation;
    if (random_() % 8 == 0) return Crash();
    log_->AnnounceGeneration(Generation{superblock_.generation});
    ASSERT_TRUE(log_->FlushGeneration().ok());
    if (random_() % 8 == 0) return Crash();
    ASSERT_TRUE(log_->Release(superblock_.start.lsn).ok());
  }

  void Crash() {
    ++crashes_;
    NoteDurable();
    const size_t appended = records_.size();
    const bool killed_only = random_() % 4 == 0;
    LoseLog(killed_only);
    // What was appended and not durable may be there or not; what is there is a prefix.
    const size_t found = Verify(durable_, appended);
    if (!killed_only) {
      records_.resize(found);
      durable_ = found;
    }
    Recover();
    while (random_() % 3 == 0) {  // crashes during recovery: the old log must be as it was
      LoseLog(false);
      const size_t again = Verify(durable_, killed_only ? appended : found);
      records_.resize(again);
      durable_ = again;
      Recover();
    }
    NameFreshLog();
  }

  void LoseLog(bool killed_only) {
    static constexpr CrashChoice kChoices[] = {CrashChoice::kRandom, CrashChoice::kTorn,
                                               CrashChoice::kNothing, CrashChoice::kEverything,
                                               CrashChoice::kRandom};
    auto after = killed_only ? disk_->Copy() : disk_->AfterCrash(random_, kChoices[random_() % 5]);
    log_.reset();
    disk_ = std::move(after);
  }

  size_t Verify(size_t at_least, size_t at_most) {
    LogReaderOptions options = ReadOptions(superblock_.incarnation, superblock_.generation);
    absl::StatusOr<ReadLog> read = ReadAll(disk_.get(), superblock_.start, options);
    EXPECT_TRUE(read.ok()) << read.status();
    if (!read.ok()) return at_least;
    const size_t found = superblock_.first + read->records.size();
    EXPECT_GE(found, at_least) << read->end.reason;
    EXPECT_LE(found, at_most);
    for (size_t i = superblock_.first; i < std::min(found, at_most); ++i) {
      EXPECT_EQ(read->records[i - superblock_.first], records_[i].bytes);
      EXPECT_EQ(read->ends[i - superblock_.first], records_[i].end);
    }
    EXPECT_EQ(read->end.last_record,
              read->ends.empty() ? superblock_.start.lsn : read->ends.back());
    if (read->end.torn) ++torn_;
    if (found < at_most) ++lost_;
    return found;
  }

  // Opening for writing: a new incarnation is made durable, then a fresh log is begun beside the old.
  void Recover() {
    ++superblock_.incarnation;
    fresh_salt_ = random_();
    absl::StatusOr<std::unique_ptr<LogWriter>> log =
        CreateLog(disk_.get(), RandomOptions(random_, disk_.get()),
                  Identity(superblock_.incarnation, fresh_salt_), superblock_.start.lsn);
    ASSERT_TRUE(log.ok()) << log.status();
    if (!records_.empty()) {
      EXPECT_GT((*log)->start().lsn, records_.back().end) << "an LSN was used twice";
    }
    log_ = *std::move(log);
    if (random_() % 2 == 0) {
      EXPECT_TRUE(Measure(log_.get()).ok());
    }
    if (random_() % 2 == 0) {
      EXPECT_TRUE(log_->WriteIdleMark().ok());
    }
  }

  // The checkpoint that ends recovery.
  void NameFreshLog() {
    if (HasFailure()) return;
    superblock_.start = log_->start();
    superblock_.first = 0;
    ++superblock_.generation;
    records_.clear();
    durable_ = 0;
    log_->AnnounceGeneration(Generation{superblock_.generation});
    if (random_() % 4 == 0) return;  // released by the next checkpoint
    ASSERT_TRUE(log_->FlushGeneration().ok());
    ASSERT_TRUE(log_->Release(superblock_.start.lsn).ok());
  }

  static bool HasFailure() { return ::testing::Test::HasFailure(); }

  std::mt19937_64 random_;
  std::unique_ptr<MemoryFileSystem> disk_;
  std::unique_ptr<LogWriter> log_;
  Superblock superblock_;
  std::vector<Record> records_;  // of the log in use, from its fresh start on
  size_t durable_ = 0;           // of these
  uint64_t number_ = 0;
  uint64_t fresh_salt_ = 0;
  uint64_t crashes_ = 0;
  uint64_t torn_ = 0;
  uint64_t lost_ = 0;
};

TEST(LogCrash, EveryCrashLeavesAnExactPrefix) {
  uint64_t crashes = 0;
  uint64_t torn = 0;
  uint64_t lost = 0;
  for (uint64_t i = 0; i < 30 && !HasFailure(); ++i) {
    SCOPED_TRACE("world " + std::to_string(i));
    World world(testing::TestSeed() + i);
    world.Run(250);
    crashes += world.crashes();
    torn += world.torn();
    lost += world.lost();
  }
  // Sometimes: each kind of ending was met.
  EXPECT_GT(crashes, 100u);
  EXPECT_GT(torn, 5u);
  EXPECT_GT(lost, 5u);
}

// Ways in which one block rots.
void Damage(std::vector<std::byte>* bytes, size_t block, std::mt19937_64& random) {
  const auto begin = bytes->begin() + static_cast<ptrdiff_t>(block * 4096);
  switch (random() % 4) {
    case 0:
      *(begin + static_cast<ptrdiff_t>(random() % 4096)) ^= std::byte{1};
      break;
    case 1:
      *(begin + static_cast<ptrdiff_t>(random() % 136)) ^= std::byte{0x40};
      break;
    case 2:
      std::fill(begin, begin + 4096, std::byte{0});
      break;
    default: {
      const size_t other = random() % (bytes->size() / 4096);
      const std::vector<std::byte> copy(
          bytes->begin() + static_cast<ptrdiff_t>(other * 4096),
          bytes->begin() + static_cast<ptrdiff_t>(other * 4096 + 4096));
      std::copy(copy.begin(), copy.end(), begin);
    }
  }
}

// Whatever single block rots: what a mark on disk proves to have been durable is read or its loss is
// told, never passed over.
TEST(LogCrash, DamageOfAnyBlockIsNeverASilentLoss) {
  uint64_t refused = 0;
  uint64_t harmless = 0;
  // So many that some damage matters: of ten, with seed 3046040065181424595, hardly any did.
  for (uint64_t i = 0; i < 20 && !HasFailure(); ++i) {
    SCOPED_TRACE("world " + std::to_string(i));
    World world(testing::TestSeed() + 1000 + i);
    world.Run(150);
    if (world.random()() % 2 == 0) {
      ASSERT_TRUE(world.log()->Flush(world.log()->end()).ok());
      ASSERT_TRUE(world.log()->WriteIdleMark().ok());
    }
    world.CloseLog();
    const Superblock superblock = world.superblock();
    const auto options = ReadOptions(superblock.incarnation, superblock.generation);
    const auto whole = ReadAll(world.disk(), superblock.start, options);
    ASSERT_TRUE(whole.ok()) << whole.status();
    const auto proven = static_cast<size_t>(std::ranges::count_if(
        whole->ends, [&](Lsn end) { return end <= whole->end.durable_mark; }));

    for (const auto& path : world.disk()->Paths()) {
      const size_t blocks = world.disk()->Bytes(path).size() / 4096;
      for (size_t block = 0; block < blocks; ++block) {
        auto damaged = world.disk()->Copy();
        Damage(&damaged->Bytes(path), block, world.random());
        const auto read = ReadAll(damaged.get(), superblock.start, options);
        if (!read.ok()) {
          EXPECT_THAT(read.status(), IsStatus(absl::StatusCode::kDataLoss));
          ++refused;
          continue;
        }
        ++harmless;
        ASSERT_GE(read->records.size(), proven) << path << " block " << block;
        for (size_t r = 0; r < read->records.size(); ++r) {
          ASSERT_EQ(read->records[r], whole->records[r]);
        }
      }
    }
  }
  EXPECT_GT(refused, 5u);
  EXPECT_GT(harmless, 50u);
}

// With the idle mark on disk nothing at all may go missing in silence, not even the last commit.
TEST(LogCrash, DamageOfAnIdleLogIsAlwaysTold) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const LogStart start = log->start();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Commit(log.get(), std::string(3000, 'a')).ok());
  ASSERT_TRUE(log->WriteIdleMark().ok());
  log.reset();
  std::mt19937_64 random(testing::TestSeed());
  for (const auto& path : disk.Paths()) {
    for (size_t block = 0; block < disk.Bytes(path).size() / 4096; ++block) {
      auto damaged = disk.Copy();
      Damage(&damaged->Bytes(path), block, random);
      const auto read = ReadAll(damaged.get(), start);
      if (read.ok()) {
        EXPECT_EQ(read->records.size(), 20u) << path << " block " << block;
      }
    }
  }
}

// A crash in the middle of everything, over and over, must not eat the disk (finding 4 f).
TEST(LogCrash, CrashLoopDuringRecoveryUsesNoFurtherFiles) {
  auto disk = std::make_unique<MemoryFileSystem>();
  LogStart start;
  {
    auto log = NewLog(disk.get());
    start = log->start();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Commit(log.get(), std::string(3000, 'a')).ok());
  }
  const auto before = ReadAll(disk.get(), start);
  ASSERT_TRUE(before.ok());
  std::mt19937_64 random(testing::TestSeed());
  size_t files = 0;
  for (uint64_t i = 0; i < 30; ++i) {
    {
      auto log = NewLog(disk.get(), SmallLog(), Identity(2 + i, 100 + i), start.lsn);
      ASSERT_NE(log, nullptr);
      ASSERT_TRUE(log->WriteIdleMark().ok());
    }
    disk = disk->AfterCrash(random);
    if (i == 2) files = disk->Paths().size();
    const auto read = ReadAll(disk.get(), start, ReadOptions(2 + i));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->records, before->records);
  }
  EXPECT_LE(disk->Paths().size(), files + 1);
}

// Unknown commits: after a failed sync any of the doubtful bytes may be there; a prefix is read.
TEST(LogCrash, FailedSyncThenCrashLeavesAPrefix) {
  for (uint64_t i = 0; i < 60; ++i) {
    std::mt19937_64 random(testing::TestSeed() + i);
    MemoryFileSystem disk;
    auto log = NewLog(&disk);
    const LogStart start = log->start();
    uint64_t left = random() % 20;
    disk.set_fault([&left](const Call& call) {
      const bool fails = call.kind == Call::Kind::kSync && left-- == 0;
      return fails ? absl::UnavailableError("injected sync error") : absl::OkStatus();
    });
    std::vector<std::string> records;
    size_t acknowledged = 0;
    for (int n = 0; n < 40; ++n) {
      std::string record(random() % 3000, static_cast<char>('a' + n % 26));
      const auto lsn = AppendOne(log.get(), record);
      if (!lsn.ok()) break;
      records.push_back(std::move(record));
      if (log->Flush(*lsn).ok()) acknowledged = records.size();
    }
    log.reset();
    auto after = disk.AfterCrash(random);
    const auto read = ReadAll(after.get(), start);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_GE(read->records.size(), acknowledged);
    ASSERT_LE(read->records.size(), records.size());
    for (size_t r = 0; r < read->records.size(); ++r) ASSERT_EQ(read->records[r], records[r]);
  }
}

}  // namespace
}  // namespace keel::wal
