// Entries as large as leaves take them (N4): they fit three in a leaf, whatever overflows by one can be split, what is
// deleted leaves nodes that can be joined, and values that an earlier version put beside the tree are still there.

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "btree/bulk_loader.h"
#include "btree/node_builder.h"
#include "btree/node_check.h"
#include "btree/overflow.h"
#include "btree/rebalance.h"
#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::EntrySequence;
using btree::NodeEditor;
using btree::NodeView;

struct Row {
  std::string key;
  std::string value;

  btree::Entry entry() const { return {{key, {}}, value, false}; }
};

// What the first version had, whose files are still read.
size_t FormerInlineValueBytes(uint32_t page_bytes, size_t key_bytes) {
  const size_t quarter = btree::UsableBytes(page_bytes) / 4;
  const size_t others = btree::LeafEntryBytes(key_bytes, 0) + VarintBytes(quarter) - 1;
  return std::max(quarter > others ? quarter - others : 0, btree::MaxExtentBytes(page_bytes));
}

class Leaf {
 public:
  explicit Leaf(uint32_t page_bytes)
      : page_bytes_(page_bytes), page_(AlignedBuffer::Allocate(page_bytes)) {
    std::memset(page_.data(), 0, page_bytes);
    pager::HeaderOf(page_.data()).kind = static_cast<uint8_t>(pager::PageKind::kLeaf);
    editor().Clear();
  }
  // Entries [begin, end).
  Leaf(uint32_t page_bytes, const EntrySequence& entries, size_t begin, size_t end)
      : Leaf(page_bytes) {
    btree::BuildNode(page_.data(), page_bytes, entries, begin, end);
  }

  std::byte* bytes() { return page_.data(); }
  NodeView view() const { return NodeView(page_.data()); }
  NodeEditor editor() { return NodeEditor(page_.data(), page_bytes_); }
  size_t used() const { return view().UsedBytes(page_bytes_); }
  std::string Problem() const {
    return std::string(btree::CheckNode({page_.data(), page_bytes_}).message());
  }

 private:
  uint32_t page_bytes_;
  AlignedBuffer page_;
};

void AppendRows(const NodeView& node, Model* model) {
  for (size_t i = 0; i < node.count(); ++i) {
    model->emplace(node.key(i).ToString(), node.value(i).bytes);
  }
}

class InlineLimitTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  uint32_t page_bytes() const { return GetParam(); }
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  size_t Limit(size_t key_bytes) const {
    return btree::MaxInlineValueBytes(page_bytes(), key_bytes);
  }

  // Half of the rows as large as can be; keys with common beginnings, or as long as can be.
  Row SomeRow() {
    static constexpr std::string_view kStems[] = {"", "common/", "common/prefix/", "commo"};
    Row row{std::string(kStems[Below(4)]), ""};
    for (uint64_t i = 1 + Below(8); i > 0; --i) row.key += static_cast<char>("\1ab\xff"[Below(4)]);
    if (Below(5) == 0) {
      row.key.resize(btree::MaxKeyBytes(page_bytes()), static_cast<char>('a' + Below(3)));
    }
    const size_t limit = Limit(row.key.size());
    const size_t bytes = Below(2) == 0 ? limit - Below(std::min<uint64_t>(limit, 3))
                                       : Below(Below(2) == 0 ? 20 : limit + 1);
    row.value.assign(bytes, static_cast<char>('a' + Below(26)));
    return row;
  }

  // Puts rows into the leaf until one does not fit, and finds the place of that one.
  Row FillUp(Leaf& leaf, size_t* at, bool* exists) {
    for (;;) {
      Row row = SomeRow();
      *at = leaf.view().LowerBound(row.key, exists);
      const bool fits = *exists ? leaf.editor().Replace(*at, row.entry())
                                : leaf.editor().Insert(*at, row.entry());
      EXPECT_EQ(leaf.Problem(), "");
      if (!fits) return row;
    }
  }

  std::mt19937_64 random_{TestSeed() + GetParam()};
};

INSTANTIATE_TEST_SUITE_P(PageBytes, InlineLimitTest,
                         ::testing::Values(512, 4096, 8192, 16384, 32768, 65536));

TEST_P(InlineLimitTest, IsAThirdOfThePageForTheWholeEntry) {
  const size_t third = btree::UsableBytes(page_bytes()) / 3;
  for (size_t key = 0; key <= btree::MaxKeyBytes(page_bytes()); ++key) {
    const size_t limit = Limit(key);
    ASSERT_LE(btree::LeafEntryBytes(key, limit), btree::MaxEntryBytes(page_bytes()));
    ASSERT_GE(limit, FormerInlineValueBytes(page_bytes(), key));
    if (limit == btree::MaxExtentBytes(page_bytes())) continue;
    ASSERT_LE(btree::LeafEntryBytes(key, limit), third);
    // The length of the value's length is taken as that of the longest.
    ASSERT_GT(btree::LeafEntryBytes(key, limit + 2), third);
  }
  if (page_bytes() == 4096) {
    EXPECT_GE(Limit(16), 1024u);
  }
}

TEST_P(InlineLimitTest, ThreeOfTheLargestFitInALeaf) {
  for (size_t key_bytes = 1; key_bytes < 40; ++key_bytes) {
    for (size_t shared = 0; shared < key_bytes; ++shared) {
      ASSERT_GT(Limit(key_bytes), btree::MaxExtentBytes(page_bytes()));
      Leaf leaf(page_bytes());
      for (size_t n = 0; n < 3; ++n) {
        Row row{std::string(shared, 's'), std::string(Limit(key_bytes), 'v')};
        row.key.resize(key_bytes, static_cast<char>('a' + n));
        ASSERT_TRUE(leaf.editor().Insert(n, row.entry())) << key_bytes << ", " << shared;
      }
      ASSERT_EQ(leaf.Problem(), "");
    }
  }
}

TEST_P(InlineLimitTest, WhatOverflowsByAnEntryIsSplitInTwo) {
  for (int round = 0; round < 600; ++round) {
    Leaf leaf(page_bytes());
    size_t at = 0;
    bool exists = false;
    const Row row = FillUp(leaf, &at, &exists);
    const auto all = EntrySequence::With(leaf.view(), at, row.entry(), exists ? 1 : 0);
    btree::RunHint hint;
    hint.ascending = static_cast<uint16_t>(Below(5));
    hint.descending = static_cast<uint16_t>(hint.ascending == 0 ? Below(5) : 0);
    const size_t half = exists ? btree::ChooseMiddle(all, page_bytes())
                               : btree::ChooseSplit(all, at, hint, page_bytes());
    const Leaf left(page_bytes(), all, 0, half);
    const Leaf right(page_bytes(), all, half, all.size());
    ASSERT_EQ(left.Problem() + right.Problem(), "");
    ASSERT_EQ(left.view().count() + right.view().count(), all.size());
    // In the middle, no side is left with less than half of it but for half of an entry.
    if (!exists) continue;
    const size_t whole = left.used() + right.used() - 2 * btree::kNodeHeaderBytes;
    const size_t largest = btree::MaxEntryBytes(page_bytes()) + btree::MaxKeyBytes(page_bytes());
    ASSERT_LE(std::max(left.used(), right.used()), (whole + largest) / 2 + btree::kNodeHeaderBytes);
  }
}

TEST_P(InlineLimitTest, WhatIsTooEmptyIsJoinedOrEvenedOut) {
  int joined = 0;
  int evened_out = 0;
  for (int round = 0; round < 600; ++round) {
    Leaf full(page_bytes());
    size_t at = 0;
    bool exists = false;
    const Row row = FillUp(full, &at, &exists);
    const auto all = EntrySequence::With(full.view(), at, row.entry(), exists ? 1 : 0);
    const size_t half = btree::ChooseMiddle(all, page_bytes());
    Leaf left(page_bytes(), all, 0, half);
    Leaf right(page_bytes(), all, half, all.size());
    Leaf& smaller = Below(2) == 0 ? left : right;
    while (smaller.view().count() > 1 && !btree::IsUnderfull(smaller.used(), page_bytes())) {
      smaller.editor().Remove(Below(smaller.view().count()));
    }
    // The other one as full as it gets, within its keys.
    Leaf& other = &smaller == &left ? right : left;
    for (int n = 0; n < 8; ++n) {
      Row more = SomeRow();
      const bool goes_left = more.key < all.key(half).ToString();
      const size_t place = other.view().LowerBound(more.key, &exists);
      if (exists || goes_left != (&other == &left)) continue;
      other.editor().Insert(place, more.entry());
    }
    Model before;
    AppendRows(left.view(), &before);
    AppendRows(right.view(), &before);
    Model after;
    if (btree::ShouldMerge(left.view(), right.view(), {}, page_bytes())) {
      ++joined;
      btree::MergeNodes(left.bytes(), page_bytes(), left.view(), right.view(), {});
      // Room for the next insertion.
      ASSERT_LE(left.used(), page_bytes() - btree::UsableBytes(page_bytes()) / 8);
    } else {
      ++evened_out;
      btree::Balance balance;
      btree::FindBalance(left.view(), right.view(), {}, page_bytes(), &balance);
      btree::ApplyBalance(left.bytes(), right.bytes(), page_bytes(), {}, balance);
      ASSERT_EQ(right.Problem(), "");
      AppendRows(right.view(), &after);
    }
    ASSERT_EQ(left.Problem(), "");
    AppendRows(left.view(), &after);
    ASSERT_EQ(after, before);
  }
  EXPECT_GT(joined, 20);
  EXPECT_GT(evened_out, 20);
}

// --- trees ---

std::string Key(int number) { return absl::StrFormat("key%013d", number); }
constexpr size_t kKeyBytes = 16;

TEST_P(InlineLimitTest, OneByteMoreLiesBesideTheTree) {
  ModelTree tree(page_bytes());
  tree.Put(Key(1), std::string(Limit(kKeyBytes), 'a'));
  EXPECT_FALSE(tree.root().reference.extents_below);
  EXPECT_EQ(tree.pages().Live().size(), 1u);
  tree.Put(Key(1), std::string(Limit(kKeyBytes) + 1, 'b'));
  EXPECT_TRUE(tree.root().reference.extents_below);
  EXPECT_EQ(tree.pages().Live().size(), 2u);
  tree.Check();
  tree.Put(Key(1), std::string(Limit(kKeyBytes), 'c'));
  EXPECT_FALSE(tree.root().reference.extents_below);
  tree.Check();
  tree.Delete(Key(1));
  tree.Check();
}

TEST_P(InlineLimitTest, ALoadedTreeHasTheSameLimit) {
  ModelTree tree(page_bytes());
  btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
  constexpr int kRows = 100;
  for (int n = 0; n < kRows; ++n) {
    const std::string value(Limit(kKeyBytes) + (n == 50 ? 1 : 0), static_cast<char>('a' + n % 26));
    ASSERT_TRUE(loader.Add(Key(n), value).ok());
    tree.Learn(Key(n), value);
  }
  const auto root = loader.Finish();
  ASSERT_TRUE(root.ok()) << root.status();
  tree.root() = *root;
  tree.Check();
  EXPECT_TRUE(root->reference.extents_below);
  // Three a leaf at least.
  const size_t inner = page_bytes() == 512 ? 12 : 4;
  EXPECT_LE(tree.pages().Live().size(), (kRows + 2) / 3 + 1 + inner);
  tree.Delete(Key(50));
  EXPECT_FALSE(tree.root().reference.extents_below);
  tree.Check();
}

TEST_P(InlineLimitTest, TreesOfTheLargestDoAsAMapDoes) {
  ModelTree tree(page_bytes());
  const auto value = [&] {
    const size_t limit = Limit(kKeyBytes);
    const size_t choices[] = {limit,     limit + 1,
                              limit - 1, FormerInlineValueBytes(page_bytes(), kKeyBytes) + 1,
                              Below(30), limit / 2};
    return std::string(choices[Below(std::size(choices))], static_cast<char>('a' + Below(26)));
  };
  for (int step = 0; step < 2500 && !HasFailure(); ++step) {
    const bool grow = step % 1000 < 500;
    const std::string key = Key(static_cast<int>(Below(200)));
    if (Below(100) < (grow ? 75 : 25)) {
      tree.Put(key, value());
    } else if (Below(30) == 0) {
      tree.DeleteRange(key, Key(static_cast<int>(Below(200))));
    } else {
      tree.Delete(key);
    }
    if (Below(10) == 0) tree.pages().Freeze();
    if (step % 8 == 0) tree.Check();
    if (step % 50 == 0) tree.CheckLookups({key, Key(static_cast<int>(Below(200)))});
  }
  tree.Check();
  tree.CheckSnapshots();
}

// A leaf as the first version made it: values between the limits in extents.
class FormerLeafTest : public InlineLimitTest {
 protected:
  static constexpr int kRows = 5;

  FormerLeafTest() {
    FakePages& pages = tree_.pages();
    EXPECT_TRUE(pages.Reserve(1).ok());
    const pager::MutablePage page = pages.Create(pager::PageKind::kLeaf, 0, kKeyspace);
    NodeEditor leaf(page.bytes, page_bytes());
    leaf.Clear();
    for (size_t n = 0; n < kRows; ++n) {
      const std::string key = Key(static_cast<int>(n));
      const std::string value = Value('f');
      const auto extent = btree::WriteExtent(pages, value);
      EXPECT_TRUE(extent.ok()) << extent.status();
      EXPECT_TRUE(leaf.Insert(n, {{key, {}}, btree::EncodeExtent(*extent), true}));
      tree_.Learn(key, value);
    }
    tree_.root() = {pager::Reference{page.id, page.birth, kRows, true}, 0};
    pages.Freeze();
  }

  // Inline now; it was not.
  std::string Value(char letter) const {
    return std::string(FormerInlineValueBytes(page_bytes(), kKeyBytes) + 1, letter);
  }

  ModelTree tree_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(PageBytes, FormerLeafTest, ::testing::Values(512, 4096, 65536));

TEST_P(FormerLeafTest, IsSoundAndReadable) {
  ASSERT_LE(Value('f').size(), Limit(kKeyBytes));
  tree_.Check();
  tree_.CheckLookups({Key(0), Key(1), Key(4), Key(5)});
  tree_.CheckSnapshots();
}

TEST_P(FormerLeafTest, ValuesMoveInlineWhenTheyAreWritten) {
  for (int n = 0; n < kRows; ++n) {
    EXPECT_TRUE(tree_.root().reference.extents_below);
    const auto made =
        btree::MakeWritable(tree_.pages(), kKeyspace, &tree_.root(), Key(n), &btree::NothingBefore);
    ASSERT_TRUE(made.ok());
    EXPECT_FALSE(*made);  // a Put of the key reads the extent's description
    tree_.Put(Key(n), Value('n'));
    tree_.Check();
  }
  EXPECT_FALSE(tree_.root().reference.extents_below);
  tree_.CheckSnapshots();
}

TEST_P(FormerLeafTest, ValuesStayWhereTheyAreWhenOthersAreWritten) {
  for (int n = kRows; n < kRows + 20; ++n) tree_.Put(Key(n), Value('n'));
  tree_.Check();
  EXPECT_TRUE(tree_.root().reference.extents_below);
  tree_.CheckSnapshots();
  for (int n = 0; n < kRows + 20; ++n) {
    tree_.Delete(Key(n));
    tree_.Check();
  }
  EXPECT_TRUE(tree_.pages().Live().empty());
}

}  // namespace
}  // namespace keel::testing
