#include "engine/range_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/seed.h"

namespace keel::engine {
namespace {

using btree::Range;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const RangeSet& set) {
  std::vector<std::string> texts;
  const absl::Status status = set.ForEach([&](const Range& range) {
    texts.push_back(std::string(range.begin) + ".." + std::string(range.end.value_or("")));
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  return texts;
}

TEST(RangeSetTest, JoinsWhatOverlapsOrTouches) {
  RangeSet set;
  set.Add({"b", "d"});
  set.Add({"f", "h"});
  EXPECT_THAT(Texts(set), ElementsAre("b..d", "f..h"));
  set.Add({"d", "e"});
  EXPECT_THAT(Texts(set), ElementsAre("b..e", "f..h"));
  set.Add({"c", "d"});
  EXPECT_THAT(Texts(set), ElementsAre("b..e", "f..h"));
  set.Add({"a", "g"});
  EXPECT_THAT(Texts(set), ElementsAre("a..h"));
  set.Add({"c", {}});
  EXPECT_THAT(Texts(set), ElementsAre("a.."));
  set.Add({"x", "y"});
  EXPECT_THAT(Texts(set), ElementsAre("a.."));
}

TEST(RangeSetTest, EmptyRangesAddNothing) {
  RangeSet set;
  set.Add({"b", "b"});
  set.Add({"c", "a"});
  EXPECT_THAT(Texts(set), IsEmpty());
  EXPECT_TRUE(set.empty());
}

TEST(RangeSetTest, OneKeyIsARange) {
  RangeSet set;
  set.AddKey("b");
  EXPECT_TRUE(set.Contains("b"));
  EXPECT_FALSE(set.Contains("a"));
  EXPECT_FALSE(set.Contains(std::string("b\0", 2)));
  set.AddKey("");
  EXPECT_TRUE(set.Contains(""));
  EXPECT_EQ(set.size(), 2U);
}

TEST(RangeSetTest, AStatusEndsTheWalk) {
  RangeSet set;
  set.AddKey("a");
  set.AddKey("b");
  int seen = 0;
  EXPECT_TRUE(absl::IsAborted(set.ForEach([&](const Range&) {
    ++seen;
    return absl::AbortedError("enough");
  })));
  EXPECT_EQ(seen, 1);
}

// Beside one truth for each of the possible keys.
TEST(RangeSetTest, HoldsWhatItsModelHolds) {
  std::mt19937_64 random(testing::TestSeed());
  for (int round = 0; round < 300; ++round) {
    RangeSet set;
    std::vector<bool> model(26);
    for (int n = 0; n < 12; ++n) {
      const size_t begin = random() % 26;
      const size_t end = random() % 27;
      const std::string first(1, static_cast<char>('a' + begin));
      const std::string last(1, static_cast<char>('a' + end));
      Range range{first, {}};
      if (end < 26) range.end = last;
      set.Add(range);
      for (size_t i = begin; i < end; ++i) model[i] = true;
      for (size_t i = 0; i < 26; ++i) {
        const std::string key(1, static_cast<char>('a' + i));
        ASSERT_EQ(set.Contains(key), model[i]) << key;
      }
    }
    // S1: as few ranges as there are runs.
    size_t runs = 0;
    for (size_t i = 0; i < 26; ++i) runs += model[i] && (i == 0 || !model[i - 1]) ? 1U : 0U;
    ASSERT_EQ(set.size(), runs);
  }
}

// Back through every state, to the empty one.
TEST(RangeSetTest, AdditionsAreTakenBack) {
  std::mt19937_64 random(testing::TestSeed());
  const auto shown = [](const RangeSet& set) {
    std::string text;
    EXPECT_TRUE(set.ForEach([&](const Range& range) {
                     text += std::string(range.begin) + ".." + std::string(range.end.value_or("~"));
                     text += ' ';
                     return absl::OkStatus();
                   })
                    .ok());
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    RangeSet set;
    std::vector<std::pair<std::string, RangeSet::Addition>> way;
    for (int n = 0; n < 12; ++n) {
      const std::string first(1, static_cast<char>('a' + random() % 26));
      const std::string last(1, static_cast<char>('a' + random() % 26));
      Range range{first, {}};
      if (random() % 8 != 0) range.end = last;
      std::string before = shown(set);
      auto addition = set.Add(range);
      ASSERT_EQ(addition.has_value(), shown(set) != before);
      if (addition) way.emplace_back(std::move(before), *std::move(addition));
    }
    for (; !way.empty(); way.pop_back()) {
      set.TakeBack(way.back().second);
      ASSERT_EQ(shown(set), way.back().first);
    }
    ASSERT_EQ(set.memory_bytes(), 0U);
  }
}

TEST(RangeSetTest, CoarserHoldsAllThatItHeldInHalfAsManyRanges) {
  for (const int count : {0, 1, 2, 3, 100, 101}) {
    RangeSet set;
    for (int i = 0; i < count; ++i) set.AddKey("key" + std::to_string(i * 3));
    const size_t bytes = set.memory_bytes();
    set.Coarsen();
    EXPECT_EQ(set.size(), static_cast<size_t>(count + 1) / 2);
    EXPECT_LE(set.memory_bytes(), bytes);
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(set.Contains("key" + std::to_string(i * 3))) << i << " of " << count;
    }
    while (set.size() > 1) set.Coarsen();
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(set.Contains("key" + std::to_string(i * 3))) << i << " of " << count;
    }
  }
}

TEST(RangeSetTest, MemoryIsCountedAndGivenBack) {
  RangeSet set;
  set.AddKey("key");
  const size_t one = set.memory_bytes();
  EXPECT_GT(one, 6U);
  for (int i = 0; i < 100; ++i) set.AddKey("key" + std::to_string(i));
  EXPECT_GT(set.memory_bytes(), 50 * one);
  set.Add({"", {}});
  EXPECT_LT(set.memory_bytes(), one);
}

}  // namespace
}  // namespace keel::engine
