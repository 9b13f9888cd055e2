// Redo repeats what the log says, in whatever order it does so.

#include "recovery/redo.h"

#include <absl/strings/str_format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "recovery/record_table.h"
#include "tests/support/seed.h"

namespace keel::recovery {
namespace {

using ::testing::ElementsAre;
using testing::TestSeed;

class ListedLog final : public wal::LogReader {
 public:
  void Add(const Record& record) {
    std::string bytes;
    EncodeRecordHead(record, &bytes);
    bytes.append(record.payload);
    records_.push_back(std::move(bytes));
  }

  const wal::LogEnd& end() const override { return end_; }
  absl::StatusOr<bool> Next(wal::LogRecord* record) override {
    if (next_ == records_.size()) return false;
    shown_ = records_[next_++];  // as a window on a file: what was shown before is gone
    record->bytes = shown_;
    record->end = Lsn{next_};
    return true;
  }
  absl::Status Rewind() override {
    next_ = 0;
    return absl::OkStatus();
  }
  std::optional<std::vector<wal::SegmentFile>> TakeFiles() override { return std::nullopt; }

 private:
  std::vector<std::string> records_;
  std::string shown_;
  size_t next_ = 0;
  wal::LogEnd end_;
};

// Writes down what it is told.
class Scribe final : public RedoTarget {
 public:
  explicit Scribe(bool together) : together_(together) {}

  absl::Status Apply(const Operation& operation) override {
    calls.push_back(Told(operation));
    return absl::OkStatus();
  }
  absl::Status Commit(CommitNumber number, Lsn end) override {
    calls.push_back(absl::StrFormat("commit %d at %d", number.value, end.value));
    return absl::OkStatus();
  }
  absl::Status ApplyTogether(std::span<const Operation> operations, CommitNumber number,
                             Lsn end) override {
    if (!together_) return absl::ResourceExhaustedError("not together");
    std::string told = "together:";
    for (const Operation& operation : operations) told += " " + Told(operation);
    calls.push_back(absl::StrFormat("%s, up to %d at %d", told, number.value, end.value));
    return absl::OkStatus();
  }

  std::vector<std::string> calls;

 private:
  static std::string Told(const Operation& operation) {
    const std::string key = absl::StrFormat("%d/%s", operation.keyspace.value, operation.key);
    if (operation.kind == OperationKind::kPut) return key + "=" + std::string(operation.value);
    return (operation.kind == OperationKind::kDelete ? "-" : "range ") + key;
  }

  const bool together_;
};

Operation Put(std::string_view key, std::string_view value, uint32_t keyspace = 1) {
  Operation operation;
  operation.kind = OperationKind::kPut;
  operation.keyspace = KeyspaceId{keyspace};
  operation.key = key;
  operation.value = value;
  return operation;
}

Operation Delete(std::string_view key, uint32_t keyspace = 1) {
  Operation operation = Put(key, {}, keyspace);
  operation.kind = OperationKind::kDelete;
  return operation;
}

class RedoTest : public ::testing::Test {
 protected:
  void Transaction(const std::vector<Operation>& operations) {
    std::string payload;
    for (const Operation& operation : operations) EncodeOperation(operation, &payload);
    log_.Add(Record{RecordKind::kCommit, CommitNumber{++commits_}, 0, payload});
  }

  RedoResult Repeat(Scribe* scribe, size_t batch_bytes = 1 << 20, Order order = Order::kKeys) {
    const absl::StatusOr<RedoResult> result =
        Redo(log_, Analysis(), *scribe, {order, batch_bytes}, [](uint64_t) {});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(RedoResult());
  }

  // Three transactions of puts and deletes, a range, and one more.
  void Fill() {
    Transaction({Put("c", "1"), Put("a", "1")});
    Transaction({Put("b", "2"), Put("a", "2", 0)});
    Transaction({Delete("c"), Put("a", "3"), Put("a", "4")});
    Transaction({Put("b", "5"), RangeOperation("b", std::nullopt)});
    Transaction({Put("b", "6")});
  }

  ListedLog log_;
  uint64_t commits_ = 0;
};

TEST_F(RedoTest, D1_PutsAndDeletesAreRepeatedInTheOrderOfKeysAndTheLastWins) {
  Fill();
  Scribe scribe(true);
  const RedoResult result = Repeat(&scribe);
  EXPECT_THAT(scribe.calls, ElementsAre("together: 0/a=2 1/a=4 1/b=2 -1/c, up to 3 at 3", "1/b=5",
                                        "range 0/b", "commit 4 at 4", "1/b=6", "commit 5 at 5"));
  EXPECT_EQ(result.transactions, 5U);
  EXPECT_EQ(result.operations, 10U);
  EXPECT_EQ(result.batches, 1U);
}

TEST_F(RedoTest, D2_WhatCannotBeRepeatedTogetherIsRepeatedInTheOrderOfTheLog) {
  Fill();
  Scribe scribe(false);
  const RedoResult result = Repeat(&scribe);
  EXPECT_THAT(scribe.calls,
              ElementsAre("1/c=1", "1/a=1", "commit 1 at 1", "1/b=2", "0/a=2", "commit 2 at 2",
                          "-1/c", "1/a=3", "1/a=4", "commit 3 at 3", "1/b=5", "range 0/b",
                          "commit 4 at 4", "1/b=6", "commit 5 at 5"));
  EXPECT_EQ(result.transactions, 5U);
  EXPECT_EQ(result.operations, 10U);
  EXPECT_EQ(result.batches, 0U);
}

TEST_F(RedoTest, D3_InTheOrderOfTheLogNothingIsTogether) {
  Fill();
  Scribe scribe(true);
  EXPECT_EQ(Repeat(&scribe, 1 << 20, Order::kLog).batches, 0U);
  EXPECT_EQ(scribe.calls.front(), "1/c=1");
  EXPECT_EQ(scribe.calls.size(), 15U);
}

TEST_F(RedoTest, BatchesAreBounded) {
  for (int i = 0; i < 100; ++i) Transaction({Put(absl::StrFormat("%02d", i), "value")});
  Scribe scribe(true);
  EXPECT_GE(Repeat(&scribe, 2000).batches, 5U);
  // Whether the last one is alone depends on the size of what is gathered.
  EXPECT_THAT(scribe.calls.back(), ::testing::AnyOf(::testing::HasSubstr("up to 100 at 100"),
                                                    std::string("commit 100 at 100")));
}

// Keys that differ in nothing, in their ends, beyond their first eight bytes, or in zeros alone.
TEST_F(RedoTest, D1_TheOrderIsThatOfWholeKeys) {
  std::mt19937_64 random(TestSeed());
  const auto below = [&](uint64_t limit) { return random() % limit; };
  std::map<std::pair<uint32_t, std::string>, std::string> last;
  std::string value;
  for (int i = 0; i < 3000; ++i) {
    const auto keyspace = static_cast<uint32_t>(1 + below(2));
    std::string key = below(2) == 0 ? "" : "prefix";
    for (uint64_t n = below(5); n > 0; --n) key.push_back("\0\1\xff"[below(3)]);
    value = std::to_string(i);
    const bool deletes = below(4) == 0;
    Transaction({deletes ? Delete(key, keyspace) : Put(key, value, keyspace)});
    std::string told = absl::StrFormat("%s%d/%s", deletes ? "-" : "", keyspace, key);
    if (!deletes) told += "=" + value;
    last[{keyspace, key}] = told;
  }
  std::string expected = "together:";
  for (const auto& [key, told] : last) expected += " " + told;
  Scribe scribe(true);
  Repeat(&scribe);
  EXPECT_THAT(scribe.calls, ElementsAre(expected + ", up to 3000 at 3000"));
}

TEST_F(RedoTest, AnOperationThatCannotBeReadIsDamageOfItsRecord) {
  Transaction({Put("a", "1")});
  log_.Add(Record{RecordKind::kCommit, CommitNumber{2}, 0, "\x63nonsense"});
  Scribe scribe(true);
  const auto result = Redo(log_, Analysis(), scribe, {Order::kKeys, 1 << 20}, [](uint64_t) {});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(result.status().message()), ::testing::HasSubstr("LSN 2"));
  EXPECT_THAT(scribe.calls, ElementsAre("1/a=1", "commit 1 at 1"));
}

}  // namespace
}  // namespace keel::recovery
