// MultiGet answers what Get answers, key by key, whatever is in memory, missing, large or damaged.

#include <rapidcheck.h>

#include <atomic>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pager/page_format.h"
#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/engine/sim_world.h"

namespace keel::testing {
namespace {

class MultiGetTest : public EngineTest {
 protected:
  static constexpr int kKeys = 12000;  // more than the memory holds

  MultiGetTest() { options_.memory_bytes = uint64_t{4} << 20; }

  // Copied, pinned, and now and then large ones.
  static std::string ValueOf(int i) {
    if (i % 997 == 5) return std::string(20000, static_cast<char>('A' + i % 26));
    return std::string(i % 5 == 0 ? 700 : 90, static_cast<char>('a' + i % 26)) + std::to_string(i);
  }

  // Every second key is there.
  void Fill() {
    WriteBatch batch;
    for (int i = 0; i < kKeys; i += 2) {
      batch.Put(Numbered("k", i), ValueOf(i));
      if (batch.size() < 100 && i + 2 < kKeys) continue;
      KEEL_ASSERT_OK(db_->Write(batch, {Durability::kNone}).status());
      batch.Clear();
    }
    KEEL_ASSERT_OK(db_->Checkpoint());
  }

  void SpoilLeaves(int one_in) {
    constexpr std::streamoff kPageBytes = 4096;
    std::fstream file(directory() / "data.keel", std::ios::in | std::ios::out | std::ios::binary);
    pager::PageHeader header;
    int leaves = 0;
    for (std::streamoff at = 0;
         file.seekg(at).read(reinterpret_cast<char*>(&header), sizeof header); at += kPageBytes) {
      if (header.kind != static_cast<uint8_t>(pager::PageKind::kLeaf)) continue;
      if (++leaves % one_in == 0) file.seekp(at + 2000).write("damage", 6);
    }
  }

  static void ExpectSame(const Reader& reader, const Reader& judge, const std::vector<int>& picks) {
    std::vector<std::string> keys;
    keys.reserve(picks.size());
    for (const int pick : picks) keys.push_back(Numbered("k", pick));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const auto together = reader.MultiGet(views);
    RC_ASSERT(together.size() == keys.size());
    for (size_t n = 0; n < keys.size(); ++n) {
      const absl::StatusOr<PinnedValue> alone = judge.Get(keys[n]);
      RC_ASSERT(together[n].status() == alone.status());
      if (alone.ok()) RC_ASSERT(together[n]->view() == alone->view());
    }
  }

  static std::vector<int> AnyKeys() {
    // Some of them often, so that there are duplicates.
    return *rc::gen::container<std::vector<int>>(
        rc::gen::oneOf(rc::gen::inRange(0, kKeys), rc::gen::inRange(0, 40)));
  }
  static std::vector<int> ManyKeys() {
    const auto count = *rc::gen::inRange<size_t>(0, 600);
    return *rc::gen::container<std::vector<int>>(count, rc::gen::inRange(0, kKeys));
  }
};

TEST_F(MultiGetTest, AnswersAsGetDoes) {
  Open();
  Fill();
  Reopen();
  EXPECT_TRUE(rc::check("of a database", [&] { ExpectSame(*db_, *db_, AnyKeys()); }));
  const Snapshot snapshot = db_->GetSnapshot();
  TransactionOptions optimistic;
  optimistic.concurrency = Concurrency::kOptimistic;
  optimistic.isolation = Isolation::kSnapshot;
  absl::StatusOr<Transaction> transaction = db_->Begin(optimistic);
  KEEL_ASSERT_OK(transaction.status());
  for (int i = 0; i < kKeys; i += 2) {
    if (i % 3 == 0) KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "later", {Durability::kNone}));
  }
  EXPECT_TRUE(rc::check("of a snapshot", [&] { ExpectSame(snapshot, *transaction, ManyKeys()); }));
  EXPECT_TRUE(rc::check("of newer data", [&] { ExpectSame(*db_, *db_, ManyKeys()); }));
  EXPECT_EQ(snapshot.Get(Numbered("k", 6))->view(), ValueOf(6));
}

TEST_F(MultiGetTest, OfNothingIsNothing) {
  Open();
  EXPECT_TRUE(db_->MultiGet({}).empty());
  EXPECT_TRUE(db_->GetSnapshot().MultiGet({}).empty());
  const std::string_view key = "k";
  EXPECT_TRUE(absl::IsNotFound(db_->MultiGet({&key, 1}).at(0).status())) << "an empty tree";
  Fill();
  EXPECT_TRUE(db_->MultiGet({}).empty());
}

TEST_F(MultiGetTest, RefusesEachKeyAlike) {
  Open();
  Fill();
  const absl::StatusOr<Keyspace> keyspace = db_->OpenKeyspace("other");
  KEEL_ASSERT_OK(keyspace.status());
  KEEL_ASSERT_OK(db_->Put(*keyspace, "k000002", "mine"));
  const std::vector<std::string_view> keys = {"k000002", "k000003"};
  EXPECT_EQ(db_->MultiGet(*keyspace, keys).at(0)->view(), "mine");
  KEEL_ASSERT_OK(db_->DropKeyspace("other"));
  for (const auto& value : db_->MultiGet(*keyspace, keys)) {
    EXPECT_EQ(value.status(), db_->Get(*keyspace, "k000002").status());
  }
  const Snapshot snapshot = db_->GetSnapshot();
  KEEL_ASSERT_OK(db_->Close());
  for (const auto& value : db_->MultiGet(keys)) {
    EXPECT_TRUE(absl::IsFailedPrecondition(value.status())) << value.status();
  }
  for (const auto& value : snapshot.MultiGet(keys)) {
    EXPECT_TRUE(absl::IsFailedPrecondition(value.status())) << value.status();
  }
  skip_check_ = true;
}

// What was pinned stays good and unchanged, whatever is written and evicted after it.
TEST_F(MultiGetTest, ValuesOutliveWhatComesAfter) {
  Open();
  Fill();
  const std::vector<std::string_view> keys = {"k000010", "k000002", "k000020", "k000010"};
  const auto values = db_->MultiGet(keys);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kKeys; i += 2) {
      KEEL_ASSERT_OK(db_->Put(Numbered("k", i), "later", {Durability::kNone}));
    }
    KEEL_ASSERT_OK(db_->Checkpoint());
  }
  EXPECT_EQ(values[0]->view(), ValueOf(10));
  EXPECT_EQ(values[1]->view(), ValueOf(2));
  EXPECT_EQ(values[2]->view(), ValueOf(20));
  EXPECT_EQ(values[3]->view(), ValueOf(10));
}

// A page that is damaged costs the keys that are on it, each with the answer that Get gives; all others are read.
TEST_F(MultiGetTest, G3DamageIsThatOfItsKeysAlone) {
  Open();
  Fill();
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  SpoilLeaves(/*one_in=*/9);
  skip_check_ = true;
  Open();
  std::vector<std::string> keys;
  for (int i = 0; i < kKeys; i += 7) keys.push_back(Numbered("k", i));
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  const auto together = db_->MultiGet(views);
  size_t damaged = 0;
  size_t well = 0;
  for (size_t n = 0; n < keys.size(); ++n) {
    const absl::StatusOr<PinnedValue> alone = db_->Get(keys[n]);
    ASSERT_EQ(together[n].status(), alone.status()) << keys[n];
    if (absl::IsDataLoss(alone.status())) ++damaged;
    if (!alone.ok()) continue;
    ASSERT_EQ(together[n]->view(), alone->view());
    ++well;
  }
  EXPECT_GT(damaged, 10U);
  EXPECT_GT(well, 100U);
}

// All keys of a call are of one state, whoever writes meanwhile.
TEST_F(MultiGetTest, SeesOneState) {
  Open();
  const auto write = [&](int round) {
    WriteBatch batch;
    for (int i = 0; i < 3000; ++i) {
      batch.Put(Numbered("k", i), Numbered(std::string(i % 2 == 0 ? 100 : 400, 'v'), round));
    }
    KEEL_ASSERT_OK(db_->Write(batch, {Durability::kNone}).status());
  };
  write(0);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int round = 1; !stop; ++round) write(round);
  });
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; i += 11) keys.push_back(Numbered("k", i));
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    const auto values = db_->MultiGet(views);
    const std::string_view first = values.at(0)->view();
    for (const auto& value : values) {
      ASSERT_TRUE(value.ok()) << value.status();
      ASSERT_EQ(value->view().substr(value->size() - 6), first.substr(first.size() - 6));
    }
  }
  stop = true;
  writer.join();
}

using MultiGetInTinyPagesTest = SimWorldTest;

// Inner pages are two fifths of what the memory holds. They are used all the time, a leaf hardly ever again: if it
// counted as used because it was looked into when it had been read, inner pages would have to go as often.
TEST_F(MultiGetInTinyPagesTest, LeavesThatAreReadOnceLeaveInnerPagesInMemory) {
  constexpr int kRows = 24000;
  options_.page_bytes = pager::kTestPageBytes;
  options_.memory_bytes = uint64_t{1} << 20;
  Open();
  absl::StatusOr<BulkLoader> loader = db_->NewBulkLoader();
  KEEL_ASSERT_OK(loader.status());
  for (int i = 0; i < kRows; ++i) {
    KEEL_ASSERT_OK(loader->Put(Numbered("k", i), std::string(120, 'v')));
  }
  KEEL_ASSERT_OK(loader->Commit().status());
  std::mt19937_64 random(TestSeed());
  const auto get = [&](int calls) {
    for (int call = 0; call < calls; ++call) {
      std::vector<std::string> keys;
      for (int n = 0; n < 100; ++n) {
        keys.push_back(Numbered("k", static_cast<int>(random() % kRows)));
      }
      const std::vector<std::string_view> views(keys.begin(), keys.end());
      for (const auto& value : db_->MultiGet(views)) ASSERT_TRUE(value.ok()) << value.status();
    }
  };
  get(100);
  const uint64_t before = db_->Stats().memory.pages_read;
  get(100);
  EXPECT_LT(db_->Stats().memory.pages_read - before, 100u * 100u);
}

}  // namespace
}  // namespace keel::testing
