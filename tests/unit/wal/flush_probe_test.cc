// Which way of making a write durable is chosen, and how the log writer measures it while it is used.

#include "wal/flush_probe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "tests/unit/wal/log_test_util.h"

namespace keel::wal {
namespace {

// --- the choice ---

struct Chosen {
  io::FlushMethod method;
  int writes = 0;
};

// By a device that takes so many microseconds for a write by each method, always.
Chosen Probe(int plain, int data_sync, int linked, bool linked_requests) {
  const std::array<int, 3> micros = {plain, data_sync, linked};
  FlushProbe probe(linked_requests);
  Chosen chosen;
  while (const auto method = probe.Next()) {
    ++chosen.writes;
    probe.Note(absl::Microseconds(micros.at(static_cast<size_t>(*method))));
  }
  chosen.method = probe.Fastest();
  return chosen;
}

TEST(FlushProbe, ChoosesTheFastest) {
  EXPECT_EQ(Probe(71, 84, 100, true).method, io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(100, 50, 80, true).method, io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(Probe(100, 90, 60, true).method, io::FlushMethod::kLinkedRequests);
  EXPECT_EQ(Probe(100, 80, 60, false).method, io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(Probe(100, 90, 95, true).method, io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(100, 99, 98, true).method, io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(Probe(0, 0, 0, true).method, io::FlushMethod::kWriteThenSync);
}

TEST(FlushProbe, IsShortOnASlowDisk) {
  EXPECT_EQ(Probe(50, 50, 50, false).writes, 14);
  const Chosen slow = Probe(20000, 10000, 10000, false);
  EXPECT_EQ(slow.method, io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(slow.writes, 2);
  const Chosen slower_than_most = Probe(1000, 800, 1100, false);
  EXPECT_EQ(slower_than_most.method, io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(slower_than_most.writes, 4);
}

// What is far behind after two rounds is not asked again; if nothing else is left, nobody is.
TEST(FlushProbe, EndsEarlyWhenOneIsFarAhead) {
  const Chosen close = Probe(20, 25, 30, true);
  const Chosen one_behind = Probe(27, 20, 56, true);
  const Chosen one_ahead = Probe(50, 10, 55, true);
  EXPECT_EQ(close.method, io::FlushMethod::kWriteThenSync);
  EXPECT_EQ(one_behind.method, io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(one_ahead.method, io::FlushMethod::kDataSyncWrite);
  EXPECT_EQ(close.writes, 7 * 3);
  EXPECT_EQ(one_behind.writes, 7 * 3 - 5);
  EXPECT_EQ(one_ahead.writes, 2 * 3);
}

TEST(FlushProbe, WithoutAnyMeasurementItIsThePlainOne) {
  FlushProbe probe(true);
  EXPECT_EQ(probe.Fastest(), io::FlushMethod::kWriteThenSync);
  ASSERT_TRUE(probe.Next().has_value());
  probe.Note(absl::Microseconds(90));  // the others were not tried
  EXPECT_EQ(probe.Fastest(), io::FlushMethod::kWriteThenSync);
}

// --- the writes ---

using Bytes = std::vector<std::byte>;

// By a device on which one method is quick.
io::FlushMethod Measured(io::FlushMethod quick, const std::string& backend) {
  MemoryFileSystem disk;
  disk.set_backend_name(backend);
  for (const auto method : {io::FlushMethod::kWriteThenSync, io::FlushMethod::kDataSyncWrite,
                            io::FlushMethod::kLinkedRequests}) {
    disk.set_flush_time(method, absl::Microseconds(method == quick ? 50 : 100));
  }
  auto log = NewLog(&disk);
  EXPECT_EQ(log->stats().flush_method, io::FlushMethod::kWriteThenSync);
  EXPECT_TRUE(Measure(log.get()).ok());
  EXPECT_FALSE(log->ProbeFlushMethod().value());
  return log->stats().flush_method;
}

TEST(LogProbe, ChoosesAmongWhatThereIs) {
  const auto linked = io::FlushMethod::kLinkedRequests;
  EXPECT_EQ(Measured(linked, "io_uring"), linked);
  EXPECT_EQ(Measured(linked, "posix"), io::FlushMethod::kWriteThenSync);
  const auto data_sync = io::FlushMethod::kDataSyncWrite;
  EXPECT_EQ(Measured(data_sync, "posix"), data_sync);
}

TEST(LogProbe, TheMethodIsUsedFromThenOn) {
  MemoryFileSystem disk;
  disk.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
  auto log = NewLog(&disk);
  ASSERT_TRUE(Measure(log.get()).ok());
  disk.TakeCalls();
  ASSERT_TRUE(Commit(log.get(), "record").ok());
  EXPECT_TRUE(std::ranges::any_of(disk.TakeCalls(), &Call::data_sync));
}

// F3: one write, and before it what waits for a flush.
TEST(LogProbe, F3_WhatIsGatheredGoesFirst) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const absl::StatusOr<Lsn> waits = AppendOne(log.get(), "waits");
  ASSERT_TRUE(waits.ok());
  disk.TakeCalls();
  EXPECT_TRUE(log->ProbeFlushMethod().value());
  EXPECT_EQ(log->durable(), *waits);
  const std::vector<Call> calls = disk.TakeCalls();
  EXPECT_EQ(std::ranges::count(calls, Call::Kind::kWrite, &Call::kind), 2);
  EXPECT_TRUE(log->ProbeFlushMethod().value());
  const std::vector<Call> later = disk.TakeCalls();
  EXPECT_EQ(std::ranges::count(later, Call::Kind::kWrite, &Call::kind), 1);
}

// Else each would be made durable, and the next one be due.
TEST(LogProbe, F3_AnIdleMarkCallsForNoOther) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  ASSERT_TRUE(Commit(log.get(), "record").ok());
  const uint64_t syncs = log->stats().syncs;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(log->WriteIdleMark().ok());
    ASSERT_TRUE(log->ProbeFlushMethod().value());
  }
  EXPECT_EQ(log->stats().idle_marks, 1u);
  EXPECT_EQ(log->stats().syncs, syncs);
}

// F1, F2: nothing is written but one segment's last block, and where that may hold frames of an earlier use, noise first.
TEST(LogProbe, F2_WritesTheLastBlockAndNoiseWhereThereMayBeFrames) {
  for (const uint64_t block_bytes : {uint64_t{4096}, uint64_t{8192}}) {
    MemoryFileSystem disk;
    LogWriterOptions options = SmallLog();
    options.block_bytes = block_bytes;
    auto log = NewLog(&disk, options);
    ASSERT_TRUE(Commit(log.get(), "record").ok());
    const auto last = [&](const Bytes& bytes) {
      return bytes.end() - static_cast<ptrdiff_t>(block_bytes);
    };
    std::map<std::filesystem::path, Bytes*> live;
    std::map<std::filesystem::path, Bytes> before;
    for (const auto& path : disk.Paths()) {
      Bytes& bytes = disk.Bytes(path);
      live[path] = &bytes;
      std::fill(bytes.end() - static_cast<ptrdiff_t>(block_bytes), bytes.end(), std::byte{0xff});
      before[path] = bytes;
    }
    std::map<std::filesystem::path, Bytes> first;  // as the first sync found them
    disk.set_fault([&](const Call& call) {
      for (const auto& [path, bytes] : live) {
        const bool sync = call.kind == Call::Kind::kSync && !first.contains(path);
        if (sync && *bytes != before[path]) first[path] = *bytes;
      }
      return absl::OkStatus();
    });
    ASSERT_TRUE(Measure(log.get()).ok());
    ASSERT_EQ(first.size(), 1U);
    for (const auto& [path, bytes] : live) {
      const Bytes& now = *bytes;
      EXPECT_TRUE(std::equal(now.begin(), last(now), before[path].begin()));
      const std::byte expected = first.contains(path) ? std::byte{0} : std::byte{0xff};
      EXPECT_EQ(std::count(last(now), now.end(), expected), static_cast<ptrdiff_t>(block_bytes));
    }
    const Bytes& found = first.begin()->second;
    EXPECT_EQ(std::count(last(found), found.end(), std::byte{0}) < 100, block_bytes > 4096);
  }
}

TEST(LogProbe, ASyncThatFailsStopsTheLog) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const absl::StatusOr<Lsn> kept = Commit(log.get(), "kept");
  ASSERT_TRUE(kept.ok());
  int syncs = 0;
  disk.set_fault([&syncs](const Call& call) {
    const bool fails = call.kind == Call::Kind::kSync && ++syncs == 1;
    return fails ? absl::UnavailableError("injected sync error") : absl::OkStatus();
  });
  EXPECT_THAT(Measure(log.get()), IsStatus(absl::StatusCode::kUnavailable));
  EXPECT_EQ(syncs, 1);
  EXPECT_THAT(log->failure(), IsStatus(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Commit(log.get(), "later").status(), IsStatus(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(log->Flush(*kept).ok());
  EXPECT_THAT(Measure(log.get()), IsStatus(absl::StatusCode::kUnavailable));
  EXPECT_EQ(syncs, 1);
}

TEST(LogProbe, AWriteThatFailsEndsItAlone) {
  MemoryFileSystem disk;
  disk.set_flush_time(io::FlushMethod::kWriteThenSync, absl::Microseconds(100));
  auto log = NewLog(&disk);
  int writes = 0;
  disk.set_fault([&writes](const Call& call) {
    const bool fails = call.kind == Call::Kind::kWrite && ++writes == 1;
    return fails ? absl::UnavailableError("injected write error") : absl::OkStatus();
  });
  EXPECT_THAT(log->ProbeFlushMethod().status(), IsStatus(absl::StatusCode::kUnavailable));
  EXPECT_EQ(writes, 1);
  EXPECT_TRUE(log->failure().ok());
  EXPECT_EQ(log->stats().flush_method, io::FlushMethod::kWriteThenSync);
  EXPECT_TRUE(Commit(log.get(), "record").ok());
}

// And all that was committed meanwhile is there, in many segments.
TEST(LogProbe, CommitsGoOnMeanwhile) {
  MemoryFileSystem disk;
  auto log = NewLog(&disk);
  const LogStart start = log->start();
  std::atomic<bool> measured = false;
  std::thread prober([&] {
    EXPECT_TRUE(Measure(log.get()).ok());
    measured = true;
  });
  std::vector<std::string> records;
  const auto commit = [&] {
    records.push_back(std::to_string(records.size()) + std::string(500, 'x'));
    EXPECT_TRUE(Commit(log.get(), records.back()).ok());
  };
  while (!measured) commit();
  prober.join();
  while (records.size() < 300) commit();
  EXPECT_GT(log->stats().segments, 4U);
  log.reset();
  const auto read = ReadAll(&disk, start);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records, records);
}

}  // namespace
}  // namespace keel::wal
