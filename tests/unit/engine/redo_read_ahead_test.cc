// Reading ahead of redo, and writing behind it: whatever other threads do and meet, redo gives the same answer.

#include <keel/bulk_loader.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "pager/page_loader.h"
#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

// Behind this there are leaves, and few other pages.
constexpr uint64_t kMostlyLeaves = uint64_t{2} << 20;

class RedoReadAheadTest : public FailingDiskTest {
 protected:
  // A database of some megabytes that was killed after changes to keys all over it.
  void SetUp() override { Prepare(10'000, 300); }

  void Prepare(int rows, int transactions) {
    transactions_ = static_cast<uint64_t>(transactions);
    options_.memory_bytes = static_cast<uint64_t>(rows) * 3200;
    options_.background = Background::kThreads;
    options_.checkpoint_log_bytes = uint64_t{64} << 20;
    Open();
    auto loader = db_->NewBulkLoader();
    KEEL_ASSERT_OK(loader.status());
    for (int i = 0; i < rows; ++i) Learn(Numbered("k", i), std::string(200, 'a'), &*loader);
    KEEL_ASSERT_OK(loader->Commit().status());
    std::mt19937_64 random(1);
    for (int i = 0; i < transactions; ++i) {
      WriteBatch batch;
      for (int n = 0; n < 5; ++n) {
        const std::string key = Numbered("k", static_cast<int>(random() % uint64_t(rows)));
        batch.Put(key, model_[key] = std::to_string(i));
      }
      const std::string gone = Numbered("k", static_cast<int>(random() % uint64_t(rows)));
      batch.Delete(gone);
      model_.erase(gone);
      KEEL_ASSERT_OK(db_->Write(batch).status());
    }
    killed_ = disk_.AfterCrash(random, wal::CrashChoice::kNothing);
    db_.reset();
    options_.file_system = killed_.get();
  }

  void Learn(const std::string& key, const std::string& value, BulkLoader* loader) {
    KEEL_ASSERT_OK(loader->Put(key, value));
    model_[key] = value;
  }

  // Reads of the data file: the threads that did them are noted, and some may fail.
  void WatchReads(std::function<absl::Status(const Call&)> fault = nullptr) {
    killed_->set_fault([this, fault = std::move(fault)](const Call& call) {
      if (call.kind != Call::Kind::kRead || call.name != "data.keel") return absl::OkStatus();
      readers_.insert(std::this_thread::get_id());
      return fault ? fault(call) : absl::OkStatus();
    });
  }

  void ExpectAllThere() {
    EXPECT_EQ(db_->recovery_report().transactions_replayed, transactions_);
    EXPECT_EQ(ReadAll(*db_), model_);
    ExpectSound();
    KEEL_EXPECT_OK(db_->Close());
    db_.reset();
  }

  Contents model_;
  uint64_t transactions_ = 0;
  std::unique_ptr<MemoryFileSystem> killed_;
  std::set<std::thread::id> readers_;
};

TEST_F(RedoReadAheadTest, SeveralThreadsRead) {
  const std::unique_ptr<MemoryFileSystem> before = killed_->Copy();
  WatchReads();
  Open();
  // On a busy machine redo may have read everything before another thread was let run: once more, then.
  for (int more = 0; more < 50 && readers_.size() < 2; ++more) {
    db_.reset();
    killed_ = before->Copy();
    options_.file_system = killed_.get();
    readers_.clear();
    WatchReads();
    Open();
  }
  killed_->set_fault(nullptr);
  EXPECT_GE(readers_.size(), 2U);
  ExpectAllThere();
}

// What lies together is read together.
TEST_F(RedoReadAheadTest, NeighboursAreReadWithOneRead) {
  // How many there are is the scheduler's: redo reads what it comes to before they do.
  uint64_t longest = 0;
  std::mutex mutex;
  WatchReads([&](const Call& call) {
    const std::lock_guard lock(mutex);
    longest = std::max<uint64_t>(longest, call.bytes);
    return absl::OkStatus();
  });
  Open();
  killed_->set_fault(nullptr);
  EXPECT_GE(longest, 8 * 4096);
  ExpectAllThere();
}

TEST_F(RedoReadAheadTest, WithoutThreadsNobodyElseReads) {
  options_.background = Background::kManual;
  WatchReads();
  Open();
  killed_->set_fault(nullptr);
  EXPECT_EQ(readers_, std::set{std::this_thread::get_id()});
  ExpectAllThere();
}

// There are fewer frames than leaves.
TEST_F(RedoReadAheadTest, WithLittleMemoryItReadsLess) {
  options_.memory_bytes = uint64_t{4} << 20;
  Open();
  ExpectAllThere();
}

TEST_F(RedoReadAheadTest, ReadsThatFailOnceHarmNothing) {
  const std::thread::id self = std::this_thread::get_id();
  WatchReads([self, seen = std::set<uint64_t>()](const Call& call) mutable {
    const bool fails = std::this_thread::get_id() != self && seen.insert(call.offset).second;
    return fails ? absl::UnavailableError("injected failure") : absl::OkStatus();
  });
  Open();
  killed_->set_fault(nullptr);
  ExpectAllThere();
}

// D3: trees that came to be in another order can be larger, so a full disk is met once more in the log's order.
TEST_F(RedoReadAheadTest, AnOpenThatRunsOutOfRoomBeginsAgainInTheOrderOfTheLog) {
  options_.background = Background::kManual;
  int opens = 0;
  int refused = 0;
  bool redone = false;  // the fresh log's first header comes behind redo
  killed_->set_fault([&](const Call& call) {
    if (call.kind == Call::Kind::kOpen && call.name == "data.keel") ++opens;
    if (call.kind != Call::Kind::kWrite) return absl::OkStatus();
    if (call.name.starts_with("segment-")) redone = true;
    if (opens != 1 || !redone || call.name != "data.keel") return absl::OkStatus();
    ++refused;
    return absl::ResourceExhaustedError("injected: no space");
  });
  Open();
  killed_->set_fault(nullptr);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(opens, 2);
  ExpectAllThere();
}

// D2: what fails half way is taken back, and repeated in the order of the log.
TEST_F(RedoReadAheadTest, ABatchThatFailsHalfWayIsRepeatedOneByOne) {
  options_.background = Background::kManual;
  int leaves = 0;
  int failures = 0;
  uint64_t bad = 0;
  WatchReads([&](const Call& call) {
    if (call.offset < kMostlyLeaves) return absl::OkStatus();
    if (++leaves == 50) bad = call.offset;
    const bool fails = call.offset == bad && failures < pager::kReadAttempts;
    if (fails) ++failures;
    return fails ? absl::UnavailableError("injected failure") : absl::OkStatus();
  });
  Open();
  killed_->set_fault(nullptr);
  EXPECT_EQ(failures, pager::kReadAttempts);
  ExpectAllThere();
}

// Errors are those of redo and of the rest of the open, as they are without reading ahead.
TEST_F(RedoReadAheadTest, WhatNobodyCanReadFailsTheOpenAsWithoutIt) {
  WatchReads([](const Call& call) {
    return call.offset > kMostlyLeaves ? absl::UnavailableError("injected failure")
                                       : absl::OkStatus();
  });
  const absl::Status ahead = TryOpen();
  EXPECT_FALSE(ahead.ok());
  options_.background = Background::kManual;
  EXPECT_EQ(TryOpen().code(), ahead.code());
  killed_->set_fault(nullptr);
  Open();
  ExpectAllThere();
}

// With more leaves than may be of one epoch of redo, so that there is something to write while it goes on.
class RedoWriteAheadTest : public RedoReadAheadTest {
 protected:
  void SetUp() override { Prepare(40'000, 3000); }

  // Writes to the data file while redo goes on, which the fresh log's first header ends. `fault` for those of other
  // threads; what comes behind redo is refused, so that the open fails there.
  void WatchWrites(std::function<absl::Status()> fault, bool refuse_the_rest) {
    killed_->set_fault([this, fault = std::move(fault), refuse_the_rest, redone = false,
                        self = std::this_thread::get_id()](const Call& call) mutable {
      if (call.kind != Call::Kind::kWrite) return absl::OkStatus();
      redone |= call.name.starts_with("segment-");
      if (redone) {
        return refuse_the_rest ? absl::UnavailableError("injected: behind redo") : absl::OkStatus();
      }
      if (call.name != "data.keel" || std::this_thread::get_id() == self) return absl::OkStatus();
      ++written_ahead_;
      return fault ? fault() : absl::OkStatus();
    });
  }

  int written_ahead_ = 0;
};

// R12: what was written ahead changes nothing that a repeat needs.
TEST_F(RedoWriteAheadTest, AnOpenThatFailsBehindItCanBeRepeated) {
  WatchWrites(nullptr, /*refuse_the_rest=*/true);
  // On a busy machine redo may be over before another thread was let run: once more, then.
  for (int attempt = 0; attempt < 50 && written_ahead_ == 0; ++attempt) {
    EXPECT_FALSE(TryOpen().ok());
    WatchWrites(nullptr, /*refuse_the_rest=*/true);
  }
  EXPECT_GT(written_ahead_, 0);
  std::mt19937_64 random(2);
  killed_->set_fault(nullptr);
  killed_ = killed_->AfterCrash(random, wal::CrashChoice::kNothing);
  options_.file_system = killed_.get();
  Open();
  ExpectAllThere();
}

TEST_F(RedoWriteAheadTest, WritesThatFailAreTheCheckpointsToRepeat) {
  const std::unique_ptr<MemoryFileSystem> before = killed_->Copy();
  for (int attempt = 0; attempt < 50 && written_ahead_ == 0; ++attempt) {  // as above
    db_.reset();
    killed_ = before->Copy();
    options_.file_system = killed_.get();
    WatchWrites([] { return absl::UnavailableError("injected: cannot be written yet"); },
                /*refuse_the_rest=*/false);
    Open();
  }
  killed_->set_fault(nullptr);
  EXPECT_GT(written_ahead_, 0);
  ExpectAllThere();
}

TEST_F(RedoWriteAheadTest, WithoutThreadsNobodyElseWrites) {
  options_.background = Background::kManual;
  WatchWrites(nullptr, /*refuse_the_rest=*/false);
  Open();
  killed_->set_fault(nullptr);
  EXPECT_EQ(written_ahead_, 0);
  ExpectAllThere();
}

}  // namespace
}  // namespace keel::testing
