// Snapshots: fixed states beside writers, and what they keep from reuse (G7).

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

using SnapshotTest = EngineTest;

TEST_F(SnapshotTest, G7_SeesItsStateWhateverIsWritten) {
  Open();
  for (int i = 0; i < 2000; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "old", {Durability::kNone}));
  }
  const Contents before = ReadAll(*db_);
  std::vector<Snapshot> snapshots;
  std::vector<Contents> expected;
  for (int round = 0; round < 5; ++round) {
    snapshots.push_back(db_->GetSnapshot());
    expected.push_back(ReadAll(*db_));
    WriteBatch batch;
    for (int i = round; i < 2000; i += 3) batch.Put(Numbered("k", i), Numbered("new", round));
    for (int i = 0; i < 100; ++i) batch.Delete(Numbered("k", round * 100 + i));
    ASSERT_TRUE(db_->Write(batch, {Durability::kNone}).ok());
    if (round % 2 == 0) KEEL_ASSERT_OK(db_->Checkpoint());
  }
  for (size_t i = 0; i < snapshots.size(); ++i) EXPECT_EQ(ReadAll(snapshots[i]), expected[i]) << i;
  EXPECT_EQ(db_->Stats().snapshots.size(), 5U);
  snapshots.erase(snapshots.begin() + 1);
  snapshots.erase(snapshots.begin() + 2);
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_EQ(ReadAll(snapshots[0]), expected[0]);
  EXPECT_EQ(ReadAll(snapshots[1]), expected[2]);
  EXPECT_EQ(ReadAll(snapshots[2]), expected[4]);
}

TEST_F(SnapshotTest, G7_ReaderBesideAWriterThatOverwritesEverything) {
  options_.memory_bytes = uint64_t{64} << 20;
  options_.checkpoint_log_bytes = uint64_t{256} << 20;
  Open();
  constexpr int kKeys = 40000;
  const auto overwrite = [&](char c) {
    WriteBatch batch;
    for (int i = 0; i < kKeys; ++i) {
      batch.Put(Numbered("k", i), std::string(200, c));
      if (batch.size() < 100) continue;
      KEEL_EXPECT_OK(db_->Write(batch, {Durability::kNone}).status());
      batch.Clear();
    }
  };
  overwrite('a');
  KEEL_ASSERT_OK(db_->Checkpoint());
  std::atomic<bool> done = false;
  std::optional<Snapshot> snapshot = db_->GetSnapshot();
  std::thread reader([&] {
    const std::string expected(200, 'a');
    do {
      int seen = 0;
      Cursor cursor = snapshot->NewCursor();
      for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next(), ++seen) {
        ASSERT_EQ(cursor.value(), expected);
      }
      KEEL_ASSERT_OK(cursor.status());
      ASSERT_EQ(seen, kKeys);
    } while (!done);
  });
  for (int round = 0; round < 10; ++round) overwrite(static_cast<char>('b' + round));
  done = true;
  reader.join();
  snapshot.reset();
  overwrite('z');
  const absl::StatusOr<CheckReport> report = db_->Check();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_LE(db_->Stats().pages.file_pages, 3 * report->pages_checked);
}

TEST_F(SnapshotTest, ReleasedPagesAreUsedAgain) {
  Open();
  for (int i = 0; i < 2000; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(500, 'a'), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Checkpoint());
  const uint64_t live = db_->Stats().pages.file_pages - db_->Stats().pages.free_pages;
  {
    const Snapshot snapshot = db_->GetSnapshot();
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < 2000; ++i) {
        KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(500, 'b'), {Durability::kNone}));
      }
    }
    EXPECT_GT(db_->Stats().snapshots.at(0).pages_held, 0U);
  }
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_TRUE(db_->Stats().snapshots.empty());
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 2000; ++i) {
      KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(500, 'c'), {Durability::kNone}));
    }
    KEEL_ASSERT_OK(db_->Checkpoint());
  }
  // Live data, one generation that the last checkpoint keeps, growth steps and the reserve.
  EXPECT_LT(db_->Stats().pages.file_pages, 3 * live + 3000);
}

TEST_F(SnapshotTest, CursorBothWaysWithinBounds) {
  Open();
  for (int i = 0; i < 500; ++i)
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "v", {Durability::kNone}));
  Cursor cursor = db_->NewCursor(KeyRange("k000100", "k000110"));
  EXPECT_FALSE(cursor.Valid());
  cursor.SeekToLast();
  ASSERT_TRUE(cursor.Valid());
  EXPECT_EQ(cursor.key(), "k000109");
  int count = 0;
  for (; cursor.Valid(); cursor.Prev()) ++count;
  EXPECT_EQ(count, 10);
  cursor.Seek("k000105x");
  EXPECT_EQ(cursor.key(), "k000106");
  cursor.Prev();
  EXPECT_EQ(cursor.key(), "k000105");
  cursor.SeekForPrev("k0001055");
  EXPECT_EQ(cursor.key(), "k000105");
  cursor.Seek("a");
  EXPECT_EQ(cursor.key(), "k000100");
  cursor.SeekForPrev("z");
  EXPECT_EQ(cursor.key(), "k000109");
  cursor.Next();
  EXPECT_FALSE(cursor.Valid());
  count = 0;
  for (const auto [key, value] : cursor) count += value == "v" ? 1 : 0;
  EXPECT_EQ(count, 10);
  KEEL_EXPECT_OK(cursor.status());
}

}  // namespace
}  // namespace keel::testing
