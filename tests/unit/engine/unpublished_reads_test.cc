// Lookups in commits that no version holds (engine/unpublished_reads.cc): past the latch, and as right as under it.

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

constexpr WriteOptions kNone{Durability::kNone};

class UnpublishedReadsTest : public EngineTest {
 protected:
  // Publishes, as all statistics do.
  uint64_t LatchedLookups() { return db_->Stats().commits.latched_lookups; }

  uint64_t latched_ = 0;
};

// One lookup has the root shown; all others go past the latch, and nothing is published for them: each would cost the next
// commit the copies of its path.
TEST_F(UnpublishedReadsTest, L4_LookupsAmongCommitsTakeNoLatch) {
  Open();
  for (int i = 0; i < 2000; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "0", kNone));
  const std::string large(1000, 'x');
  const uint64_t before = LatchedLookups();
  KEEL_ASSERT_OK(db_->Put("large", large, kNone));
  for (int i = 0; i < 300; ++i) {
    KEEL_ASSERT_OK(db_->Put("k", std::to_string(i), kNone));
    for (int look = 0; look < 100; ++look) ASSERT_EQ(GetText(*db_, "k"), std::to_string(i));
    ASSERT_EQ(GetText(*db_, "large"), large);
    ASSERT_EQ(GetText(*db_, Numbered("k", i * 6)), "0");
    ASSERT_EQ(GetText(*db_, Numbered("none", i)), "NotFound");
  }
  EXPECT_EQ(LatchedLookups(), before + 1);
}

TEST_F(UnpublishedReadsTest, L3_WhatIsPublishedMeanwhileIsSeenToo) {
  Open();
  for (int i = 0; i < 500; ++i) {
    const std::string now = std::to_string(i);
    KEEL_ASSERT_OK(db_->Put("k", now, kNone));
    ASSERT_EQ(GetText(*db_, "k"), now);
    if (i % 3 == 0) {
      ASSERT_EQ(GetText(db_->GetSnapshot(), "k"), now);
    }
    ASSERT_EQ(GetText(*db_, "k"), now);
    KEEL_ASSERT_OK(db_->Put("k", now + "+", kNone));
    ASSERT_EQ(GetText(*db_, "k"), now + "+");
    if (i % 5 == 0) {
      KEEL_ASSERT_OK(db_->Put("k", now + "!"));
      ASSERT_EQ(GetText(*db_, "k"), now + "!");
    }
  }
}

TEST_F(UnpublishedReadsTest, WR1_KeyspacesHaveTheirOwnRoots) {
  Open();
  std::vector<Keyspace> keyspaces;
  for (int i = 0; i < 20; ++i) {  // more than have a place
    const absl::StatusOr<Keyspace> keyspace = db_->OpenKeyspace(Numbered("s", i));
    KEEL_ASSERT_OK(keyspace.status());
    keyspaces.push_back(*keyspace);
  }
  for (int round = 0; round < 20; ++round) {
    for (size_t n = 0; n < keyspaces.size(); ++n) {
      const std::string value = std::to_string(round * 100 + static_cast<int>(n));
      EXPECT_EQ(GetText(*db_, Numbered("k", round), keyspaces[n]), "NotFound");
      KEEL_ASSERT_OK(db_->Put(keyspaces[n], Numbered("k", round), value, kNone));
      EXPECT_EQ(GetText(*db_, Numbered("k", round), keyspaces[n]), value);
    }
  }
  KEEL_ASSERT_OK(db_->DropKeyspace("s000003"));
  KEEL_ASSERT_OK(db_->Put(keyspaces[4], "last", "1", kNone));
  EXPECT_EQ(GetText(*db_, "last", keyspaces[4]), "1");
  EXPECT_TRUE(absl::IsNotFound(db_->Get(keyspaces[3], "k000001").status()));
}

// The numbers of a key's changes: those begun, and those that have ended.
struct Progress {
  std::atomic<int> begun = -1;
  std::atomic<int> ended = -1;
};

constexpr int kDeletion = 5;  // every so many changes of a key it is deleted

std::string ValueOf(int number) {
  const auto letter = static_cast<char>('a' + number % 26);
  return std::to_string(number) + std::string(10 + static_cast<size_t>(number * 37 % 400), letter);
}

// Nothing torn, nothing older than what had ended before the lookup, nothing that had not begun after it.
void ExpectOneOf(const std::string& seen, int least, int most) {
  if (seen == "NotFound") {
    bool possible = least == -1;
    for (int n = std::max(least, 0); n <= most; ++n) possible |= n % kDeletion == kDeletion - 1;
    ASSERT_TRUE(possible) << "absent, of the changes " << least << " to " << most;
    return;
  }
  const int number = std::stoi(seen);
  ASSERT_GE(number, least);
  ASSERT_LE(number, most);
  ASSERT_EQ(seen, ValueOf(number));
}

// A tree that grows, splits, merges and shrinks while it is looked at; now and then published, or checkpointed.
TEST_F(UnpublishedReadsTest, L1_LookupsSeeWholeChangesInTheirOrder) {
  Open();
  constexpr size_t kKeys = 600;
  std::array<Progress, kKeys> progress;
  const auto key = [](size_t n) { return Numbered("key", static_cast<int>(n)); };
  std::atomic<bool> over = false;
  std::atomic<size_t> changing = 0;  // changes are made from this key on
  constexpr size_t kChanging = 60;
  std::vector<std::thread> readers;
  const uint64_t seed = TestSeed();
  for (uint64_t reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random(seed + reader);
      while (!over.load() && !HasFatalFailure()) {
        // Mostly where changes are made: there a copy can be a mixture.
        const size_t n =
            (random() % 8 == 0 ? random() : changing.load() + random() % kChanging) % kKeys;
        const int least = progress[n].ended.load();
        const std::string seen = GetText(*db_, key(n));
        ExpectOneOf(seen, least, progress[n].begun.load());
      }
    });
  }
  std::mt19937_64 random(seed + 99);
  for (int commit = 0; commit < 30'000 && !HasFatalFailure(); ++commit) {
    // Ranges of keys that come and go, so that leaves become too small as well.
    changing = static_cast<size_t>(commit) / 40;
    const size_t n = (changing.load() + random() % kChanging) % kKeys;
    const int number = progress[n].begun.load() + 1;
    progress[n].begun = number;
    if (number % kDeletion == kDeletion - 1) {
      KEEL_EXPECT_OK(db_->Delete(key(n), kNone));
    } else {
      KEEL_EXPECT_OK(db_->Put(key(n), ValueOf(number), kNone));
    }
    progress[n].ended = number;
    if (random() % 2000 == 0) (void)db_->GetSnapshot();
    if (random() % 8000 == 0) KEEL_EXPECT_OK(db_->Checkpoint());
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
}

// Batches stay unpublished only where nobody has looked since the one before: who looks meets one in the making seldom.
TEST_F(UnpublishedReadsTest, L2_ABatchAmongLookupsIsPublished) {
  options_.memory_bytes = uint64_t{64} << 20;
  Open();
  const auto quiet = [&] {
    for (int i = 0; i < 20; ++i) KEEL_ASSERT_OK(db_->Put("quiet", "1", kNone));
  };
  const auto write_batch = [&](std::string_view value) {
    WriteBatch changes;
    for (int i = 0; i < 50; ++i) changes.Put(Numbered("k", i), value);
    KEEL_ASSERT_OK(db_->Write(changes, kNone).status());
  };
  // Whether the last batch stayed unpublished: then no root is shown, and a lookup takes the latch.
  const auto stayed = [&](std::string_view value) {
    EXPECT_EQ(GetText(*db_, "k000007"), value);
    const uint64_t before = latched_;
    latched_ = LatchedLookups();
    return latched_ > before;
  };
  quiet();
  write_batch("1");
  EXPECT_TRUE(stayed("1"));
  quiet();
  ASSERT_EQ(GetText(*db_, "quiet"), "1");  // under the latch: shows the root
  latched_ = LatchedLookups();             // publishes
  quiet();
  ASSERT_EQ(GetText(*db_, "quiet"), "1");
  quiet();
  ASSERT_EQ(GetText(*db_, "quiet"), "1");  // past it
  write_batch("2");
  latched_ = latched_ + 1;
  EXPECT_FALSE(stayed("2"));
}

// Both keys of a batch have its number. Whoever has seen one of them sees the other no older. Readers begin when a batch
// is about to be applied, so that nobody has looked before and it stays unpublished.
TEST_F(UnpublishedReadsTest, L2_ABatchIsSeenWhole) {
  options_.memory_bytes = uint64_t{64} << 20;  // enough for a batch to stay unpublished
  Open();
  constexpr int kBatches = 150;
  const std::array<std::string, 2> ends = {"a", "z"};
  std::atomic<int> going = -1;  // the batch
  std::atomic<int> seen = 0;    // readers that have seen it
  std::vector<std::thread> readers;
  for (size_t first = 0; first < 2; ++first) {
    readers.emplace_back([&, first] {
      for (int batch = 0; batch < kBatches; ++batch) {
        while (going.load() < batch) std::this_thread::yield();
        for (int last = -1; last < batch;) {
          const std::string one = GetText(*db_, ends[first]);
          const std::string other = GetText(*db_, ends[1 - first]);
          if (one == "NotFound") continue;
          last = std::stoi(one);
          ASSERT_NE(other, "NotFound");
          ASSERT_GE(std::stoi(other), last);
        }
        ++seen;
      }
    });
  }
  const auto batch_of = [](int number, int rows) {
    WriteBatch changes;
    changes.Put("a", std::to_string(number));
    for (int i = 0; i < rows; ++i) {
      changes.Put(Numbered("k", (number * 7 + i * 41) % 5000), std::string(100, 'v'));
    }
    changes.Put("z", std::to_string(number));
    return changes;
  };
  for (int batch = 0; batch < kBatches; ++batch) {
    // What the readers of the last one have looked at is forgotten by a small batch; one lookup has the root shown.
    if (batch > 0) KEEL_EXPECT_OK(db_->Write(batch_of(batch - 1, 1), kNone).status());
    KEEL_EXPECT_OK(db_->Put("quiet", "1", kNone));
    EXPECT_EQ(GetText(*db_, "quiet"), "1");
    for (int quiet = 0; quiet < 20; ++quiet) KEEL_EXPECT_OK(db_->Put("quiet", "1", kNone));
    going = batch;
    KEEL_EXPECT_OK(db_->Write(batch_of(batch, 200), kNone).status());
    while (seen.load() < 2 * (batch + 1) && !HasFatalFailure()) std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
}

// Their pages are not copied: lookups take turns with the commits, and are as right.
TEST_F(UnpublishedReadsTest, LookupsInLargePagesTakeTheLatch) {
  options_.page_bytes = uint32_t{64} << 10;
  options_.memory_bytes = uint64_t{64} << 20;
  Open();
  for (int i = 0; i < 50; ++i) {
    KEEL_ASSERT_OK(db_->Put("k", std::to_string(i), kNone));
    ASSERT_EQ(GetText(*db_, "k"), std::to_string(i));
  }
  EXPECT_GE(LatchedLookups(), 40U);
}

TEST_F(UnpublishedReadsTest, AHandleOfAnotherDatabaseIsRefused) {
  Open();
  const TempDir elsewhere;
  auto other = Database::Open(elsewhere.path() / "db", options_);
  KEEL_ASSERT_OK(other.status());
  const auto foreign = (*other)->OpenKeyspace("theirs");
  KEEL_ASSERT_OK(foreign.status());
  KEEL_ASSERT_OK(db_->OpenKeyspace("ours").status());  // of the same number
  KEEL_ASSERT_OK(db_->Put("k", "1", kNone));
  ASSERT_EQ(GetText(*db_, "k"), "1");
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Get(*foreign, "k").status()));
  EXPECT_EQ(GetText(*db_, "k"), "1");
}

}  // namespace
}  // namespace keel::testing
