// Nodes against sorted vectors.

#include "btree/node_builder.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <string>

#include "btree/node_check.h"
#include "btree/rebalance.h"
#include "tests/support/seed.h"

namespace keel::testing {
namespace {

using btree::Entry;
using btree::EntrySequence;
using btree::NodeEditor;
using btree::NodeView;

constexpr uint32_t kPageBytes = 512;

// A page of memory, an empty node at first.
class TestNode {
 public:
  explicit TestNode(uint8_t level) {
    bytes_.fill(std::byte{0});
    pager::PageHeader& header = pager::HeaderOf(bytes_.data());
    header.page_id = 1;
    header.birth = 10;
    header.level = level;
    const auto kind = level == 0 ? pager::PageKind::kLeaf : pager::PageKind::kInternal;
    header.kind = static_cast<uint8_t>(kind);
    editor().Clear();
  }

  std::byte* bytes() { return bytes_.data(); }
  NodeEditor editor() { return NodeEditor(bytes_.data(), kPageBytes); }
  NodeView view() const { return NodeView(bytes_.data()); }
  absl::Status Check() const { return btree::CheckNode(bytes_); }

  std::map<std::string, std::string> Contents() const {
    std::map<std::string, std::string> contents;
    for (size_t i = 0; i < view().count(); ++i) {
      contents[view().key(i).ToString()] = view().leaf()
                                               ? std::string(view().value(i).bytes)
                                               : std::to_string(view().reference(i).id.value);
    }
    return contents;
  }

 private:
  alignas(8) std::array<std::byte, kPageBytes> bytes_;
};

Entry LeafEntry(std::string_view key, std::string_view value) {
  return Entry{{key, {}}, value, false};
}

std::string ReferenceTo(uint64_t id) {
  std::string bytes(pager::kReferenceBytes, '\0');
  pager::StoreReference(bytes.data(), {PageId{id}, Epoch{3}, 1, false});
  return bytes;
}

std::string RandomKey(std::mt19937_64& random) {
  static constexpr std::array<const char*, 4> kStems = {"", "common/", "common/prefix/", "commo"};
  std::string key = kStems[random() % kStems.size()];
  for (size_t i = random() % 12; i > 0; --i) key += static_cast<char>("\0ab\xff"[random() % 4]);
  return key;
}

TEST(NodeBuilderTest, ALeafDoesAsAMapDoes) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 100; ++round) {
    TestNode node(0);
    std::map<std::string, std::string> model;
    for (int step = 0; step < 120; ++step) {
      const std::string key = RandomKey(random);
      const std::string value(random() % 40, 'v');
      bool found = false;
      const size_t at = node.view().LowerBound(key, &found);
      ASSERT_EQ(found, model.contains(key));
      ASSERT_EQ(at, static_cast<size_t>(std::distance(model.begin(), model.lower_bound(key))));
      if (found && random() % 2 == 0 && model.size() > 1) {
        node.editor().Remove(at);
        model.erase(key);
      } else if (found ? node.editor().Replace(at, LeafEntry(key, value))
                       : node.editor().Insert(at, LeafEntry(key, value))) {
        model[key] = value;
      }
      if (model.empty()) continue;
      ASSERT_TRUE(node.Check().ok()) << node.Check();
      ASSERT_EQ(node.Contents(), model);
      ASSERT_LE(node.view().UsedBytes(kPageBytes), kPageBytes);
    }
  }
}

TEST(NodeBuilderTest, AnInternalNodeFindsTheChildForEveryKey) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 200; ++round) {
    TestNode node(1);
    std::map<std::string, std::string> model = {{"", "1"}};
    ASSERT_TRUE(node.editor().Insert(0, Entry{{}, ReferenceTo(1), false}));
    for (uint64_t id = 2; id < 40; ++id) {
      const std::string key = "x" + RandomKey(random);
      bool equal = false;
      const size_t child = node.view().ChildFor(key, &equal);
      ASSERT_EQ(equal, model.contains(key));
      ASSERT_EQ(std::to_string(node.view().reference(child).id.value),
                std::prev(model.upper_bound(key))->second);
      if (!equal && node.editor().Insert(child + 1, Entry{{key, {}}, ReferenceTo(id), false})) {
        model[key] = std::to_string(id);
      }
      if (random() % 5 == 0 && model.size() > 1) {
        const size_t removed = random() % model.size();
        auto gone = std::next(model.begin(), static_cast<std::ptrdiff_t>(removed));
        node.editor().Remove(removed);
        if (removed == 0) {
          // What was the second child is the first one now, and has no lower fence any more.
          const std::string first = std::next(gone)->second;
          model.erase(std::next(gone));
          gone->second = first;
        } else {
          model.erase(gone);
        }
      }
      ASSERT_TRUE(node.Check().ok()) << node.Check();
      ASSERT_EQ(node.Contents(), model);
    }
  }
}

TEST(NodeBuilderTest, ThePrefixIsStoredOnceAndShrinksForAStranger) {
  TestNode node(0);
  const std::string stem(100, 's');
  // Together these keys are longer than the page.
  for (size_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(node.editor().Insert(i, LeafEntry(stem + static_cast<char>('a' + i), "value")));
  }
  EXPECT_GE(node.view().prefix().size(), 100u);
  EXPECT_LT(node.view().UsedBytes(kPageBytes), 300u);
  EXPECT_FALSE(node.editor().Insert(0, LeafEntry("a stranger", "value")));
  EXPECT_TRUE(node.editor().Insert(0, LeafEntry(stem.substr(0, 98), "value")));
  EXPECT_LE(node.view().prefix().size(), 98u);
  EXPECT_TRUE(node.Check().ok()) << node.Check();
}

// N4: whatever overflows by one entry can be split in two, and both sides are nodes.
TEST(NodeBuilderTest, EverySplitFits) {
  std::mt19937_64 random(TestSeed());
  const size_t longest = btree::MaxKeyBytes(kPageBytes);
  for (int round = 0; round < 400; ++round) {
    const auto level = static_cast<uint8_t>(round % 2);
    TestNode node(level);
    const std::string reference = ReferenceTo(7);
    if (level > 0) {
      ASSERT_TRUE(node.editor().Insert(0, Entry{{}, reference, false}));
    }
    for (;;) {
      const size_t length = random() % 3 == 0 ? longest : 1 + random() % 20;
      std::string key = RandomKey(random) + "#";
      key.resize(length, static_cast<char>('a' + random() % 3));
      const std::string value(random() % (btree::MaxInlineValueBytes(kPageBytes, key.size()) + 1),
                              'v');
      const Entry entry{{key, {}}, level == 0 ? value : reference, false};
      bool exists = false;
      size_t at = 0;
      if (level == 0) {
        at = node.view().LowerBound(key, &exists);
      } else {
        at = node.view().ChildFor(key, &exists) + 1;
      }
      if (exists) continue;
      if (node.editor().Insert(at, entry)) continue;
      const btree::PageCopy copy(node.bytes(), kPageBytes);
      const EntrySequence all = EntrySequence::With(copy.node(), at, entry, 0);
      btree::RunHint hint;
      hint.ascending = static_cast<uint16_t>(random() % 5);
      hint.descending = static_cast<uint16_t>(hint.ascending == 0 ? random() % 5 : 0);
      const size_t half = btree::ChooseSplit(all, at, hint, kPageBytes);
      TestNode left(level);
      TestNode right(level);
      btree::BuildNode(left.bytes(), kPageBytes, all, 0, half);
      btree::BuildNode(right.bytes(), kPageBytes, all, half, all.size());
      ASSERT_TRUE(left.Check().ok()) << left.Check();
      ASSERT_TRUE(right.Check().ok()) << right.Check();
      btree::KeyBuffer separator;
      btree::AssignSeparator(all, half, &separator);
      const NodeView last = left.view();
      ASSERT_LT(last.key(last.count() - 1).ToString(), separator.view());
      if (level == 0) {
        ASSERT_LE(separator.view(), right.view().key(0).ToString());
      }
      // And joined again they are what they were.
      const EntrySequence joined =
          EntrySequence::Joined(left.view(), right.view(), separator.view());
      ASSERT_EQ(joined.size(), all.size());
      for (size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(joined[i].key.ToString(), all[i].key.ToString());
        ASSERT_EQ(joined[i].payload, all[i].payload);
      }
      break;
    }
  }
}

TEST(NodeBuilderTest, RunsAreSplitWhereTheyGoOn) {
  for (const bool ascending : {true, false}) {
    TestNode node(0);
    for (int i = 0;; ++i) {
      const std::string key = absl::StrFormat("%04d", ascending ? i : 5000 - i);
      const size_t at = ascending ? node.view().count() : 0;
      const Entry entry = LeafEntry(key, "value");
      if (node.editor().Insert(at, entry)) continue;
      const EntrySequence all = EntrySequence::With(node.view(), at, entry, 0);
      const btree::RunHint hint = btree::RunHint::Of(node.view().header()).After(at);
      EXPECT_EQ(btree::ChooseSplit(all, at, hint, kPageBytes), ascending ? all.size() - 1 : 1);
      EXPECT_NEAR(static_cast<double>(btree::ChooseSplit(all, at, {}, kPageBytes)),
                  static_cast<double>(all.size()) / 2, 1);
      break;
    }
  }
}

}  // namespace
}  // namespace keel::testing
