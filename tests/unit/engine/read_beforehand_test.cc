// With a database larger than the memory, pages that a commit changes are read before it has the writer lock.

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

class ReadBeforehandTest : public EngineTest {
 protected:
  static constexpr int kKeys = 12000;  // more than the memory holds

  ReadBeforehandTest() { options_.memory_bytes = uint64_t{4} << 20; }

  void SetUp() override {
    Open();
    WriteBatch batch;
    for (int i = 0; i < kKeys; ++i) {
      batch.Put(Numbered("k", i), std::string(700, 'a'));
      if (batch.size() < 100) continue;
      KEEL_ASSERT_OK(db_->Write(batch, {Durability::kNone}).status());
      batch.Clear();
    }
    KEEL_ASSERT_OK(db_->Checkpoint());
    LookThroughAll();
  }

  // The last pages of the range stay in memory, its first ones do not.
  void LookThroughAll() { ASSERT_EQ(ReadAll(*db_).size(), static_cast<size_t>(kKeys)); }

  // Pages that `commit` reads while somebody else has the writer lock.
  uint64_t ReadWhileItWaits(const std::function<absl::Status()>& commit) {
    absl::StatusOr<Transaction> holder = db_->Begin();
    KEEL_EXPECT_OK(holder.status());
    const uint64_t before = db_->Stats().memory.pages_read;
    std::atomic<bool> done = false;
    std::thread thread([&] {
      KEEL_EXPECT_OK(commit());
      done = true;
    });
    while (db_->Stats().commits.waiting == 0 && !done) std::this_thread::yield();
    EXPECT_FALSE(done) << "it did not wait";
    const uint64_t read = db_->Stats().memory.pages_read - before;
    holder->Rollback();
    thread.join();
    return read;
  }
};

TEST_F(ReadBeforehandTest, ALeafIsReadWhileSomebodyElseWrites) {
  EXPECT_GT(ReadWhileItWaits([&] { return db_->Put(Numbered("k", 5), "new"); }), 0U);
  EXPECT_EQ(GetText(*db_, Numbered("k", 5)), "new");
  EXPECT_GT(ReadWhileItWaits([&] { return db_->Delete(Numbered("k", 505)); }), 0U);
  EXPECT_EQ(GetText(*db_, Numbered("k", 505)), "NotFound");
  const std::string old(700, 'a');
  EXPECT_GT(ReadWhileItWaits([&] { return db_->PutIf(Numbered("k", 1005), old, "new").status(); }),
            0U);
  EXPECT_EQ(GetText(*db_, Numbered("k", 1005)), "new");
}

TEST_F(ReadBeforehandTest, AllLeavesOfABatchAreRead) {
  WriteBatch batch;
  for (int i = 0; i < 20; ++i) batch.Put(Numbered("k", 100 * i), "new");
  batch.DeleteRange(KeyRange(Numbered("k", 11000), Numbered("k", 11010)));
  EXPECT_GE(ReadWhileItWaits([&] { return db_->Write(batch).status(); }), 20U);
  EXPECT_EQ(GetText(*db_, Numbered("k", 1900)), "new");
  EXPECT_EQ(GetText(*db_, Numbered("k", 11005)), "NotFound");
}

TEST_F(ReadBeforehandTest, WhatIsInMemoryIsNotReadAgain) {
  EXPECT_GT(GetText(*db_, Numbered("k", 5)).size(), 0U);
  EXPECT_EQ(ReadWhileItWaits([&] { return db_->Put(Numbered("k", 5), "new"); }), 0U);
}

// No more than fit in a part of the memory: they would drive each other out.
TEST_F(ReadBeforehandTest, OfALargeBatchOnlyAPartIsRead) {
  WriteBatch batch;
  for (int i = 0; i < kKeys; i += 4) batch.Put(Numbered("k", i), "new");
  const uint64_t frames = db_->Stats().memory.frames;
  const uint64_t read = ReadWhileItWaits([&] { return db_->Write(batch).status(); });
  EXPECT_GT(read, frames / 16);
  EXPECT_LE(read, frames / 8 + 8);  // leaves, and inner pages above them
}

}  // namespace
}  // namespace keel::testing
