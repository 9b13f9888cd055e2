// The writer's invariants, L1 to L6, each by name; group commit; failures.

#include "wal/log_writer.h"

#include <atomic>
#include <set>
#include <thread>

#include "tests/unit/wal/log_test_util.h"
#include "wal/frame_format.h"

namespace keel::wal {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LogWriter, RecordsComeBackInOrder) {
  MemoryFileSystem disk;
  LogStart start;
  {
    auto log = NewLog(&disk);
    start = log->start();
    EXPECT_EQ(log->end(), start.lsn);
    ASSERT_TRUE(Commit(log.get(), "first").ok());
    ASSERT_TRUE(AppendOne(log.get(), "").ok());
    ASSERT_TRUE(Commit(log.get(), "third").ok());
    EXPECT_EQ(log->durable(), log->end());
  }
  auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("first", "", "third"));
  EXPECT_FALSE(read->end.torn);
  EXPECT_EQ(read->end.frames, 2u);
}

TEST(LogWriter, AppendTellsThePositionThatTheReaderReports) {
  MemoryFileSystem disk;
  std::vector<Lsn> ends;
  LogStart start;
  {
    auto log = NewLog(&disk);
    start = log->start();
    for (int i = 0; i < 200; ++i) {
      auto lsn = AppendOne(log.get(), std::string(static_cast<size_t>(i * 7), 'x'));
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      ends.push_back(*lsn);
      if (i % 9 == 0) {
        ASSERT_TRUE(log->Flush(*lsn).ok());
      }
    }
    ASSERT_TRUE(log->Flush(log->end()).ok());
    EXPECT_GT(log->stats().segments, 4u);
  }
  auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ends, ends);
}

TEST(LogWriter, LargestRecordFitsAnyNumberOfTimes) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const LogStart start = log->start();
  const std::string record(log->max_record_bytes(), 'r');
  ASSERT_TRUE(log->Reserve(40 * record.size(), 40).ok());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(log->Append(record).ok());
  ASSERT_TRUE(log->Flush(log->end()).ok());
  log.reset();
  auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records.size(), 40u);
}

// L1: a byte that was acknowledged is never written again, but by the next use of a released file.
TEST(LogWriter, L1AcknowledgedBytesAreNeverWrittenAgain) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  disk.TakeCalls();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Commit(log.get(), std::string(900, 'a')).ok());
  std::set<std::pair<std::string, uint64_t>> written;
  for (const Call& call : disk.TakeCalls()) {
    if (call.kind != Call::Kind::kWrite) continue;
    if (call.bytes > 16384 || call.purpose != io::SyncPurpose::kLogFlush) continue;
    for (uint64_t at = call.offset; at < call.offset + call.bytes; at += 4096) {
      // The making of spares writes zeros and a header first.
      if (at == 0) continue;
      EXPECT_TRUE(written.insert({call.name, at}).second) << call.name << " " << at;
    }
  }
  EXPECT_GE(written.size(), 100u);
}

// L3: the first block of the next segment is written only after the last flush of this one was synced.
TEST(LogWriter, L3NextSegmentIsBegunOnlyAfterTheSyncOfThisOne) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes;
  auto log = NewLog(&disk, options);
  ASSERT_TRUE(AppendOne(log.get(), "x").ok());
  disk.TakeCalls();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(AppendOne(log.get(), std::string(3000, 'a')).ok());
  ASSERT_TRUE(log->Flush(log->end()).ok());

  std::set<std::string> unsynced;
  int switches = 0;
  std::string current;
  for (const Call& call : disk.TakeCalls()) {
    if (call.kind == Call::Kind::kSync) unsynced.erase(call.name);
    if (call.kind != Call::Kind::kWrite) continue;
    if (call.bytes == options.segment_bytes) continue;     // zeros of a spare
    if (call.offset == 0 && call.bytes == 4096) continue;  // its first header
    unsynced.insert(call.name);
    EXPECT_EQ(unsynced.size(), 1u) << "two segments with unsynced writes";
    if (call.name != current) ++switches;
    current = call.name;
  }
  EXPECT_GT(switches, 3);
}

// L4: a failed write is repeated at the same place with the same bytes, with growing pauses.
TEST(LogWriter, L4FailedWriteIsRepeatedAtTheSamePlace) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const LogStart start = log->start();
  disk.TakeCalls();
  int failures = 4;
  disk.set_fault([&failures](const Call& call) {
    if (call.kind != Call::Kind::kWrite || failures == 0) return absl::OkStatus();
    --failures;
    return absl::UnavailableError("injected write error");
  });
  ASSERT_TRUE(Commit(log.get(), "kept").ok());
  EXPECT_EQ(log->stats().write_retries, 4u);
  EXPECT_GE(disk.slept(), absl::Milliseconds(1 + 2 + 4 + 8));
  std::set<uint64_t> places;
  for (const Call& call : disk.TakeCalls()) {
    if (call.kind == Call::Kind::kWrite) places.insert(call.offset);
  }
  EXPECT_EQ(places.size(), 1u);
  log.reset();
  auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read->records, ElementsAre("kept"));
}

TEST(LogWriter, L4WriteThatKeepsFailingStopsTheLog) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  ASSERT_TRUE(Commit(log.get(), "kept").ok());
  const Lsn kept = log->end();
  int attempts = 0;
  disk.set_fault([&attempts](const Call& call) {
    if (call.kind != Call::Kind::kWrite) return absl::OkStatus();
    ++attempts;
    return absl::UnavailableError("injected write error");
  });
  auto handed = AppendOne(log.get(), "handed over");
  ASSERT_TRUE(handed.ok());
  EXPECT_THAT(log->Flush(*handed), IsStatus(StatusCode::kUnknown));
  EXPECT_EQ(attempts, 5);
  disk.set_fault(nullptr);
  EXPECT_THAT(log->failure(), IsStatus(StatusCode::kUnavailable));
  EXPECT_THAT(log->failure().ToString(), HasSubstr("injected write error"));
  EXPECT_THAT(log->Reserve(1, 1), IsStatus(StatusCode::kUnavailable));
  EXPECT_THAT(log->Append("no").status(), IsStatus(StatusCode::kUnavailable));
  EXPECT_THAT(log->WriteIdleMark(), IsStatus(StatusCode::kUnavailable));
  EXPECT_THAT(log->FlushGeneration(), IsStatus(StatusCode::kUnavailable));
  EXPECT_THAT(log->Flush(*handed), IsStatus(StatusCode::kUnknown));
  EXPECT_TRUE(log->Flush(kept).ok());
  EXPECT_EQ(log->durable(), kept);
}

// What broke: positions wrapped, or came to where no reader believes them.
TEST(LogWriter, ALogDoesNotGoOnBeyondWhatPositionsCanBe) {
  for (const uint64_t floor : {kLsnMax / 2, kLsnMax, UINT64_MAX}) {
    MemoryFileSystem disk;
    const auto log = CreateLog(&disk, SmallLog(), Identity(), Lsn{kLsnMax}, Lsn{floor});
    EXPECT_THAT(log.status(), IsStatus(StatusCode::kDataLoss));
    EXPECT_TRUE(disk.Paths().empty());
  }
}

// A database may be closed cleanly right behind it, and the next open believes the headers.
TEST(LogWriter, AnIdleMarkThatBeginsASegmentIsSynced) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  ASSERT_TRUE(Commit(log.get(), "so that the last block of a segment is a commit's").ok());
  int begun = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Commit(log.get(), "a block").ok());
    disk.TakeCalls();
    ASSERT_TRUE(log->WriteIdleMark().ok());
    const std::vector<Call> calls = disk.TakeCalls();
    ASSERT_FALSE(calls.empty());
    const bool begins_one = calls.front().offset == 0;
    begun += begins_one ? 1 : 0;
    EXPECT_EQ(calls.back().kind, begins_one ? Call::Kind::kSync : Call::Kind::kWrite);
  }
  EXPECT_GT(begun, 1);
}

TEST(LogWriter, L4FailedSyncIsNeverRepeated) {
  for (const auto method : {io::FlushMethod::kWriteThenSync, io::FlushMethod::kDataSyncWrite}) {
    MemoryFileSystem disk;
    if (method == io::FlushMethod::kDataSyncWrite) {
      disk.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
      disk.set_flush_time(method, absl::Microseconds(10));
    }
    auto log = NewLog(&disk);
    ASSERT_TRUE(Measure(log.get()).ok());
    ASSERT_EQ(log->stats().flush_method, method);
    int syncs = 0;
    disk.set_fault([&syncs](const Call& call) {
      const bool sync = call.kind == Call::Kind::kSync || call.data_sync;
      return sync && syncs++ == 0 ? absl::UnavailableError("injected sync error")
                                  : absl::OkStatus();
    });
    auto lsn = AppendOne(log.get(), "in doubt");
    EXPECT_THAT(log->Flush(*lsn), IsStatus(StatusCode::kUnknown));
    EXPECT_THAT(log->Flush(*lsn), IsStatus(StatusCode::kUnknown));
    EXPECT_THAT(AppendOne(log.get(), "later").status(), IsStatus(StatusCode::kUnavailable));
    EXPECT_EQ(syncs, 1);
    EXPECT_LT(log->durable(), *lsn);
  }
}

// A record that was appended but never handed over is certainly absent: Unavailable, not Unknown.
TEST(LogWriter, RecordsBehindTheFailedFlushAreUnavailable) {
  MemoryFileSystem disk;
  disk.set_sync_time(absl::Milliseconds(50));
  auto log = NewLog(&disk);
  std::atomic<bool> armed = true;
  std::atomic<bool> reached = false;
  disk.set_fault([&](const Call& call) {
    if (call.kind != Call::Kind::kSync || !armed) return absl::OkStatus();
    reached = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return absl::UnavailableError("injected sync error");
  });
  auto first = AppendOne(log.get(), "handed over");
  std::thread leader([&] { EXPECT_THAT(log->Flush(*first), IsStatus(StatusCode::kUnknown)); });
  // The fault sleeps with the disk's lock held, but takes no lock of the log.
  while (!reached) std::this_thread::yield();
  auto second = log->Append("not handed over");
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(log->Flush(*second), IsStatus(StatusCode::kUnavailable));
  leader.join();
}

// L5: a full disk is noticed by Reserve, and only once no spare is left for records.
TEST(LogWriter, L5FullDiskIsNoticedByReserveAndPasses) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes;
  auto log = NewLog(&disk, options);
  const LogStart start = log->start();
  ASSERT_EQ(log->stats().spare_segments, 2u);
  disk.set_capacity(log->stats().segment_bytes);
  int committed = 0;
  absl::Status status;
  while (status.ok()) {
    status = Commit(log.get(), std::string(3000, 'c')).status();
    if (status.ok()) ++committed;
  }
  EXPECT_THAT(status, IsStatus(StatusCode::kResourceExhausted));
  EXPECT_TRUE(log->failure().ok());
  EXPECT_GE(committed, 12);
  // A checkpoint goes through: it takes the last spare if it must.
  for (uint64_t g = 1; g < 7; ++g) {
    log->AnnounceGeneration(Generation{g});
    ASSERT_TRUE(log->FlushGeneration().ok());
  }
  EXPECT_THAT(log->Reserve(3000, 1), IsStatus(StatusCode::kResourceExhausted));
  auto from = log->StartAt(log->end());
  ASSERT_TRUE(from.ok()) << from.status();
  ASSERT_TRUE(log->Release(from->lsn).ok());
  EXPECT_TRUE(Commit(log.get(), "room again").ok());
  log.reset();
  auto read = ReadAll(&disk, *from, ReadOptions(1, 6));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("room again"));
  EXPECT_NE(from->lsn, start.lsn);
}

// L6: without a durable frame that carries the announced generation nothing is released.
TEST(LogWriter, L6ReleaseNeedsAFlushThatCarriesTheGeneration) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  ASSERT_TRUE(Commit(log.get(), "a").ok());
  log->AnnounceGeneration(Generation{7});
  EXPECT_THAT(log->Release(log->end()), IsStatus(StatusCode::kFailedPrecondition));
  ASSERT_TRUE(log->FlushGeneration().ok());
  EXPECT_TRUE(log->Release(log->end()).ok());
  const LogStart start = log->start();
  log.reset();
  EXPECT_THAT(ReadAll(&disk, start, ReadOptions(1, 6)).status(), IsStatus(StatusCode::kDataLoss));
  EXPECT_TRUE(ReadAll(&disk, start, ReadOptions(1, 7)).ok());
}

TEST(LogWriter, FlushThatCarriesRecordsCarriesTheGenerationToo) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  log->AnnounceGeneration(Generation{3});
  ASSERT_TRUE(Commit(log.get(), "a").ok());
  const uint64_t frames = log->stats().frames;
  ASSERT_TRUE(log->FlushGeneration().ok());
  EXPECT_EQ(log->stats().frames, frames);
}

// R9, R11: held segments are not written to, released ones are.
TEST(LogWriter, SegmentsAreUsedAgainOnlyOnceReleased) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes;
  auto log = NewLog(&disk, options);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Commit(log.get(), std::string(2000, 'a')).ok());
  const uint64_t files = log->stats().segments;
  EXPECT_GE(files, 7u);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(log->Release(log->StartAt(log->end())->lsn).ok());
    for (int k = 0; k < 10; ++k) ASSERT_TRUE(Commit(log.get(), std::string(2000, 'b')).ok());
  }
  EXPECT_EQ(log->stats().segments, files);
}

// A log that begins while an older one is needed adds no files to those of it, but for its own segment: spares are what
// the older one leaves. So the directory does not grow by a crash, however full it was.
TEST(LogWriter, SparesComeFromTheOldLogWhileItIsNeeded) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes;
  auto log = NewLog(&disk, options);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Commit(log.get(), std::string(2000, 'a')).ok());
  const LogStart start = log->start();
  const Lsn end = log->end();
  const LogStats before = log->stats();
  ASSERT_EQ(before.spare_segments, 2u);
  log.reset();

  auto again = CreateLog(&disk, options, Identity(2, 99), start.lsn, end);
  ASSERT_TRUE(again.ok()) << again.status();
  log = *std::move(again);
  EXPECT_EQ(log->stats().segments, before.segments);
  EXPECT_EQ(log->stats().spare_segments, 1u);
  // The checkpoint of its recovery.
  log->AnnounceGeneration(Generation{2});
  ASSERT_TRUE(log->FlushGeneration().ok());
  ASSERT_TRUE(log->Release(log->StartAt(log->end())->lsn).ok());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(Commit(log.get(), std::string(2000, 'b')).ok());
  EXPECT_EQ(log->stats().segments, before.segments);
}

// Whose log asks for spares, counted.
class AskingLog : public ::testing::Test {
 protected:
  AskingLog() {
    LogWriterOptions options = SmallLog();
    options.segment_bytes = options.first_segment_bytes;
    log_ = NewLog(&disk_, options);
    log_->HaveSparesMade([this] { ++asked_; });
  }

  // Goes on to the next segment, and a record further.
  void FillSegment() {
    const uint64_t spares = log_->stats().spare_segments;
    while (log_->stats().spare_segments == spares) {
      ASSERT_TRUE(Commit(log_.get(), std::string(2000, 'a')).ok());
    }
    ASSERT_TRUE(Commit(log_.get(), "behind it").ok());
  }

  MemoryFileSystem disk_;
  std::unique_ptr<LogWriter> log_;
  int asked_ = 0;
};

// A file of zeros takes long: who commits waits for none that it can do without.
TEST_F(AskingLog, SparesAreAskedForOnceAndMadeBeside) {
  const uint64_t files = log_->stats().segments;
  for (int round = 1; round < 5; ++round) {
    FillSegment();
    ASSERT_TRUE(Commit(log_.get(), "another one").ok());
    EXPECT_EQ(asked_, round);
    EXPECT_EQ(log_->stats().spare_segments, 1u);
    log_->MakeSpares();
    EXPECT_EQ(log_->stats().spare_segments, 2u);
    EXPECT_EQ(log_->stats().segments, files + static_cast<uint64_t>(round));
  }
}

// L5: whoever was asked, and has not made any yet, holds nobody up.
TEST_F(AskingLog, L5ReserveMakesWhatItCannotDoWithout) {
  const LogStart start = log_->start();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(Commit(log_.get(), std::string(2000, 'a')).ok());
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(log_->stats().spare_segments, 1u);
  log_.reset();
  EXPECT_EQ(ReadAll(&disk_, start)->records.size(), 60u);
}

TEST_F(AskingLog, AFullDiskIsAskedAgainAfterAWhile) {
  disk_.set_capacity(disk_.used());
  FillSegment();
  EXPECT_EQ(asked_, 1);
  log_->MakeSpares();
  EXPECT_EQ(log_->stats().spare_segments, 1u);
  ASSERT_TRUE(Commit(log_.get(), "soon").ok());
  EXPECT_EQ(asked_, 1);
  disk_.clock().Sleep(absl::Seconds(2));
  ASSERT_TRUE(Commit(log_.get(), "later").ok());
  EXPECT_EQ(asked_, 2);
  disk_.set_capacity(uint64_t{1} << 30);
  log_->MakeSpares();
  EXPECT_EQ(log_->stats().spare_segments, 2u);
}

// R11: an idle log gets an empty frame with the current mark, once, without a sync.
TEST(LogWriter, R11IdleMarkIsWrittenOnceAndNotSynced) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  ASSERT_TRUE(log->WriteIdleMark().ok());
  EXPECT_EQ(log->stats().idle_marks, 0u);
  ASSERT_TRUE(Commit(log.get(), "a").ok());
  const uint64_t syncs = log->stats().syncs;
  ASSERT_TRUE(log->WriteIdleMark().ok());
  ASSERT_TRUE(log->WriteIdleMark().ok());
  EXPECT_EQ(log->stats().idle_marks, 1u);
  EXPECT_EQ(log->stats().syncs, syncs);
  EXPECT_EQ(log->durable(), log->end());
  auto waiting = AppendOne(log.get(), "b");
  ASSERT_TRUE(log->WriteIdleMark().ok());
  EXPECT_EQ(log->stats().idle_marks, 1u);
  EXPECT_LT(log->durable(), *waiting);
}

// A log that falls idle just when its segment is full gets the mark in the next one.
TEST(LogWriter, R11IdleMarkBehindAFullSegment) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const LogStart start = log->start();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(Commit(log.get(), "commit " + std::to_string(i)).ok());
  ASSERT_EQ(log->stats().spare_segments, 2u);
  ASSERT_TRUE(log->WriteIdleMark().ok());
  EXPECT_EQ(log->stats().idle_marks, 1u);
  EXPECT_EQ(log->stats().spare_segments, 1u);
  log.reset();
  EXPECT_EQ(ReadAll(&disk, start)->records.size(), 6u);
  disk.Bytes(std::filesystem::path(kLogDirectory) / "segment-0001")[6 * 4096 + 130] ^= std::byte{1};
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kDataLoss));
}

// A data-sync write covers nothing but itself; what was written before it without a sync must not be
// acknowledged along with it.
TEST(LogWriter, DataSyncWriteIsNotUsedBehindUnsyncedWrites) {
  MemoryFileSystem disk;
  disk.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
  auto log = NewLog(&disk);
  ASSERT_TRUE(Measure(log.get()).ok());
  const LogStart start = log->start();
  ASSERT_EQ(log->stats().flush_method, io::FlushMethod::kDataSyncWrite);
  ASSERT_TRUE(Commit(log.get(), "a").ok());
  ASSERT_TRUE(log->WriteIdleMark().ok());
  ASSERT_TRUE(Commit(log.get(), "b").ok());
  ASSERT_TRUE(Commit(log.get(), "c").ok());
  std::mt19937_64 random(1);
  auto after = disk.AfterCrash(random, CrashChoice::kNothing);
  auto read = ReadAll(after.get(), start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("a", "b", "c"));
}

TEST(LogWriter, GroupCommitSharesFlushes) {
  MemoryFileSystem disk;
  disk.set_sync_time(absl::Microseconds(300));
  LogWriterOptions options = SmallLog();
  options.segment_bytes = 1 << 20;
  auto log = NewLog(&disk, options);
  const LogStart start = log->start();
  constexpr int kThreads = 16;
  constexpr int kCommits = 60;
  std::mutex writer_lock;
  std::vector<std::string> order;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCommits; ++i) {
        const std::string record = std::to_string(t) + ":" + std::to_string(i);
        absl::StatusOr<Lsn> lsn;
        {
          std::lock_guard lock(writer_lock);
          lsn = AppendOne(log.get(), record);
          order.push_back(record);
        }
        ASSERT_TRUE(lsn.ok()) << lsn.status();
        ASSERT_TRUE(log->Flush(*lsn).ok());
        ASSERT_GE(log->durable(), *lsn);
      }
    });
  }
  std::atomic<bool> done = false;
  std::thread background([&] {
    for (uint64_t g = 1; !done; ++g) {
      log->AnnounceGeneration(Generation{g});
      EXPECT_TRUE(log->FlushGeneration().ok());
      EXPECT_TRUE(log->WriteIdleMark().ok());
      (void)log->stats();
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  background.join();
  EXPECT_LT(log->stats().flushes, static_cast<uint64_t>(kThreads * kCommits / 2));
  log.reset();
  auto read = ReadAll(&disk, start, ReadOptions(1, kLsnMax));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records, order);
}

// Of two commits that were served together the first to come again waits for the other one; who commits nothing does not.
TEST(LogWriter, ALeaderWaitsForCompanyOnlyForTheSakeOfCommits) {
  MemoryFileSystem disk;
  disk.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
  auto log = NewLog(&disk);
  const auto flush = [&](uint32_t commits) {
    const absl::StatusOr<Lsn> lsn = AppendOne(log.get(), "r");
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ASSERT_TRUE(log->Flush(*lsn, commits).ok());
  };
  flush(2);
  EXPECT_EQ(log->stats().company_waits, 0u);
  flush(0);
  EXPECT_EQ(log->stats().company_waits, 0u);
  flush(2);
  flush(1);
  EXPECT_EQ(log->stats().company_waits, 1u);
  flush(2);
  flush(2);
  EXPECT_EQ(log->stats().company_waits, 1u);
}

// All followers of a flush wake when it ends, though nothing comes behind it.
TEST(LogWriter, EveryFollowerWakesAtTheEndOfItsFlush) {
  MemoryFileSystem disk;
  disk.set_sync_time(absl::Milliseconds(30));
  auto log = NewLog(&disk);
  std::mutex writer_lock;
  std::atomic<int> running = 10;
  std::vector<std::thread> threads;
  for (int t = 0; t < 10; ++t) {
    threads.emplace_back([&] {
      absl::StatusOr<Lsn> lsn;
      {
        std::lock_guard lock(writer_lock);
        lsn = AppendOne(log.get(), "r");
      }
      EXPECT_TRUE(log->Flush(*lsn).ok());
      --running;
    });
  }
  for (int i = 0; i < 2000 && running > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(running, 0) << "still asleep";
  for (uint64_t g = 1; running > 0; ++g) {  // any writing wakes one
    log->AnnounceGeneration(Generation{g});
    EXPECT_TRUE(log->FlushGeneration().ok());
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(log->stats().flushes, 6u);
}

TEST(LogWriter, EveryWaiterWakesWhenTheLogStops) {
  MemoryFileSystem disk;
  disk.set_sync_time(absl::Milliseconds(2));
  auto log = NewLog(&disk);
  std::atomic<int> syncs = 0;
  disk.set_fault([&syncs](const Call& call) {
    const bool fails = call.kind == Call::Kind::kSync && ++syncs > 10;
    return fails ? absl::UnavailableError("injected") : absl::OkStatus();
  });
  std::mutex writer_lock;
  std::vector<std::thread> threads;
  std::atomic<int> stopped = 0;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      while (true) {
        absl::StatusOr<Lsn> lsn;
        {
          std::lock_guard lock(writer_lock);
          lsn = AppendOne(log.get(), "r");
        }
        const absl::Status status = lsn.ok() ? log->Flush(*lsn) : lsn.status();
        if (status.ok()) continue;
        EXPECT_TRUE(absl::IsUnknown(status) || absl::IsUnavailable(status)) << status;
        ++stopped;
        return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stopped, 12);
}

// StartAt works for the end of every record, wherever it lies in its frame and segment.
TEST(LogWriter, StartAtNamesExactlyTheRecordsBehind) {
  MemoryFileSystem disk;
  std::mt19937_64 random(5);
  auto log = NewLog(&disk);
  std::vector<std::string> records;
  std::vector<LogStart> starts;
  std::vector<Lsn> ends;
  for (int i = 0; i < 150; ++i) {
    records.push_back(std::string(random() % 3000, static_cast<char>('a' + i % 26)));
    ends.push_back(*AppendOne(log.get(), records.back()));
    EXPECT_THAT(log->StartAt(ends.back()).status(), IsStatus(StatusCode::kFailedPrecondition));
    if (random() % 4 != 0) continue;
    ASSERT_TRUE(log->Flush(ends.back()).ok());
    if (random() % 3 == 0) {
      ASSERT_TRUE(log->WriteIdleMark().ok());
    }
  }
  ASSERT_TRUE(log->Flush(log->end()).ok());
  EXPECT_EQ(*log->StartAt(log->start().lsn), log->start());
  for (const Lsn lsn : ends) starts.push_back(*log->StartAt(lsn));
  log.reset();
  for (size_t i = 0; i < starts.size(); ++i) {
    auto read = ReadAll(&disk, starts[i]);
    ASSERT_TRUE(read.ok()) << i << ": " << read.status();
    EXPECT_EQ(read->records, std::vector<std::string>(
                                 records.begin() + static_cast<ptrdiff_t>(i) + 1, records.end()))
        << i;
  }
}

// A checkpoint of a version that has not changed since the last one asks for the same position again,
// when frames without records have come behind it and everything before has been released.
TEST(LogWriter, StartAtTheSamePositionAgainAfterRelease) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const Lsn last = *Commit(log.get(), std::string(2000, 'a'));
  LogStart start;
  for (uint64_t g = 1; g < 30; ++g) {
    auto again = log->StartAt(last);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_GE(again->lsn, start.lsn);
    start = *again;
    log->AnnounceGeneration(Generation{g});
    ASSERT_TRUE(log->FlushGeneration().ok());
    ASSERT_TRUE(log->Release(start.lsn).ok());
  }
  EXPECT_EQ(log->stats().segments, 3u);
  ASSERT_TRUE(Commit(log.get(), "behind").ok());
  log.reset();
  auto read = ReadAll(&disk, start, ReadOptions(1, 29));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->records, ElementsAre("behind"));
}

TEST(LogWriter, StartAtBelowTheReleasedIsRefused) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const Lsn early = *Commit(log.get(), "a");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Commit(log.get(), std::string(2000, 'b')).ok());
  const Lsn late = log->end();
  ASSERT_TRUE(log->Release(late).ok());
  EXPECT_THAT(log->StartAt(early).status(), IsStatus(StatusCode::kOutOfRange));
  EXPECT_TRUE(log->StartAt(late).ok());
}

// Finding 9: nobody else gets at the segments while a writer lives, nor the writer while a reader does.
TEST(LogWriter, R6SegmentsAreLockedForTheLifeOfTheWriter) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const LogStart start = log->start();
  EXPECT_THAT(CreateLog(&disk).status(), IsStatus(StatusCode::kFailedPrecondition));
  EXPECT_THAT(ReadAll(&disk, start).status(), IsStatus(StatusCode::kFailedPrecondition));
  log.reset();
  auto reader = LogReader::Open(&disk, kLogDirectory, kDatabase, start, ReadOptions());
  ASSERT_TRUE(reader.ok());
  EXPECT_THAT(CreateLog(&disk).status(), IsStatus(StatusCode::kFailedPrecondition));
  reader->reset();
  EXPECT_TRUE(CreateLog(&disk, SmallLog(), Identity(2, 2)).ok());
}

TEST(LogWriter, FlushBeyondTheEndIsRefused) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  EXPECT_THAT(log->Flush(Lsn{log->end().value + 1}), IsStatus(StatusCode::kInvalidArgument));
  EXPECT_TRUE(log->Flush(Lsn{}).ok());
}

// Buffered frames stay within the buffer: what is over is written out, without a sync.
TEST(LogWriter, FullBufferIsWrittenOutWithoutSync) {
  MemoryFileSystem disk;
  LogWriterOptions options = SmallLog();
  options.segment_bytes = options.first_segment_bytes = 4 << 20;
  auto log = NewLog(&disk, options);
  const LogStart start = log->start();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(AppendOne(log.get(), std::string(3000, 'x')).ok());
  EXPECT_GT(log->stats().bytes_written, 200u << 10);
  EXPECT_EQ(log->stats().syncs, 0u);
  EXPECT_EQ(log->durable(), start.lsn);
  ASSERT_TRUE(log->Flush(log->end()).ok());
  EXPECT_EQ(log->stats().syncs, 1u);
}

}  // namespace
}  // namespace keel::wal
