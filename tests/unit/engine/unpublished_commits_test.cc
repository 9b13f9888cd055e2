// Commits that no version holds until somebody looks (engine/unpublished_commits.cc): whoever looks sees them.

#include <absl/synchronization/notification.h>

#include <atomic>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/version_registry.h"
#include "tests/support/seed.h"
#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

constexpr WriteOptions kAsync{Durability::kAsync};
constexpr WriteOptions kNone{Durability::kNone};

class UnpublishedCommitsTest : public FailingDiskTest {
 protected:
  void PutNone(std::string_view key, std::string_view value) {
    KEEL_ASSERT_OK(db_->Put(key, value, kNone));
  }
  uint64_t Count() { return db_->Count().value_or(UINT64_MAX); }
};

// More lookups in a row than are made in the working state, and commits between them.
TEST_F(UnpublishedCommitsTest, U1_EachCommitIsSeenByTheNextLookup) {
  for (int i = 0; i < 200; ++i) {
    const std::string now = std::to_string(i);
    PutNone("k", now);
    PutNone(Numbered("other", i), now);
    for (int look = 0; look < i % 90; ++look) {
      ASSERT_EQ(GetText(*db_, "k"), now);
      ASSERT_EQ(GetText(*db_, Numbered("other", i)), now);
      ASSERT_EQ(GetText(*db_, Numbered("other", i + 1)), "NotFound");
    }
  }
}

TEST_F(UnpublishedCommitsTest, U1_EveryWayToLookPublishes) {
  int value = 0;
  const auto put = [&] { PutNone("k", std::to_string(++value)); };
  const auto now = [&] { return std::to_string(value); };
  put();
  EXPECT_EQ(GetText(db_->GetSnapshot(), "k"), now());
  put();
  EXPECT_EQ(ReadAll(*db_), (Contents{{"k", now()}}));
  put();
  const std::vector<std::string_view> keys = {"k", "none"};
  const auto values = db_->MultiGet(keys);
  EXPECT_EQ(values[0].value().view(), now());
  EXPECT_TRUE(absl::IsNotFound(values[1].status()));
  PutNone("l", "1");
  EXPECT_EQ(Count(), 2U);
  put();
  for (const Concurrency concurrency : {Concurrency::kExclusive, Concurrency::kOptimistic}) {
    put();
    TransactionOptions options;
    options.concurrency = concurrency;
    auto transaction = db_->Begin(options);
    KEEL_ASSERT_OK(transaction.status());
    EXPECT_EQ(GetText(*transaction, "k"), now());
  }
  PutNone("m", "1");
  EXPECT_EQ(db_->ListKeyspaces().at(0).entries, 3U);
  const Lsn before = db_->Stats().commits.visible;
  put();
  EXPECT_GT(db_->Stats().commits.visible, before);
  KEEL_EXPECT_OK(db_->PutIf("k", std::string(now()), "changed", kNone).status());
  EXPECT_TRUE(absl::IsAborted(db_->PutIf("k", std::string(now()), "again", kNone).status()));
  EXPECT_EQ(GetText(*db_, "k"), "changed");
}

TEST_F(UnpublishedCommitsTest, U4_WhatWasSeenStaysAsItWas) {
  const std::string large(600, 'a');  // in the leaf, and pinned by who reads it
  PutNone("small", "1");
  PutNone("large", large);
  const Snapshot snapshot = db_->GetSnapshot();
  const absl::StatusOr<PinnedValue> pinned = db_->Get("large");
  KEEL_ASSERT_OK(pinned.status());
  Cursor cursor = db_->NewCursor();
  cursor.SeekToFirst();
  ASSERT_TRUE(cursor.Valid());
  for (int i = 0; i < 100; ++i) {
    PutNone("small", Numbered("later", i));
    PutNone("large", std::string(600, static_cast<char>('b' + i % 20)));
    if (i % 3 == 0) KEEL_ASSERT_OK(db_->Delete("small", kNone));
  }
  EXPECT_EQ(GetText(snapshot, "small"), "1");
  EXPECT_EQ(GetText(snapshot, "large"), large);
  EXPECT_EQ(pinned->view(), large);
  EXPECT_EQ(cursor.key(), "large");
  EXPECT_EQ(cursor.value(), large);
  cursor.Next();
  ASSERT_TRUE(cursor.Valid());
  EXPECT_EQ(cursor.value(), "1");
}

TEST_F(UnpublishedCommitsTest, U2_WhatIsRolledBackLeavesThemAlone) {
  PutNone("kept", "1");
  {
    auto transaction = db_->Begin();
    KEEL_ASSERT_OK(transaction.status());
    KEEL_ASSERT_OK(transaction->Put("kept", "2"));
    KEEL_ASSERT_OK(transaction->Put("gone", "2"));
    transaction->Rollback();
  }
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "1"}}));
  PutNone("kept", "3");
  WriteBatch batch;
  batch.Put("gone", "1");
  batch.Put(std::string(5000, 'k'), "too long a key");
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Write(batch, kNone).status()));
  EXPECT_EQ(ReadAll(*db_), (Contents{{"kept", "3"}}));
}

TEST_F(UnpublishedCommitsTest, U2_WhatCannotStayUnpublishedIsCommittedAllTheSame) {
  PutNone("a", "1");
  PutNone("extents", std::string(100'000, 'x'));
  PutNone("b", "1");
  PutNone("extents", "small");
  KEEL_ASSERT_OK(db_->Delete("none", kNone));
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::From("b"), kNone));
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "1"}}));
  ExpectSound();
}

// What broke in a first draft: a commit that waits for its flush stands before them, and became the visible one.
TEST(VersionRegistryTest, V5_AFlushDoesNotUncoverWhatIsOlder) {
  const auto guards = pager::GuardDomain::Create();
  const auto version = [](uint64_t n) {
    return std::make_shared<const engine::Version>(
        engine::Version{MakeEpoch(1, n), Lsn{n}, CommitNumber{n}, {}});
  };
  engine::VersionRegistry registry(version(1), nullptr, guards.get());
  registry.Publish(version(2), {});
  registry.Hide();
  registry.AdvanceVisible(Lsn{2});
  EXPECT_EQ(registry.visible(), nullptr);
  EXPECT_EQ(registry.Visible()->lsn, Lsn{2});
  registry.Reveal(version(3), {});
  ASSERT_NE(registry.visible(), nullptr);
  EXPECT_EQ(registry.visible()->lsn, Lsn{3});
}

// What broke: revealing stepped through a version that had waited for its flush, for a moment without what was hidden.
TEST(VersionRegistryTest, V5_RevealingShowsNoneInBetween) {
  const auto guards = pager::GuardDomain::Create();
  const auto version = [](uint64_t n) {
    return std::make_shared<const engine::Version>(
        engine::Version{MakeEpoch(1, n), Lsn{n}, CommitNumber{n}, {}});
  };
  engine::VersionRegistry registry(version(1), nullptr, guards.get());
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over) {
      const pager::ReadGuard guard(*guards);
      const engine::Version* const seen = registry.visible();
      ASSERT_TRUE(seen == nullptr || seen->lsn.value % 2 == 1) << seen->lsn.value;
    }
  });
  for (uint64_t n = 2; n < 40'000; n += 2) {
    registry.Publish(version(n), {});
    registry.Hide();
    registry.Reveal(version(n + 1), {});
  }
  over = true;
  reader.join();
}

// Pages that only it has may be used again (U6).
TEST(VersionRegistryTest, V6_NobodyComesToKeepAHiddenVersion) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto guards = pager::GuardDomain::Create();
  const auto version = std::make_shared<const engine::Version>(
      engine::Version{MakeEpoch(1, 5), Lsn{5}, CommitNumber{5}, {}});
  engine::VersionRegistry registry(version, nullptr, guards.get());
  using Holder = pager::Reclaimer::Holder;
  EXPECT_DEATH(registry.HolderOf(MakeEpoch(1, 3)), "invariant violated");
  const engine::VersionKeeper before = registry.KeepVisible();
  EXPECT_TRUE(before);
  registry.Hide();
  EXPECT_FALSE(registry.KeepVisible());
  EXPECT_DEATH(registry.KeepForCheckpoint(), "invariant violated");
  EXPECT_DEATH(registry.KeepUnpublished(MakeEpoch(1, 9)), "invariant violated");
  EXPECT_EQ(registry.HolderOf(MakeEpoch(1, 3)), Holder::kReader);
  EXPECT_EQ(registry.HolderOf(MakeEpoch(1, 6)), Holder::kNobody);
  registry.Reveal(std::make_shared<const engine::Version>(
                      engine::Version{MakeEpoch(1, 8), Lsn{8}, CommitNumber{8}, {}}),
                  {});
  EXPECT_EQ(registry.KeepVisible()->epoch, MakeEpoch(1, 8));
}

// More leaves than may be of one epoch, so that pages are frozen, copied, freed and used again all the time.
TEST_F(UnpublishedCommitsTest, U6_WhatIsKeptStaysWhatIsNotIsUsedAgain) {
  std::mt19937_64 random(TestSeed());
  constexpr int kRows = 10'000;
  Contents model;
  std::vector<std::pair<Snapshot, Contents>> kept;
  const auto put = [&] {
    const std::string key = Numbered("k", static_cast<int>(random() % kRows));
    const std::string value(random() % 200, static_cast<char>('a' + random() % 26));
    PutNone(key, value);
    model[key] = value;
  };
  for (int round = 0; round < 60; ++round) {
    for (uint64_t i = 0, puts = 1 + random() % 3000; i < puts; ++i) put();
    switch (random() % 5) {
      case 0:
        kept.emplace_back(db_->GetSnapshot(), model);
        break;
      case 1:
        KEEL_ASSERT_OK(db_->Checkpoint());
        break;
      case 2:
        if (!kept.empty())
          kept.erase(kept.begin() + static_cast<ptrdiff_t>(random() % kept.size()));
        break;
      case 3:  // a version that nobody keeps
        db_->GetSnapshot();
        break;
      default:
        EXPECT_EQ(GetText(*db_, model.begin()->first), model.begin()->second);
    }
    for (const auto& [snapshot, contents] : kept) ASSERT_EQ(ReadAll(snapshot), contents);
  }
  EXPECT_EQ(ReadAll(*db_), model);
  ExpectSound();
  KEEL_ASSERT_OK(db_->Sync());
  OpenOn(disk_.Copy());
  EXPECT_EQ(ReadAll(*db_), model);
  ExpectSound();
}

// Without a publication in between: else a version would cost the file one more of its size.
TEST_F(UnpublishedCommitsTest, U6_WhatNobodyKeepsIsFreeBeforeTheNextPublication) {
  constexpr int kRows = 7000;
  options_.page_bytes = 512;
  options_.direct_io = false;
  options_.checkpoint_log_bytes = uint64_t{64} << 20;
  OpenOn(std::make_unique<MemoryFileSystem>());
  ASSERT_NE(db_, nullptr);
  const auto put_all = [&](char fill) {
    for (int i = 0; i < kRows; ++i) PutNone(Numbered("k", i), std::string(40, fill));
  };
  put_all('a');
  KEEL_ASSERT_OK(db_->Checkpoint());  // keeps these pages
  put_all('b');
  const DatabaseStats before = db_->Stats();  // publishes
  ASSERT_GT(before.pages.dead_pages_held, 500U) << "as many pages as a version has";
  put_all('c');
  const DatabaseStats after = db_->Stats();
  EXPECT_LT(after.pages.file_pages, before.pages.file_pages + before.pages.dead_pages_held / 4);
  EXPECT_EQ(Count(), uint64_t{kRows});
  ExpectSound();
}

TEST_F(UnpublishedCommitsTest, U5_WhatWasAnsweredIsSeenAfterAFailureToo) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  PutNone("answered", "1");
  Fail(Syncs(io::SyncPurpose::kLogFlush), 1);
  EXPECT_EQ(db_->Put("doubt", "1").code(), absl::StatusCode::kUnknown);
  ExpectStopped();
  EXPECT_EQ(GetText(*db_, "answered"), "1");
  EXPECT_EQ(GetText(*db_, "doubt"), "NotFound");
}

TEST_F(UnpublishedCommitsTest, U5_NoneComesOnceItHasStopped) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  PutNone("answered", "1");
  Fail(Syncs(io::SyncPurpose::kSuperblock), 1);
  EXPECT_FALSE(db_->Checkpoint().ok());
  EXPECT_TRUE(absl::IsUnavailable(db_->Put("answered", "2", kNone)));
  EXPECT_EQ(GetText(*db_, "answered"), "1");
}

TEST_F(UnpublishedCommitsTest, G2_ACrashLeavesAPrefixOfThem) {
  KEEL_ASSERT_OK(db_->Put("kept", "1"));
  for (int i = 0; i < 50; ++i) PutNone("count", std::to_string(i));
  KEEL_ASSERT_OK(db_->Sync());
  for (int i = 50; i < 60; ++i) PutNone("count", std::to_string(i));
  OpenOn(disk_.Copy());
  EXPECT_EQ(GetText(*db_, "count"), "49");
  ExpectSound();
}

// Batches of all kinds, after so many commits without a look that they may stay unpublished, beside a model.
TEST_F(UnpublishedCommitsTest, U2_BatchesAreWholeAndSeenAtOnce) {
  std::mt19937_64 random(TestSeed());
  Contents model;
  for (int round = 0; round < 30; ++round) {
    for (int quiet = 0; quiet < 20; ++quiet) {
      PutNone("quiet", std::to_string(quiet));
      model["quiet"] = std::to_string(quiet);
    }
    for (int commit = 0; commit < 10; ++commit) {
      WriteBatch batch;
      // Half of them small enough to stay unpublished with this little memory.
      const uint64_t rows = 1 + random() % (random() % 2 == 0 ? 12 : 200);
      for (uint64_t i = 0; i < rows; ++i) {
        const std::string key = Numbered("k", static_cast<int>(random() % 3000));
        const uint64_t kind = random() % 400;
        const size_t bytes = kind == 0 ? 20'000 : random() % 300;  // in extents, now and then
        if (kind == 1) {
          batch.Delete(key);
          model.erase(key);
        } else {
          const std::string value(bytes, static_cast<char>('a' + random() % 26));
          batch.Put(key, value);
          model[key] = value;
        }
      }
      KEEL_ASSERT_OK(db_->Write(batch, kNone).status());
      if (random() % 8 == 0) KEEL_ASSERT_OK(db_->Checkpoint());
    }
    ASSERT_EQ(ReadAll(*db_), model);
  }
  OpenOn(disk_.Copy());  // whatever is there passes its checks
  ExpectSound();
}

// What broke: the commit that it had met was published, its flush still under way, and the next lookup did not see it.
TEST_F(UnpublishedCommitsTest, U1_WhoChangesNothingMakesVisibleWhatItHasMet) {
  for (const auto& [options, conditional] :
       {std::pair(kAsync, false), {kNone, false}, {kAsync, true}, {kNone, true}}) {
    KEEL_ASSERT_OK(db_->Put("k", "1"));
    absl::Notification syncing;
    absl::Notification go_on;
    disk_.set_fault([&](const Call& call) {
      if (Syncs(io::SyncPurpose::kLogFlush)(call) && !syncing.HasBeenNotified()) {
        syncing.Notify();
        go_on.WaitForNotification();
      }
      return absl::OkStatus();
    });
    std::thread other([&] { KEEL_EXPECT_OK(conditional ? db_->Put("k", "2") : db_->Delete("k")); });
    syncing.WaitForNotification();
    if (conditional) {
      EXPECT_TRUE(absl::IsAborted(db_->PutIf("k", std::string("1"), "3", options).status()));
      EXPECT_EQ(GetText(*db_, "k"), "2");
    } else {
      KEEL_EXPECT_OK(db_->Delete("k", options));
      EXPECT_EQ(GetText(*db_, "k"), "NotFound");
    }
    go_on.Notify();
    other.join();
    Heal();
  }
}

// What broke: a commit that others have seen was answered as one that certainly is not done.
TEST_F(UnpublishedCommitsTest, G4_WhatOthersHaveSeenIsUnknownWhenItsFlushFails) {
  for (const bool in_transaction : {false, true}) {
    absl::Notification syncing;
    absl::Notification go_on;
    disk_.set_fault([&](const Call& call) {
      if (!Syncs(io::SyncPurpose::kLogFlush)(call)) return absl::OkStatus();
      if (!syncing.HasBeenNotified()) {
        syncing.Notify();
        go_on.WaitForNotification();
      }
      return absl::Status(kEio, "injected failure");
    });
    const auto commit = [&](const char* key) {
      if (!in_transaction) return db_->Put(key, "1");
      absl::StatusOr<Transaction> transaction = db_->Begin();
      if (!transaction.ok()) return transaction.status();
      const absl::Status put = transaction->Put(key, "1");
      return put.ok() ? transaction->Commit().status() : put;
    };
    std::thread first([&] { EXPECT_TRUE(absl::IsUnknown(commit("first"))); });
    syncing.WaitForNotification();
    absl::Status answer;
    std::thread second([&] { answer = commit("k"); });
    while (GetText(*db_, "k") != "1") PutNone("behind", "it");
    go_on.Notify();
    first.join();
    second.join();
    EXPECT_TRUE(absl::IsUnknown(answer)) << answer;
    EXPECT_EQ(GetText(*db_, "k"), "1");
    Heal();
    Open();
    KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::All()));
  }
}

// What broke since batches stay unpublished: its record was in the log by the time that the keyspace was missed.
TEST_F(UnpublishedCommitsTest, U2_ABatchForADroppedKeyspaceIsRefusedWhole) {
  const absl::StatusOr<Keyspace> doomed = db_->OpenKeyspace("doomed");
  KEEL_ASSERT_OK(doomed.status());
  KEEL_ASSERT_OK(db_->DropKeyspace("doomed"));
  for (int quiet = 0; quiet < 20; ++quiet) PutNone("quiet", std::to_string(quiet));
  WriteBatch batch;
  batch.Put("half", "way");
  batch.Put(*doomed, "no", "where");
  batch.Put("all the", "way");
  EXPECT_TRUE(absl::IsNotFound(db_->Write(batch, kNone).status()));
  EXPECT_EQ(ReadAll(*db_), (Contents{{"quiet", "19"}}));
  PutNone("behind", "it");
  KEEL_ASSERT_OK(db_->Sync());
  OpenOn(disk_.Copy());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"behind", "it"}, {"quiet", "19"}}));
}

// Neighbours by key, not by keyspace. Few rows: with this little memory a larger batch would be published.
TEST_F(UnpublishedCommitsTest, U2_RowsOfABatchStayInTheirKeyspaces) {
  const absl::StatusOr<Keyspace> other = db_->OpenKeyspace("other");
  KEEL_ASSERT_OK(other.status());
  for (int quiet = 0; quiet < 20; ++quiet) PutNone("quiet", std::to_string(quiet));
  WriteBatch batch;
  for (int i = 0; i < 8; ++i) {
    batch.Put(Numbered("k", i), "one");
    if (i % 3 == 0) batch.Put(*other, Numbered("k", i), "other");
  }
  KEEL_ASSERT_OK(db_->Write(batch, kNone).status());
  EXPECT_EQ(Count(), 9U);
  EXPECT_EQ(db_->Count(*other).value_or(0), 3U);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(GetText(*db_, Numbered("k", i)), "one");
    EXPECT_EQ(db_->Get(*other, Numbered("k", i)).ok(), i % 3 == 0);
  }
  ExpectSound();
}

// A checkpoint is of what nobody has looked at as well: else the log of a database that is only written would grow.
TEST_F(UnpublishedCommitsTest, ACheckpointHoldsThem) {
  for (int i = 0; i < 3000; ++i) PutNone(Numbered("k", i), std::string(300, 'x'));
  KEEL_ASSERT_OK(db_->Checkpoint());
  EXPECT_LT(db_->Stats().log.bytes_since_checkpoint, uint64_t{64} << 10);
  OpenOn(disk_.Copy());
  EXPECT_EQ(Count(), 3000U);
}

// Readers of all kinds against one writer: whoever has seen a number never sees a lower one.
class UnpublishedRaceTest : public EngineTest {};

TEST_F(UnpublishedRaceTest, U3_ReadersSeeCommitsInTheirOrder) {
  Open();
  constexpr int kCommits = 4000;
  std::atomic<int> committed = -1;
  std::atomic<int> begun = -1;
  const auto check = [&](int* last, const auto& read) {
    const int least = std::max(*last, committed.load());
    const std::string text = read();
    const int seen = text == "NotFound" ? -1 : std::stoi(text);
    ASSERT_GE(seen, least);
    ASSERT_LE(seen, begun.load());
    *last = seen;
  };
  std::vector<std::thread> readers;
  for (int kind = 0; kind < 3; ++kind) {
    readers.emplace_back([&, kind] {
      int last = -1;
      while (committed.load() < kCommits - 1 && !HasFatalFailure()) {
        if (kind == 0) check(&last, [&] { return GetText(*db_, "k"); });
        if (kind == 1) check(&last, [&] { return GetText(db_->GetSnapshot(), "k"); });
        if (kind == 2) {
          check(&last, [&] {
            Cursor cursor = db_->NewCursor();
            cursor.Seek("k");
            return cursor.Valid() ? std::string(cursor.value()) : std::string("NotFound");
          });
        }
      }
    });
  }
  for (int i = 0; i < kCommits; ++i) {
    begun = i;
    const absl::Status status =
        i % 7 == 0 ? db_->Put("k", std::to_string(i)) : db_->Put("k", std::to_string(i), kAsync);
    KEEL_EXPECT_OK(status);
    committed = i;
  }
  for (std::thread& reader : readers) reader.join();
}

// Enough frames for an epoch to have two fifths of them, and batches that set aside as much as one may.
TEST_F(UnpublishedRaceTest, U6_AnEpochThatFillsItsShareIsFrozenAndGoesOn) {
  options_.memory_bytes = uint64_t{24} << 20;
  Open();
  constexpr int kRows = 20'000;
  constexpr int kStep = 7919;  // has no factor in common with kRows: each round visits every row
  const auto value = [](int round, int i) {
    return std::to_string(round * kRows + i) + std::string(600, 'v');
  };
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kRows; ++i) {
      const int row = static_cast<int>(int64_t{i} * kStep % kRows);
      KEEL_ASSERT_OK(db_->Put(Numbered("k", row), value(round, row), kNone));
      if (i % 100 != 99) continue;
      WriteBatch batch;
      for (int same = row; same < std::min(row + 60, kRows); ++same) {
        batch.Put(Numbered("k", same), value(round, same));
      }
      KEEL_ASSERT_OK(db_->Write(batch, kNone).status());
    }
  }
  const Contents all = ReadAll(*db_);
  ASSERT_EQ(all.size(), static_cast<size_t>(kRows));
  for (int row = 0; row < kRows; ++row) ASSERT_EQ(all.at(Numbered("k", row)), value(1, row));
  ExpectSound();
}

// Commit i writes row i modulo kRows: a snapshot must hold, of each row, the last commit up to its newest one.
TEST_F(UnpublishedRaceTest, U6_SnapshotsAndCheckpointsAmongCommitsAreWhole) {
  Open();
  constexpr int kRows = 600;
  constexpr int kCommits = 20'000;
  const auto value = [](int i) { return std::to_string(i) + std::string(250, 'v'); };
  for (int i = 0; i < kRows; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), value(i), kAsync));
  std::atomic<bool> over = false;
  std::thread looks([&] {
    while (!over && !HasFatalFailure()) {
      const Contents seen = ReadAll(db_->GetSnapshot());
      ASSERT_EQ(seen.size(), static_cast<size_t>(kRows));
      std::vector<int> numbers;
      for (const auto& [key, text] : seen) numbers.push_back(std::stoi(text));
      const int newest = std::ranges::max(numbers);
      for (int row = 0; row < kRows; ++row) {
        const int least = newest - (newest - row) % kRows;
        ASSERT_EQ(numbers[static_cast<size_t>(row)], least) << "row " << row << " of " << newest;
      }
    }
  });
  std::thread checkpoints([&] {
    while (!over) KEEL_EXPECT_OK(db_->Checkpoint());
  });
  for (int i = kRows; i < kCommits; ++i) {
    KEEL_EXPECT_OK(db_->Put(Numbered("k", i % kRows), value(i), i % 2 == 0 ? kAsync : kNone));
  }
  over = true;
  looks.join();
  checkpoints.join();
  ExpectSound();
}

}  // namespace
}  // namespace keel::testing
