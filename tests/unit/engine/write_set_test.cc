#include "engine/write_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace keel::engine {
namespace {

using btree::Range;
using recovery::Operation;
using recovery::OperationKind;

constexpr KeyspaceId kOne{1};
constexpr KeyspaceId kOther{2};

std::optional<std::string_view> Value(const WriteSet& set, KeyspaceId keyspace,
                                      std::string_view key) {
  std::optional<std::string_view> value;
  EXPECT_TRUE(set.Find(keyspace, key, &value));
  return value;
}

bool Knows(const WriteSet& set, KeyspaceId keyspace, std::string_view key) {
  std::optional<std::string_view> value;
  return set.Find(keyspace, key, &value);
}

TEST(WriteSetTest, TheLastWordCounts) {
  WriteSet set;
  EXPECT_TRUE(set.empty());
  set.Put(kOne, "a", "1");
  set.Put(kOne, "a", "2");
  EXPECT_EQ(Value(set, kOne, "a"), "2");
  set.Delete(kOne, "a");
  EXPECT_EQ(Value(set, kOne, "a"), std::nullopt);
  EXPECT_FALSE(Knows(set, kOne, "b"));
  EXPECT_FALSE(Knows(set, kOther, "a"));
}

TEST(WriteSetTest, WhatIsPutIntoADeletedRangeIsThere) {
  WriteSet set;
  set.Put(kOne, "c", "before");
  set.DeleteRange(kOne, {"b", "d"});
  EXPECT_EQ(Value(set, kOne, "c"), std::nullopt);
  EXPECT_EQ(Value(set, kOne, "b"), std::nullopt);
  EXPECT_FALSE(Knows(set, kOne, "d"));
  set.Put(kOne, "c", "after");
  EXPECT_EQ(Value(set, kOne, "c"), "after");
}

TEST(WriteSetTest, EveryChangeIsCounted) {
  WriteSet set;
  set.Put(kOne, "a", "1");
  const uint64_t before = set.changes();
  const size_t mark = set.SetMark();
  set.Delete(kOne, "a");
  EXPECT_EQ(set.changes(), before + 1);
  set.RollbackTo(mark);
  EXPECT_EQ(set.changes(), before + 2);
}

// Both keyspaces as they would be after the set's operations, over what was there before.
using Model = std::map<std::pair<uint32_t, std::string>, std::string>;

void ApplyTo(Model* model, const Operation& operation) {
  const uint32_t keyspace = operation.keyspace.value;
  const std::pair at(keyspace, std::string(operation.key));
  if (operation.kind == OperationKind::kPut) (*model)[at] = operation.value;
  if (operation.kind == OperationKind::kDelete) model->erase(at);
  if (operation.kind != OperationKind::kDeleteRange) return;
  std::erase_if(*model, [&](const auto& entry) {
    return entry.first.first == keyspace && entry.first.second >= operation.key &&
           (!operation.has_end || entry.first.second < operation.value);
  });
}

TEST(WriteSetTest, ItsOperationsAndMarksDoAsTheModel) {
  std::mt19937_64 random(testing::TestSeed());
  for (int round = 0; round < 200; ++round) {
    Model base;
    const auto key = [&] { return std::string(1, static_cast<char>('a' + random() % 12)); };
    for (int n = 0; n < 8; ++n) base[{1 + random() % 2, key()}] = "base";
    WriteSet set;
    Model model = base;
    std::vector<std::pair<size_t, Model>> marks;
    for (int n = 0; n < 40; ++n) {
      const KeyspaceId keyspace{static_cast<uint32_t>(1 + random() % 2)};
      const uint64_t kind = random() % 10;
      std::string begin = key();
      const std::string end = key();
      const std::string value = std::to_string(random());
      Operation operation;
      operation.keyspace = keyspace;
      operation.key = begin;
      if (kind < 4) {
        set.Put(keyspace, begin, value);
        operation.value = value;
        ApplyTo(&model, operation);
      } else if (kind < 6) {
        set.Delete(keyspace, begin);
        operation.kind = OperationKind::kDelete;
        ApplyTo(&model, operation);
      } else if (kind < 8) {
        Range range{begin, {}};
        if (end > begin) range.end = end;
        set.DeleteRange(keyspace, range);
        operation.kind = OperationKind::kDeleteRange;
        operation.has_end = range.end.has_value();
        operation.value = end;
        ApplyTo(&model, operation);
      } else if (kind == 8) {
        marks.emplace_back(set.SetMark(), model);
      } else if (!marks.empty()) {
        marks.resize(1 + random() % marks.size());
        set.RollbackTo(marks.back().first);
        model = marks.back().second;
      }
      for (const KeyspaceId id : {kOne, kOther}) {
        for (char c = 'a'; c < 'a' + 12; ++c) {
          const std::pair at(id.value, std::string(1, c));
          std::optional<std::string_view> found;
          const bool known = set.Find(id, at.second, &found);
          const auto expected = model.find(at);
          if (!known) {
            ASSERT_EQ(model.contains(at), base.contains(at));
          } else {
            ASSERT_EQ(found.has_value(), expected != model.end());
            if (!found) continue;
            ASSERT_EQ(*found, expected->second);
          }
        }
      }
    }
    Model applied = base;
    ASSERT_TRUE(set.ForEachOperation([&](const Operation& operation) {
                     ApplyTo(&applied, operation);
                     return absl::OkStatus();
                   })
                    .ok());
    ASSERT_EQ(applied, model);
  }
}

TEST(WriteSetTest, MemoryIsCountedAndGivenBack) {
  WriteSet set;
  set.Put(kOne, "a", std::string(1000, 'v'));
  const size_t one = set.memory_bytes();
  EXPECT_GT(one, 1000U);
  set.Put(kOne, "a", "small");
  EXPECT_LT(set.memory_bytes(), one);
  const size_t before = set.memory_bytes();
  const size_t mark = set.SetMark();
  for (int i = 0; i < 10; ++i) {
    set.Put(kOne, "a", std::string(1000, static_cast<char>('0' + i)));
    set.Put(kOther, std::to_string(i), "x");
  }
  set.DeleteRange(kOne, {"", {}});
  EXPECT_GT(set.memory_bytes(), 9000U) << "the way back";
  set.RollbackTo(mark);
  EXPECT_EQ(set.memory_bytes(), before);
  EXPECT_EQ(set.Of(kOther), nullptr);
}

}  // namespace
}  // namespace keel::engine
