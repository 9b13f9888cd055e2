// The model that judges: a map with a hash, the history of commits, and the scripts.

#include "torture/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/seed.h"
#include "torture/exhaustive.h"
#include "torture/history.h"
#include "torture/script.h"

namespace keel::torture {
namespace {

TEST(StateTest, TheHashTellsContentsAndNothingElse) {
  State one;
  one.Put(0, "a", "1");
  one.Put(1, "b", "2");
  State two;
  two.Put(1, "b", "x");
  two.Put(0, "c", "3");
  two.Put(0, "a", "1");
  two.Put(1, "b", "2");
  EXPECT_NE(one.hash(), two.hash());
  two.Delete(0, "c");
  EXPECT_EQ(one.hash(), two.hash());
  two.Delete(1, "b");
  two.Put(0, "b", "2");
  EXPECT_NE(one.hash(), two.hash()) << "the keyspace counts";
  State swapped;
  swapped.Put(0, "a", "2");
  swapped.Put(1, "b", "1");
  EXPECT_NE(one.hash(), swapped.hash()) << "which value belongs to which key";
}

TEST(StateTest, RangesEndBeforeTheirEnd) {
  State state;
  for (const char* key : {"a", "b", "c", "d"}) state.Put(0, key, "x");
  state.Put(1, "b", "x");
  state.DeleteRange(0, "b", "d");
  EXPECT_EQ(state.Count(0), 2U);
  EXPECT_EQ(state.Count(1), 1U);
  EXPECT_NE(state.Find(0, "d"), nullptr);
  EXPECT_EQ(state.Find(0, "c"), nullptr);
}

TEST(HistoryTest, WhatWasObservedStays) {
  History history;
  history.Begin(1, 11);
  history.Acknowledge(1);
  history.Begin(2, 22);
  EXPECT_EQ(history.bounds().acknowledged, 1U);
  EXPECT_EQ(history.bounds().begun, 2U);
  history.Settle(1);
  EXPECT_EQ(history.bounds().begun, 1U) << "seen absent: never present later";
  history.Begin(2, 33);
  EXPECT_EQ(history.hash(2), 33U);
  history.Abandon(2);
  EXPECT_EQ(history.bounds().begun, 1U);
}

TEST(ScriptTest, LeavingOutAStepChangesNoOther) {
  const Script whole = MakeScript(TinyShape(), testing::TestSeed(), 50);
  std::set<uint64_t> choices;
  for (const Step& step : whole) choices.insert(step.choice);
  EXPECT_EQ(choices.size(), whole.size());
  const Script again = MakeScript(TinyShape(), testing::TestSeed(), 50);
  EXPECT_EQ(Describe(whole), Describe(again));
}

TEST(ScriptTest, SequencesAreAllThereAreAndNoneTwice) {
  std::set<std::string> names;
  for (uint64_t n = 0; n < SequencesUpTo(2); ++n) names.insert(Describe(SequenceOf(n, 1)));
  EXPECT_EQ(names.size(), 14U + 14U * 14U);
  EXPECT_EQ(SequenceOf(SequencesUpTo(2), 1).size(), 3U);
  EXPECT_EQ(SequenceOf(SequencesUpTo(3) - 1, 1).size(), 3U);
}

}  // namespace
}  // namespace keel::torture
