// Optimistic transactions: own changes over a snapshot, and conflicts found exactly where they are.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

class OptimisticTransactionTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }

  Transaction Begin(Isolation isolation = Isolation::kSerializable) {
    TransactionOptions options;
    options.concurrency = Concurrency::kOptimistic;
    options.isolation = isolation;
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    return *std::move(transaction);
  }
  void PutKeys(int count) {
    for (int i = 0; i < count; ++i) {
      KEEL_ASSERT_OK(db_->Put({}, Numbered("k", i), "x", {Durability::kNone}));
    }
  }
};

TEST_F(OptimisticTransactionTest, ReadsItsSnapshotAndItsOwnChanges) {
  KEEL_ASSERT_OK(db_->Put("a", "0"));
  KEEL_ASSERT_OK(db_->Put("b", "0"));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  KEEL_ASSERT_OK(transaction.Delete("b"));
  KEEL_ASSERT_OK(db_->Put("c", "later"));
  EXPECT_EQ(ReadAll(transaction), (Contents{{"a", "1"}}));
  EXPECT_EQ(GetText(transaction, "b"), "NotFound");
  EXPECT_EQ(GetText(transaction, "c"), "NotFound");
  EXPECT_EQ(*transaction.Count(), 1U);
  EXPECT_EQ(GetText(*db_, "a"), "0");
}

TEST_F(OptimisticTransactionTest, CommitMakesEverythingVisibleAtOnce) {
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  KEEL_ASSERT_OK(transaction.Put("b", std::string(100000, 'l')));
  KEEL_ASSERT_OK(transaction.Commit().status());
  EXPECT_EQ(GetText(*db_, "a"), "1");
  EXPECT_EQ(GetText(*db_, "b").size(), 100000U);
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Put("c", "3")));
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction.Commit().status()));
}

TEST_F(OptimisticTransactionTest, ManyAreOpenAtOnceOnOneThread) {
  std::vector<Transaction> transactions;
  transactions.reserve(20);
  for (int i = 0; i < 20; ++i) transactions.push_back(Begin());
  int number = 0;
  for (Transaction& transaction : transactions) {
    KEEL_ASSERT_OK(transaction.Put(Numbered("k", number++), "x"));
  }
  for (Transaction& transaction : transactions) KEEL_ASSERT_OK(transaction.Commit().status());
  EXPECT_EQ(*db_->Count(), 20U);
}

TEST_F(OptimisticTransactionTest, TheFirstCommitterWins) {
  for (const bool read : {false, true}) {
    const Isolation isolation = read ? Isolation::kSerializable : Isolation::kSnapshot;
    Transaction first = Begin(isolation);
    Transaction second = Begin(isolation);
    EXPECT_EQ(read ? GetText(first, "key") : "second", "second");
    KEEL_ASSERT_OK(first.Put("key", "first"));
    KEEL_ASSERT_OK(second.Put("key", read ? "third" : "second"));
    KEEL_ASSERT_OK(second.Commit().status());
    const absl::Status lost = first.Commit().status();
    EXPECT_TRUE(absl::IsAborted(lost)) << lost;
    EXPECT_THAT(std::string(MessageOf(lost)), HasSubstr("key \"key\" of keyspace \"default\""));
    EXPECT_TRUE(absl::IsFailedPrecondition(first.Put("key", "again")));
  }
}

TEST_F(OptimisticTransactionTest, WhoWritesWithoutLookingMindsNothingWhenSerializable) {
  KEEL_ASSERT_OK(db_->Put("key", "0"));
  KEEL_ASSERT_OK(db_->Put("range1", "0"));
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put("key", "blind"));
  KEEL_ASSERT_OK(transaction.DeleteRange(KeyRange::Prefix("range")));
  KEEL_ASSERT_OK(db_->Put("key", "other"));
  KEEL_ASSERT_OK(db_->Put("range2", "other"));
  KEEL_ASSERT_OK(transaction.Commit().status());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"key", "blind"}}));
}

TEST_F(OptimisticTransactionTest, WhatWasOnlyReadMattersToSerializableAlone) {
  KEEL_ASSERT_OK(db_->Put("read", "0"));
  for (const Isolation isolation : {Isolation::kSnapshot, Isolation::kSerializable}) {
    Transaction transaction = Begin(isolation);
    EXPECT_NE(GetText(transaction, "read"), "NotFound");
    KEEL_ASSERT_OK(transaction.Put("written", "x"));
    KEEL_ASSERT_OK(db_->Put("read", absl::StrCat("changed", static_cast<int>(isolation))));
    EXPECT_EQ(transaction.Commit().ok(), isolation == Isolation::kSnapshot);
  }
}

TEST_F(OptimisticTransactionTest, AKeyThatWasNotFoundMustNotComeToBe) {
  Transaction transaction = Begin();
  EXPECT_EQ(GetText(transaction, "none"), "NotFound");
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  KEEL_ASSERT_OK(db_->Put("none", "there"));
  EXPECT_TRUE(absl::IsAborted(transaction.Commit().status()));
}

TEST_F(OptimisticTransactionTest, PhantomsAreFoundInWhatWasScanned) {
  for (int i = 0; i < 10; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "x"));
  for (const bool inside : {false, true}) {
    Transaction transaction = Begin();
    Cursor cursor = transaction.NewCursor();
    cursor.Seek("k000003");
    for (int i = 0; i < 3; ++i) cursor.Next();
    ASSERT_EQ(cursor.key(), "k000006");
    KEEL_ASSERT_OK(transaction.Put("other", absl::StrCat(inside)));
    KEEL_ASSERT_OK(db_->Put(inside ? "k000004x" : "k000006x", "phantom"));
    EXPECT_EQ(absl::IsAborted(transaction.Commit().status()), inside);
  }
}

TEST_F(OptimisticTransactionTest, OfWhatWasCountedOnlyTheNumberMatters) {
  for (int i = 0; i < 10; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "x"));
  Transaction same = Begin();
  EXPECT_EQ(*same.Count(KeyRange::Prefix("k")), 10U);
  KEEL_ASSERT_OK(same.Put("a", "1"));
  KEEL_ASSERT_OK(db_->Put("k000005", "another value"));
  KEEL_EXPECT_OK(same.Commit().status());
  Transaction moved = Begin();
  EXPECT_EQ(*moved.Count(KeyRange("k000000", "k000005")), 5U);
  EXPECT_EQ(*moved.Count(KeyRange("k000005", "k000009z")), 5U);
  KEEL_ASSERT_OK(moved.Put("a", "2"));
  WriteBatch batch;
  batch.Delete("k000001");
  batch.Put("k000007x", "x");
  KEEL_ASSERT_OK(db_->Write(batch).status());
  EXPECT_TRUE(absl::IsAborted(moved.Commit().status())) << "the sum is the same, the numbers not";
}

TEST_F(OptimisticTransactionTest, ReadCommittedSeesTheNewestAndNeverConflicts) {
  KEEL_ASSERT_OK(db_->Put("a", "0"));
  Transaction transaction = Begin(Isolation::kReadCommitted);
  EXPECT_EQ(GetText(transaction, "a"), "0");
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  EXPECT_EQ(GetText(transaction, "a"), "1");
  KEEL_ASSERT_OK(transaction.Put("a", "own"));
  KEEL_ASSERT_OK(db_->Put("a", "2"));
  EXPECT_EQ(GetText(transaction, "a"), "own");
  KEEL_ASSERT_OK(transaction.Commit().status());
  EXPECT_EQ(GetText(*db_, "a"), "own");
}

TEST_F(OptimisticTransactionTest, AKeyspaceThatIsDroppedMeanwhileIsAConflict) {
  const absl::StatusOr<Keyspace> keyspace = db_->OpenKeyspace("gone");
  ASSERT_TRUE(keyspace.ok());
  Transaction transaction = Begin();
  KEEL_ASSERT_OK(transaction.Put(*keyspace, "a", "1"));
  KEEL_ASSERT_OK(db_->DropKeyspace("gone"));
  const absl::Status status = transaction.Commit().status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("gone"));
}

// Missing is an answer too.
TEST_F(OptimisticTransactionTest, AKeyspaceThatIsMadeMeanwhileIsAConflict) {
  for (const int way : {0, 1, 2, 3}) {
    SCOPED_TRACE(way);
    Transaction transaction = Begin();
    const absl::StatusOr<Keyspace> later = db_->OpenKeyspace(absl::StrCat("later", way));
    ASSERT_TRUE(later.ok());
    switch (way) {
      case 0:
        EXPECT_TRUE(absl::IsNotFound(transaction.Get(*later, "key").status()));
        break;
      case 1:
        EXPECT_TRUE(absl::IsNotFound(transaction.Count(*later).status()));
        break;
      case 2:
        EXPECT_TRUE(absl::IsNotFound(transaction.NewCursor(*later).status()));
        break;
      default:
        EXPECT_TRUE(absl::IsNotFound(transaction.Put(*later, "key", "value")));
    }
    KEEL_ASSERT_OK(transaction.Put("flag", absl::StrCat("absent", way)));
    const absl::Status status = transaction.Commit().status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("made meanwhile"));
  }
}

TEST_F(OptimisticTransactionTest, AKeyspaceThatWasLookedIntoAndIsDroppedIsAConflict) {
  const absl::StatusOr<Keyspace> keyspace = db_->OpenKeyspace("gone");
  ASSERT_TRUE(keyspace.ok());
  Transaction transaction = Begin();
  EXPECT_EQ(GetText(transaction, "key", *keyspace), "NotFound");
  KEEL_ASSERT_OK(transaction.Put("a", "1"));
  KEEL_ASSERT_OK(db_->DropKeyspace("gone"));
  KEEL_ASSERT_OK(db_->OpenKeyspace("gone").status());  // another one
  EXPECT_TRUE(absl::IsAborted(transaction.Commit().status()));
}

// The count was right because k was there; the rollback takes the write back, not the answer.
TEST_F(OptimisticTransactionTest, WhatACountFoundUnderOwnChangesWasRead) {
  for (const bool range : {false, true}) {
    KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::All()));
    KEEL_ASSERT_OK(db_->Put("a", "1"));
    KEEL_ASSERT_OK(db_->Put("k", "1"));
    Transaction transaction = Begin();
    const Savepoint savepoint = transaction.SetSavepoint();
    if (range) {
      KEEL_ASSERT_OK(transaction.DeleteRange(KeyRange("k", "l")));
    } else {
      KEEL_ASSERT_OK(transaction.Put("k", "own"));
    }
    EXPECT_EQ(*transaction.Count(), range ? 1U : 2U);
    KEEL_ASSERT_OK(transaction.RollbackTo(savepoint));
    KEEL_ASSERT_OK(transaction.Put("z", "1"));
    WriteBatch others;  // as many keys as before
    others.Delete("k");
    others.Put("j", "1");
    KEEL_ASSERT_OK(db_->Write(others).status());
    EXPECT_TRUE(absl::IsAborted(transaction.Commit().status()));
  }
}

TEST_F(OptimisticTransactionTest, PhantomsAreFoundInEveryWayOfLooking) {
  struct Look {
    const char* phantom;
    std::function<void(Cursor&)> look;
  };
  const std::vector<Look> looks = {
      {"k5", [](Cursor& c) { c.SeekToFirst(); }},               // before the first
      {"k95", [](Cursor& c) { c.SeekToLast(); }},               // behind the last
      {"k75", [](Cursor& c) { c.Seek("k7"), c.Seek("k71"); }},  // between seek and find
      {"k75", [](Cursor& c) { c.SeekForPrev("k79"); }},         // the same backward
      {"k85", [](Cursor& c) { c.SeekToLast(), c.Prev(); }},     // a step backward
      {"k99", [](Cursor& c) { c.Seek("k95"); }},                // found nothing
      {"k55", [](Cursor& c) { c.SeekForPrev("k59"); }},         // found nothing
  };
  for (const Look& look : looks) {
    SCOPED_TRACE(look.phantom);
    KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::All()));
    for (const char* key : {"k6", "k7", "k8", "k9"}) KEEL_ASSERT_OK(db_->Put(key, "x"));
    Transaction transaction = Begin();
    Cursor cursor = transaction.NewCursor();
    look.look(cursor);
    KEEL_ASSERT_OK(cursor.status());
    KEEL_ASSERT_OK(transaction.Put("other", "x"));
    KEEL_ASSERT_OK(db_->Put(look.phantom, "phantom"));
    EXPECT_TRUE(absl::IsAborted(transaction.Commit().status()));
  }
}

TEST_F(OptimisticTransactionTest, ACursorThatNeverMovedHasReadNothing) {
  Transaction transaction = Begin();
  Cursor cursor = transaction.NewCursor();
  KEEL_ASSERT_OK(transaction.Put("other", "x"));
  KEEL_ASSERT_OK(db_->Put("key", "x"));
  KEEL_EXPECT_OK(transaction.Commit().status());
}

// Of many keys relied on, or many changes, the one that matters is found whichever way is taken.
TEST_F(OptimisticTransactionTest, ConflictsAreFoundAmongMany) {
  for (int i = 0; i < 2000; ++i) {
    KEEL_ASSERT_OK(db_->Put({}, Numbered("k", i), "0", {Durability::kNone}));
  }
  int round = 0;
  for (const Isolation isolation : {Isolation::kSerializable, Isolation::kSnapshot}) {
    for (const int changes : {1, 1000}) {
      for (const bool conflict : {false, true}) {
        SCOPED_TRACE(absl::StrCat(static_cast<int>(isolation), " ", changes, " ", conflict));
        ++round;
        Transaction transaction = Begin(isolation);
        for (int i = 0; i < 1000; i += 2) {
          if (isolation == Isolation::kSnapshot) {
            KEEL_ASSERT_OK(transaction.Put(Numbered("k", i), absl::StrCat("own", round)));
          } else {
            EXPECT_NE(GetText(transaction, Numbered("k", i)), "NotFound");
          }
        }
        KEEL_ASSERT_OK(transaction.Put("z", absl::StrCat(round)));
        for (int i = 0; i < changes; ++i) {
          const int key = conflict && i == changes / 2 ? 500 : i < 500 ? 2 * i + 1 : 500 + i;
          KEEL_ASSERT_OK(
              db_->Put({}, Numbered("k", key), absl::StrCat("new", round), {Durability::kNone}));
        }
        EXPECT_EQ(absl::IsAborted(transaction.Commit().status()), conflict);
      }
    }
  }
}

// A page that is damaged in the old version, where others have written, is no matter of who has
// not read there.
TEST_F(OptimisticTransactionTest, G3_DamageElsewhereDoesNotFailTheValidation) {
  constexpr int kKeys = 20000;  // more than the memory holds
  const std::string marked = "here is the damage";
  for (int i = 0; i < kKeys; ++i) {
    const std::string value = i == kKeys - 50 ? marked : std::string(600, 'v');
    KEEL_ASSERT_OK(db_->Put({}, Numbered("k", i), value, {Durability::kNone}));
  }
  KEEL_ASSERT_OK(db_->Checkpoint());
  Transaction near = Begin();
  Transaction far = Begin();
  for (int i = 0; i < 20; ++i) EXPECT_NE(GetText(near, Numbered("k", i)), "NotFound");
  for (int i = 0; i < 20; ++i) EXPECT_NE(GetText(far, Numbered("k", kKeys - 60 + i)), "NotFound");
  KEEL_ASSERT_OK(near.Put("near", "1"));
  KEEL_ASSERT_OK(far.Put("far", "1"));
  KEEL_ASSERT_OK(db_->Put(Numbered("k", kKeys - 50), "other"));
  for (int round = 0; round < 3; ++round) {  // evicts, which a scan alone does not
    for (int i = 0; i < kKeys - 200; ++i) KEEL_ASSERT_OK(db_->Get(Numbered("k", i)).status());
  }

  std::fstream file(directory() / "data.keel", std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  file.clear();
  int places = 0;
  for (size_t at = bytes.find(marked); at != std::string::npos; at = bytes.find(marked, at + 1)) {
    file.seekp(static_cast<std::streamoff>(at));
    file.put('H');
    ++places;
  }
  file.close();
  ASSERT_GT(places, 0);
  skip_check_ = true;
  const absl::Status met = far.Commit().status();
  EXPECT_TRUE(absl::IsDataLoss(met)) << "otherwise nothing was damaged: " << met;
  KEEL_EXPECT_OK(near.Commit().status());
}

TEST_F(OptimisticTransactionTest, MultiGetSeesOneStateAtEveryLevel) {
  KEEL_ASSERT_OK(db_->Put("a", "0"));
  KEEL_ASSERT_OK(db_->Put("b", "0"));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int n = 1; !stop; ++n) {
      WriteBatch both;
      both.Put("a", absl::StrCat(n));
      both.Put("b", absl::StrCat(n));
      KEEL_EXPECT_OK(db_->Write(both, {Durability::kNone}).status());
    }
  });
  Transaction transaction = Begin(Isolation::kReadCommitted);
  const std::vector<std::string_view> keys = {"a", "b"};
  for (int i = 0; i < 3000; ++i) {
    const auto values = transaction.MultiGet(keys);
    ASSERT_EQ(values[0]->ToString(), values[1]->ToString());
  }
  stop = true;
  writer.join();
}

TEST_F(OptimisticTransactionTest, OfADatabaseThatIsOpenForReadingOnly) {
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  KEEL_ASSERT_OK(db_->Close());
  options_.read_only = true;
  Open();
  Transaction reading = Begin();
  EXPECT_EQ(GetText(reading, "a"), "1");
  KEEL_EXPECT_OK(reading.Commit().status());
  Transaction writing = Begin();
  KEEL_EXPECT_OK(writing.Put("a", "2"));
  EXPECT_TRUE(absl::IsFailedPrecondition(writing.Commit().status()));
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  KEEL_EXPECT_OK(db_->Transact([](Transaction& t) { return t.Get("a").status(); }, options));
}

TEST_F(OptimisticTransactionTest, ARangeWithoutKeysChangesNothing) {
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  Transaction transaction = Begin();
  EXPECT_EQ(GetText(transaction, "a"), "1");
  KEEL_ASSERT_OK(transaction.DeleteRange(KeyRange("x", "b")));
  KEEL_ASSERT_OK(db_->Put("a", "2"));
  KEEL_EXPECT_OK(transaction.Commit().status());  // it has only read
}

TEST_F(OptimisticTransactionTest, AReadOnlyOneNeverConflicts) {
  KEEL_ASSERT_OK(db_->Put("a", "0"));
  Transaction transaction = Begin();
  EXPECT_EQ(GetText(transaction, "a"), "0");
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  EXPECT_EQ(GetText(transaction, "a"), "0");
  KEEL_EXPECT_OK(transaction.Commit().status());
}

TEST_F(OptimisticTransactionTest, G6_RemembersNoMoreThanItsShareOfTheMemory) {
  Transaction transaction = Begin();
  absl::Status status;
  uint64_t bytes = 0;
  for (int i = 0; status.ok(); ++i) {
    status = transaction.Put(Numbered("k", i), std::string(1000, 'v'));
    if (status.ok()) bytes += 1000;
    ASSERT_LT(bytes, options_.memory_bytes);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("kExclusive"));
  EXPECT_GT(bytes, options_.memory_bytes / 40);
  KEEL_EXPECT_OK(transaction.Commit().status());
  EXPECT_EQ(*db_->Count(), bytes / 1000);
}

TEST_F(OptimisticTransactionTest, G6_AllOfThemTogetherRememberNoMoreThanTheirShare) {
  std::vector<Transaction> transactions;
  uint64_t bytes = 0;
  for (int n = 0; n < 10; ++n) {
    transactions.push_back(Begin());
    absl::Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i) {
      status = transactions.back().Put(Numbered("k", i), std::string(1000, 'v'));
      if (status.ok()) bytes += 1000;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_LE(bytes, options_.memory_bytes / 16);
  transactions.clear();
  Transaction after = Begin();
  KEEL_EXPECT_OK(
      after.Put("a", std::string(options_.memory_bytes / 20, 'v')));  // all was given back
}

// Reads are never refused for want of memory: more is held to have been read than was.
TEST_F(OptimisticTransactionTest, G6_WhatWasReadIsRememberedMoreCoarselyWhenMemoryIsShort) {
  const int keys = 20000;
  PutKeys(keys);
  Transaction transaction = Begin();
  for (int i = 0; i < keys; i += 2) EXPECT_EQ(GetText(transaction, Numbered("k", i)), "x");
  EXPECT_EQ(*transaction.Count(), static_cast<uint64_t>(keys));
  KEEL_ASSERT_OK(transaction.Put("other", "x"));
  KEEL_ASSERT_OK(db_->Put(Numbered("k", 10000), "changed"));
  EXPECT_TRUE(absl::IsAborted(transaction.Commit().status()));
}

// Nor where others have taken all of it.
TEST_F(OptimisticTransactionTest, G6_ReadsAreNotRefusedWhenOthersHaveTakenTheShare) {
  PutKeys(100);
  Transaction reader = Begin();
  Transaction writer = Begin();
  for (int i = 0; writer.Put(Numbered("own", i), "v").ok();) ++i;
  for (int i = 0; i < 100; i += 2) EXPECT_EQ(GetText(reader, Numbered("k", i)), "x");
  EXPECT_EQ(*reader.Count(), 100U);
  EXPECT_EQ(ReadAll(reader).size(), 100U);
  writer.Rollback();
  KEEL_ASSERT_OK(reader.Put("other", "x"));
  KEEL_ASSERT_OK(db_->Put(Numbered("k", 51), "changed"));
  EXPECT_TRUE(absl::IsAborted(reader.Commit().status()));
}

// What it has made coarser it gives back: it is not to keep others out for as long as it lives.
TEST_F(OptimisticTransactionTest, G6_AReaderThatHasTakenTheShareGivesOfIt) {
  PutKeys(20000);
  Transaction reader = Begin();
  uint64_t least = UINT64_MAX;
  uint64_t most = 0;
  for (int i = 0; i < 20000; i += 2) {
    EXPECT_EQ(GetText(reader, Numbered("k", i)), "x");
    const uint64_t bytes = db_->Stats().transactions.at(0).memory_bytes;
    if (most > options_.memory_bytes / 20) least = std::min(least, bytes);
    most = std::max(most, bytes);
  }
  EXPECT_GT(most, options_.memory_bytes / 20);
  EXPECT_LT(least, most * 2 / 3);
}

// The way back from a deleted range takes more than what the range held.
TEST_F(OptimisticTransactionTest, G6_TheWayBackFromADeletedRangeIsOfTheShare) {
  Transaction transaction = Begin();
  const uint64_t share = options_.memory_bytes / 16;
  const auto taken = [&] { return db_->Stats().transactions.at(0).memory_bytes; };
  int keys = 0;
  for (; taken() < share / 2; ++keys) KEEL_ASSERT_OK(transaction.Put(Numbered("k", keys), ""));
  const Savepoint savepoint = transaction.SetSavepoint();
  ASSERT_NE(savepoint, Savepoint{0});
  const absl::Status refused = transaction.DeleteRange(KeyRange::All());
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_LE(taken(), share);
  EXPECT_EQ(*transaction.Count(), static_cast<uint64_t>(keys));
  KEEL_EXPECT_OK(transaction.DeleteRange(KeyRange::To(Numbered("k", keys / 8))));
  EXPECT_EQ(*transaction.Count(), static_cast<uint64_t>(keys - keys / 8));
  KEEL_EXPECT_OK(transaction.RollbackTo(savepoint));
  EXPECT_EQ(*transaction.Count(), static_cast<uint64_t>(keys));
}

TEST_F(OptimisticTransactionTest, TransactGoesOnAloneWhenMemoryIsShort) {
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  int runs = 0;
  KEEL_ASSERT_OK(db_->Transact(
      [&](Transaction& transaction) {
        ++runs;
        for (int i = 0; i < 1000; ++i) {
          KEEL_RETURN_IF_ERROR(transaction.Put(Numbered("k", i), std::string(1000, 'v')));
        }
        return absl::OkStatus();
      },
      options));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(*db_->Count(), 1000U);
}

TEST_F(OptimisticTransactionTest, WaitsForTheWriterNoLongerThanItMayLive) {
  absl::StatusOr<Transaction> exclusive = db_->Begin();
  ASSERT_TRUE(exclusive.ok());
  std::thread other([&] {
    TransactionOptions options;
    options.concurrency = Concurrency::kOptimistic;
    options.time_limit = absl::Milliseconds(20);
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    ASSERT_TRUE(transaction.ok());
    KEEL_EXPECT_OK(transaction->Put("a", "1"));
    EXPECT_TRUE(absl::IsDeadlineExceeded(transaction->Commit().status()));
  });
  other.join();
  exclusive->Rollback();
  EXPECT_EQ(GetText(*db_, "a"), "NotFound");
}

TEST_F(OptimisticTransactionTest, ItsTimeLimitRollsItBack) {
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  options.time_limit = absl::ZeroDuration();
  absl::StatusOr<Transaction> transaction = db_->Begin(options);
  ASSERT_TRUE(transaction.ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(transaction->Put("a", "1")));
  EXPECT_TRUE(absl::IsDeadlineExceeded(transaction->Commit().status()));
}

// --- Transact ---

TEST_F(OptimisticTransactionTest, TransactTriesAgainUntilItWins) {
  KEEL_ASSERT_OK(db_->Put("counter", "0"));
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  int runs = 0;
  KEEL_ASSERT_OK(db_->Transact(
      [&](Transaction& transaction) {
        const std::string seen = GetText(transaction, "counter");
        // Somebody else comes first, the first three times.
        if (++runs <= 3) KEEL_RETURN_IF_ERROR(db_->Put("counter", absl::StrCat(runs)));
        return transaction.Put("counter", absl::StrCat(seen, " and mine"));
      },
      options));
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(GetText(*db_, "counter"), "3 and mine");
}

TEST_F(OptimisticTransactionTest, TransactEndsInARunThatCannotLose) {
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  int runs = 0;
  bool alone = false;
  KEEL_ASSERT_OK(db_->Transact(
      [&](Transaction& transaction) {
        ++runs;
        EXPECT_NE(GetText(transaction, "counter"), "?");
        // Others are kept out only from the exclusive run.
        alone = absl::IsFailedPrecondition(db_->Put("counter", absl::StrCat(runs)));
        return transaction.Put("counter", "mine");
      },
      options));
  EXPECT_TRUE(alone);
  EXPECT_GT(runs, 2);
  EXPECT_EQ(GetText(*db_, "counter"), "mine");
}

TEST_F(OptimisticTransactionTest, TransactReturnsTheErrorOfTheWork) {
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  int runs = 0;
  const absl::Status status = db_->Transact(
      [&](Transaction&) {
        ++runs;
        return absl::AbortedError("of my own");
      },
      options);
  EXPECT_EQ(status, absl::AbortedError("of my own"));
  EXPECT_EQ(runs, 1);
}

TEST_F(OptimisticTransactionTest, NoIncrementIsLostAmongManyThreads) {
  KEEL_ASSERT_OK(db_->Put("counter", "0"));
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  options.isolation = Isolation::kSnapshot;
  const auto increment = [](Transaction& transaction) {
    int value = 0;
    if (!absl::SimpleAtoi(GetText(transaction, "counter"), &value)) return absl::InternalError("?");
    return transaction.Put("counter", absl::StrCat(value + 1));
  };
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int n = 0; n < 8; ++n) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) KEEL_EXPECT_OK(db_->Transact(increment, options));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(GetText(*db_, "counter"), "400");
}

// --- beside a model ---

// One transaction among commits of others: what it sees is its snapshot with its own changes, and its commit does
// all of it or nothing.
class Walk {
 public:
  Walk(Database* db, Isolation isolation, std::mt19937_64* random)
      : db_(db), isolation_(isolation), random_(*random) {
    TransactionOptions options;
    options.concurrency = Concurrency::kOptimistic;
    options.isolation = isolation;
    transaction_ = *db->Begin(options);
    base_ = seen_ = ReadAll(*db);
  }

  void Step();
  void Commit();

 private:
  std::string Key() { return Numbered("k", static_cast<int>(random_() % 30)); }
  void Change();
  void Read();
  void WalkCursor();

  Database* db_;
  const Isolation isolation_;
  std::mt19937_64& random_;
  std::optional<Transaction> transaction_;
  Contents base_;
  Contents seen_;
  std::vector<std::pair<Savepoint, Contents>> savepoints_;
};

void Walk::Change() {
  const std::string key = Key();
  const uint64_t kind = random_() % 8;
  if (kind < 4) {
    const std::string value = absl::StrCat("own", random_());
    KEEL_ASSERT_OK(transaction_->Put(key, value));
    seen_[key] = value;
  } else if (kind < 7) {
    KEEL_ASSERT_OK(transaction_->Delete(key));
    seen_.erase(key);
  } else {
    const std::string end = Numbered("k", static_cast<int>(random_() % 30));
    KEEL_ASSERT_OK(transaction_->DeleteRange(KeyRange(key, end)));
    if (end > key) seen_.erase(seen_.lower_bound(key), seen_.lower_bound(end));
  }
}

void Walk::Read() {
  const std::string key = Key();
  const auto found = seen_.find(key);
  ASSERT_EQ(GetText(*transaction_, key), found == seen_.end() ? "NotFound" : found->second);
  ASSERT_EQ(*transaction_->Count(KeyRange::From(key)),
            static_cast<uint64_t>(std::distance(seen_.lower_bound(key), seen_.end())));
}

void Walk::WalkCursor() {
  Cursor cursor = transaction_->NewCursor(KeyRange("k000002", "k000027"));
  Contents inside(seen_.lower_bound("k000002"), seen_.lower_bound("k000027"));
  std::string from = Key();
  cursor.Seek(from);
  auto at = inside.lower_bound(from);
  for (int n = 0; n < 12; ++n) {
    ASSERT_EQ(cursor.Valid(), at != inside.end());
    if (!cursor.Valid()) return;
    ASSERT_EQ(cursor.key(), at->first);
    ASSERT_EQ(cursor.value(), at->second);
    if (random_() % 2 == 0) {
      cursor.Next();
      ++at;
    } else {
      cursor.Prev();
      at = at == inside.begin() ? inside.end() : std::prev(at);
    }
  }
}

void Walk::Step() {
  switch (random_() % 10) {
    case 0:
      return WalkCursor();
    case 1:
      return Read();
    case 2:
      savepoints_.emplace_back(transaction_->SetSavepoint(), seen_);
      return;
    case 3:
      if (savepoints_.empty()) return;
      savepoints_.resize(1 + random_() % savepoints_.size());
      KEEL_ASSERT_OK(transaction_->RollbackTo(savepoints_.back().first));
      seen_ = savepoints_.back().second;
      return;
    default:
      return Change();
  }
}

void Walk::Commit() {
  ASSERT_EQ(ReadAll(*transaction_), seen_);
  const Contents before = ReadAll(*db_);
  const absl::Status status = transaction_->Commit().status();
  if (absl::IsAborted(status)) {
    ASSERT_NE(before, base_) << status;
    ASSERT_EQ(ReadAll(*db_), before);
    return;
  }
  ASSERT_TRUE(status.ok()) << status;
  // Serializable: it read everything above, so that nothing can have changed.
  if (isolation_ == Isolation::kSerializable && seen_ != base_) {
    ASSERT_EQ(before, base_);
  }
  const Contents after = ReadAll(*db_);
  for (const auto& [key, value] : seen_) {
    const auto base = base_.find(key);
    if (base != base_.end() && base->second == value) continue;
    ASSERT_EQ(after.at(key), value);
  }
}

TEST_F(OptimisticTransactionTest, DoAsTheirModels) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 150; ++round) {
    const Isolation isolation = random() % 2 == 0 ? Isolation::kSerializable : Isolation::kSnapshot;
    Walk walk(db_.get(), isolation, &random);
    for (int n = 0; n < 30; ++n) {
      walk.Step();
      if (HasFatalFailure()) return;
      if (round % 2 != 0 || random() % 15 != 0) continue;
      KEEL_ASSERT_OK(db_->Put(Numbered("k", static_cast<int>(random() % 30)),
                              absl::StrCat("other", random())));
    }
    walk.Commit();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace keel::testing
