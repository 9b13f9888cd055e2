// Fences (CheckFences): what header and slots show without cells is what the whole keys say.

#include "btree/path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "btree/node_builder.h"
#include "tests/support/seed.h"

namespace keel::testing {
namespace {

using btree::Entry;
using btree::NodeEditor;
using btree::NodeView;

constexpr uint32_t kPageBytes = 512;
using Page = std::array<std::byte, kPageBytes>;
using Keys = std::vector<std::string>;

// `with_prefix`: what the keys have in common is stored once.
void Build(Page* page, uint8_t level, const Keys& keys, bool with_prefix) {
  page->fill(std::byte{0});
  pager::PageHeader& header = pager::HeaderOf(page->data());
  header.level = level;
  NodeEditor node(page->data(), kPageBytes);
  node.Clear();
  const btree::ReferencePayload reference({PageId{1}, Epoch{1}, 1, false});
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string_view payload = level == 0 ? std::string_view("value") : reference.view();
    ASSERT_TRUE(node.Insert(i, Entry{{keys[i], {}}, payload, false}));
  }
  if (!with_prefix) return;
  const btree::PageCopy copy(page->data(), kPageBytes);
  const btree::EntrySequence entries(copy.node());
  btree::BuildNode(page->data(), kPageBytes, entries, 0, entries.size());
}

// Few letters, so that keys have long beginnings in common, and heads are equal, or zero where keys end.
std::string RandomKey(std::mt19937_64& random) {
  static constexpr std::array<const char*, 3> kStems = {"", "stem", "stems"};
  std::string key = kStems[random() % kStems.size()];
  for (size_t i = random() % 8; i > 0; --i) key += "\0a\xff"[random() % 3];
  return key;
}

Keys RandomKeys(std::mt19937_64& random, size_t count) {
  std::set<std::string> keys;
  while (keys.size() < count) keys.insert(RandomKey(random));
  return {keys.begin(), keys.end()};
}

// Of an internal node: its first separator is empty.
Keys RandomSeparators(std::mt19937_64& random, size_t count) {
  Keys keys = RandomKeys(random, count);
  keys.front().clear();
  if (keys[1].empty()) keys[1] = std::string(1, '\0');
  return keys;
}

struct Fence {
  bool there = false;
  std::string key;
};

TEST(FencesTest, WhatSlotsShowIsWhatWholeKeysSay) {
  std::mt19937_64 random(TestSeed());
  int within = 0;
  int prefixed = 0;
  constexpr int kRounds = 30'000;
  for (int round = 0; round < kRounds; ++round) {
    const auto level = static_cast<uint8_t>(random() % 2);
    const size_t above = random() % 3;
    alignas(8) std::array<Page, 3> pages;
    btree::Path path;
    path.resize(level + above + 1);
    const Keys keys = level == 0 ? RandomKeys(random, 1 + random() % 4)
                                 : RandomSeparators(random, 2 + random() % 3);
    Build(&pages[0], level, keys, random() % 2 == 0);
    path[level].page = pager::PageHandle(pages[0].data(), nullptr);
    prefixed += path[level].node().prefix().empty() ? 0 : 1;
    Fence lower;
    Fence upper;
    for (size_t up = 1; up <= above; ++up) {
      const Keys separators = RandomSeparators(random, 2 + random() % 2);
      Build(&pages[up], static_cast<uint8_t>(level + up), separators, random() % 2 == 0);
      const size_t slot = random() % separators.size();
      path[level + up].page = pager::PageHandle(pages[up].data(), nullptr);
      path[level + up].slot = slot;
      if (!lower.there && slot > 0) lower = {true, separators[slot]};
      if (!upper.there && slot + 1 < separators.size()) upper = {true, separators[slot + 1]};
    }
    const std::string& lowest = keys[level == 0 ? 0 : 1];
    const bool expected =
        (!lower.there || lowest > lower.key || (level == 0 && lowest == lower.key)) &&
        (!upper.there || keys.back() < upper.key);
    ASSERT_EQ(btree::CheckFences(path, level).ok(), expected) << "round " << round;
    within += expected ? 1 : 0;
  }
  EXPECT_GT(prefixed, kRounds / 20);
  EXPECT_GT(within, kRounds / 10);
  EXPECT_LT(within, kRounds * 9 / 10);
}

}  // namespace
}  // namespace keel::testing
