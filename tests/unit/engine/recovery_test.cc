// Crashes and recovery. A crash image is a copy of the files of a database that is open: what a kill -9 leaves.

#include <fstream>
#include <random>
#include <string>

#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

class RecoveryTest : public EngineTest {
 protected:
  // Copies the files of the open database, abandons it, and goes on with the copy.
  void Crash() {
    const std::filesystem::path image = temp_.path() / "image";
    std::filesystem::remove_all(image);
    std::filesystem::copy(directory(), image, std::filesystem::copy_options::recursive);
    if (db_ != nullptr) db_->Close().IgnoreError();
    db_.reset();
    std::filesystem::remove_all(directory());
    std::filesystem::rename(image, directory());
  }
};

TEST_F(RecoveryTest, G1_AcknowledgedCommitsSurvive) {
  Open();
  Contents expected;
  for (int i = 0; i < 300; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), Numbered("v", i)));
    expected[Numbered("k", i)] = Numbered("v", i);
  }
  Crash();
  Open();
  EXPECT_EQ(ReadAll(*db_), expected);
  EXPECT_FALSE(db_->recovery_report().clean);
  EXPECT_EQ(db_->recovery_report().transactions_replayed, 300U);
  KEEL_ASSERT_OK(db_->Put("more", "1"));
  Crash();
  Open();
  expected["more"] = "1";
  EXPECT_EQ(ReadAll(*db_), expected);
}

TEST_F(RecoveryTest, G2_RunningTransactionLeavesNothing) {
  options_.checkpoint_log_bytes = uint64_t{16} << 20;
  Open();
  KEEL_ASSERT_OK(db_->Put("before", "1"));
  absl::StatusOr<Transaction> transaction = db_->Begin();
  for (int i = 0; i < 6000; ++i) {
    KEEL_ASSERT_OK(transaction->Put(Numbered("k", i), std::string(500, 'x')));
  }
  KEEL_ASSERT_OK(db_->Checkpoint());  // the running transaction's pages are not part of it
  Crash();
  Open();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"before", "1"}}));
}

TEST_F(RecoveryTest, StreamedTransactionIsRepeatedWithItsRollbacks) {
  options_.checkpoint_log_bytes = uint64_t{16} << 20;
  Open();
  absl::StatusOr<Transaction> transaction = db_->Begin();
  Contents expected;
  for (int i = 0; i < 3000; ++i) {
    KEEL_ASSERT_OK(transaction->Put(Numbered("k", i), std::string(300, 'x')));
    expected[Numbered("k", i)] = std::string(300, 'x');
  }
  const Savepoint savepoint = transaction->SetSavepoint();
  for (int i = 0; i < 3000; ++i) KEEL_ASSERT_OK(transaction->Delete(Numbered("k", i)));
  KEEL_ASSERT_OK(transaction->DeleteRange(KeyRange::All()));
  for (int i = 0; i < 3000; ++i) {
    KEEL_ASSERT_OK(transaction->Put(Numbered("z", i), std::string(300, 'z')));
  }
  KEEL_ASSERT_OK(transaction->RollbackTo(savepoint));
  KEEL_ASSERT_OK(transaction->Put("end", "1"));
  expected["end"] = "1";
  ASSERT_TRUE(transaction->Commit().ok());
  {
    absl::StatusOr<Transaction> loser = db_->Begin();
    for (int i = 0; i < 3000; ++i) {
      KEEL_ASSERT_OK(loser->Put(Numbered("lost", i), std::string(300, 'z')));
    }
  }
  KEEL_ASSERT_OK(db_->Put("after", "1"));
  expected["after"] = "1";
  Crash();
  Open();
  EXPECT_EQ(ReadAll(*db_), expected);
}

// A checkpoint comes between a savepoint of a streamed transaction and the return to it. It takes nothing of the
// transaction and cuts none of its log; behind it the whole is repeated, and what the transaction replaced is free.
TEST_F(RecoveryTest, StreamedTransactionAroundACheckpointIsRepeatedWhole) {
  options_.checkpoint_log_bytes = uint64_t{16} << 20;
  Open();
  Contents expected;
  for (int i = 0; i < 2000; ++i) {
    expected[Numbered("k", i)] = std::string(300, 'a');
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(300, 'a'), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Checkpoint());
  expected["start"] = "1";
  KEEL_ASSERT_OK(db_->Put("start", "1"));  // so that there is something to take
  absl::StatusOr<Transaction> transaction = db_->Begin();
  const auto overwrite = [&](char c) {
    for (int i = 0; i < 2000; ++i) {
      KEEL_ASSERT_OK(transaction->Put(Numbered("k", i), std::string(300, c)));
    }
  };
  overwrite('b');
  const Savepoint savepoint = transaction->SetSavepoint();
  overwrite('c');
  KEEL_ASSERT_OK(db_->Checkpoint());
  KEEL_ASSERT_OK(transaction->RollbackTo(savepoint));
  KEEL_ASSERT_OK(transaction->Put("end", "1"));
  ASSERT_TRUE(transaction->Commit().ok());
  for (int i = 0; i < 2000; ++i) expected[Numbered("k", i)] = std::string(300, 'b');
  expected["end"] = "1";
  Crash();
  Open();
  EXPECT_EQ(ReadAll(*db_), expected);
  ExpectSound();
  Crash();
  Open();
  EXPECT_EQ(ReadAll(*db_), expected);
}

// What the log repeats dirties more pages than there are frames: they are written out as it goes on.
TEST_F(RecoveryTest, G6_RedoMayDirtyMoreThanTheMemory) {
  options_.memory_bytes = uint64_t{4} << 20;
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  Open();
  // Keys far apart, so that small records touch many pages.
  for (int i = 0; i < 16000; ++i) {
    const int key = static_cast<int>(uint64_t{7919} * static_cast<uint64_t>(i) % 16000);
    KEEL_ASSERT_OK(db_->Put(Numbered("k", key), std::string(400, 'a'), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Sync());
  Crash();
  Open();
  ASSERT_NE(db_, nullptr);
  EXPECT_EQ(db_->recovery_report().transactions_replayed, 16000U);
  EXPECT_GT(db_->Stats().memory.pages_written, db_->Stats().memory.frames);
  EXPECT_EQ(*db_->Count(), 16000U);
}

TEST_F(RecoveryTest, ReadOnlyOpenOfACrashedDatabaseShowsTheLogAndWritesNothing) {
  Open();
  const Keyspace keyspace = *db_->OpenKeyspace("side");
  KEEL_ASSERT_OK(db_->Checkpoint());
  for (int i = 0; i < 300; ++i) KEEL_ASSERT_OK(db_->Put(keyspace, Numbered("k", i), "v"));
  const std::string large(100000, 'L');
  KEEL_ASSERT_OK(db_->Put("large", large));
  KEEL_ASSERT_OK(db_->DeleteRange(keyspace, KeyRange("k000010", "k000020")));
  Crash();
  const auto read_bytes = [&] {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path()] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return files;
  };
  const auto before = read_bytes();
  options_.read_only = true;
  Open();
  EXPECT_EQ(*db_->Count(*db_->OpenKeyspace("side")), 290U);
  EXPECT_EQ(GetText(*db_, "large"), large);
  ExpectSound();
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  const absl::StatusOr<RecoveryReport> dry = Database::DryRunRecovery(directory(), options_);
  ASSERT_TRUE(dry.ok()) << dry.status();
  EXPECT_EQ(dry->transactions_replayed, 302U);
  EXPECT_EQ(read_bytes(), before);
  options_.read_only = false;
  Open();
  EXPECT_EQ(*db_->Count(*db_->OpenKeyspace("side")), 290U);
}

// What broke: what a transaction with a savepoint had made was kept by redo when the next one replaced it.
TEST_F(RecoveryTest, G8_TransactionsWithSavepointsTakeNoMoreSpaceInRedo) {
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  options_.background = Background::kManual;
  Open();
  for (int i = 0; i < 3000; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(300, 'x'), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Checkpoint());
  for (int i = 0; i < 3000; ++i) {
    absl::StatusOr<Transaction> transaction = db_->Begin();
    KEEL_ASSERT_OK(transaction.status());
    transaction->SetSavepoint();
    KEEL_ASSERT_OK(transaction->Put(Numbered("k", 7), std::string(300, 'y')));
    KEEL_ASSERT_OK(transaction->Commit({Durability::kNone}).status());
  }
  KEEL_ASSERT_OK(db_->Sync());
  const uint64_t before = db_->Stats().pages.file_pages;
  Crash();
  Open();
  EXPECT_EQ(db_->recovery_report().transactions_replayed, 3000U);
  EXPECT_LE(db_->Stats().pages.file_pages, before + 1000);
}

// As many savepoints as the memory allows, however many a log asks for.
TEST_F(RecoveryTest, G6_RedoSetsNoMoreSavepointsThanTheMemoryAllows) {
  options_.memory_bytes = uint64_t{16} << 20;
  Open();
  absl::StatusOr<Transaction> transaction = db_->Begin();
  KEEL_ASSERT_OK(transaction.status());
  for (int i = 0; i < 500; ++i) ASSERT_NE(transaction->SetSavepoint(), Savepoint{0});
  KEEL_ASSERT_OK(transaction->Put("k", "1"));
  KEEL_ASSERT_OK(transaction->Commit().status());
  Crash();
  options_.memory_bytes = uint64_t{4} << 20;
  const absl::Status refused = Database::Open(directory(), options_).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  options_.memory_bytes = uint64_t{16} << 20;
  Open();
  EXPECT_EQ(GetText(*db_, "k"), "1");
}

TEST_F(RecoveryTest, RandomWorkWithManyCrashes) {
  std::mt19937_64 random(TestSeed());
  options_.checkpoint_log_bytes = uint64_t{1} << 20;
  options_.log_segment_bytes = uint64_t{256} << 10;
  Open();
  Contents expected;
  for (int round = 0; round < 25; ++round) {
    const int commits = static_cast<int>(random() % 150);
    for (int i = 0; i < commits; ++i) {
      WriteBatch batch;
      for (uint64_t n = 1 + random() % 20; n > 0; --n) {
        const std::string key = Numbered("k", static_cast<int>(random() % 3000));
        if (random() % 4 == 0) {
          batch.Delete(key);
          expected.erase(key);
        } else {
          const std::string value(random() % 400, static_cast<char>('a' + random() % 26));
          batch.Put(key, value);
          expected[key] = value;
        }
      }
      if (random() % 50 == 0) {
        const std::string begin = Numbered("k", static_cast<int>(random() % 3000));
        const std::string end = begin + "~";
        batch.DeleteRange(KeyRange(begin.substr(0, 5), end));
        expected.erase(expected.lower_bound(begin.substr(0, 5)), expected.lower_bound(end));
      }
      const Durability durability = random() % 2 == 0 ? Durability::kSync : Durability::kNone;
      const absl::StatusOr<Lsn> lsn = db_->Write(batch, {durability});
      ASSERT_TRUE(lsn.ok()) << lsn.status();
    }
    KEEL_ASSERT_OK(db_->Sync());
    if (random() % 4 == 0) KEEL_ASSERT_OK(db_->Checkpoint());
    if (random() % 3 != 0) {
      Crash();
      Open();
    } else {
      Reopen();
    }
    ASSERT_EQ(ReadAll(*db_), expected) << "round " << round;
  }
}

TEST_F(RecoveryTest, G3_DamagedPageNamesItselfAndTheRestStaysReadable) {
  Open();
  for (int i = 0; i < 5000; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(100, 'v'), {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  // One bit in one leaf: the page that holds this value.
  std::fstream file(directory() / "data.keel", std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  size_t leaf = std::string::npos;
  for (size_t page = 4096; page + 4096 <= bytes.size(); page += 4096) {
    if (bytes[page + 24] == 1 && bytes[page + 9] != 0) leaf = page;
  }
  for (size_t page = 4096; leaf == std::string::npos && page + 4096 <= bytes.size(); page += 4096) {
    if (bytes[page + 24] == 1) leaf = page;
  }
  ASSERT_NE(leaf, std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(leaf + 3000));
  file.put(static_cast<char>(bytes[leaf + 3000] ^ 1));
  file.close();

  skip_check_ = true;
  Open();
  int lost = 0;
  int found = 0;
  for (int i = 0; i < 5000; ++i) {
    const absl::StatusOr<PinnedValue> value = db_->Get(Numbered("k", i));
    if (value.ok()) {
      EXPECT_EQ(value->view(), std::string(100, 'v'));
      ++found;
    } else {
      EXPECT_TRUE(absl::IsDataLoss(value.status())) << value.status();
      EXPECT_THAT(std::string(MessageOf(value.status())), ::testing::HasSubstr("page"));
      ++lost;
    }
  }
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 100);
  EXPECT_EQ(found + lost, 5000);
  const absl::StatusOr<CheckReport> report = db_->Check();
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->damages.size(), 1U);
  EXPECT_TRUE(report->damages[0].has_key_range);
}

// What only a damaged page leads to is not lost space.
TEST_F(RecoveryTest, G3_WhatDamageHidesIsNotCalledLeaked) {
  Open();
  for (int i = 0; i < 5; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), std::string(50000, 'v')));
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  std::fstream file(directory() / "data.keel", std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  file.clear();
  for (size_t page = 4096; page + 4096 <= bytes.size(); page += 4096) {
    if (bytes[page + 24] != 1) continue;  // a leaf, or what looks like one
    file.seekp(static_cast<std::streamoff>(page + 3000));
    file.put(static_cast<char>(bytes[page + 3000] ^ 1));
  }
  file.close();

  skip_check_ = true;
  Open();
  const absl::StatusOr<CheckReport> report = db_->Check();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->space_checked);
  EXPECT_EQ(report->damages.size(), 1U);
  EXPECT_EQ(report->leaked_pages, 0U);
}

}  // namespace
}  // namespace keel::testing
