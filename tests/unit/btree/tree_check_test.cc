// Every invariant of a tree (B1 to B6), broken one at a time in a tree that is otherwise well.

#include "btree/tree_check.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "btree/node_builder.h"
#include "btree/overflow.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::NodeEditor;
using btree::NodeView;
using btree::TreeCheckReport;
using pager::Reference;

std::string Number(int i) { return absl::StrFormat("key%05d", i); }

class TreeCheckTest : public ::testing::Test {
 protected:
  TreeCheckTest() {
    for (int i = 0; i < 600; ++i)
      tree_.Put(Number(i), i % 100 == 50 ? std::string(1500, 'v') : "v");
    EXPECT_GE(tree_.root().level, 2);
  }

  TreeCheckReport Check() {
    TreeCheckReport report;
    pages_met_.clear();
    const auto on_page = [&](PageId first, uint64_t count, Epoch) {
      for (uint64_t i = 0; i < count; ++i) pages_met_.insert(first.value + i);
      return absl::OkStatus();
    };
    const absl::Status checked =
        btree::CheckTree(tree_.pages(), kKeyspace, tree_.root(), {.on_page = on_page}, &report);
    EXPECT_TRUE(checked.ok()) << checked;
    return report;
  }

  // The page at `level` on the way to `key`, to be spoiled.
  NodeEditor PageOn(uint8_t level, const std::string& key) {
    Reference reference = tree_.root().reference;
    for (uint8_t at = tree_.root().level;; --at) {
      std::byte* const page = tree_.pages().Bytes(reference.id).data();
      if (at == level) return NodeEditor(page, 512);
      const NodeView node(page);
      slot_ = node.ChildFor(key);
      reference = node.reference(slot_);
    }
  }

  void ExpectOneDamage(std::string_view problem) {
    const TreeCheckReport report = Check();
    ASSERT_FALSE(report.damages.empty()) << problem;
    EXPECT_NE(report.damages[0].problem.find(problem), std::string::npos)
        << report.damages[0].problem;
  }

  ModelTree tree_{512};
  size_t slot_ = 0;  // that PageOn went through last
  std::multiset<uint64_t> pages_met_;
};

TEST_F(TreeCheckTest, AWholeTreeHasNoDamageAndIsCounted) {
  const TreeCheckReport report = Check();
  EXPECT_TRUE(report.damages.empty());
  EXPECT_EQ(report.entries, 600u);
  EXPECT_EQ(report.key_bytes, 600u * 8);
  EXPECT_EQ(report.value_bytes, 594u + 6 * 1500);
  EXPECT_EQ(report.extent_pages, 6u * 4);
  EXPECT_EQ(report.leaf_pages + report.internal_pages + report.extent_pages, pages_met_.size());
  EXPECT_EQ(std::set<uint64_t>(pages_met_.begin(), pages_met_.end()), tree_.pages().Live());
}

TEST_F(TreeCheckTest, NamesTheKeyRangeOfALostPageAndGoesOn) {
  const PageId leaf{PageOn(0, Number(300)).view().header().page_id};
  const std::string first = NodeView(tree_.pages().Resident(leaf)).key(0).ToString();
  tree_.pages().Damage(leaf);
  const TreeCheckReport report = Check();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].page, leaf);
  EXPECT_LE(report.damages[0].key_begin, first);
  ASSERT_TRUE(report.damages[0].has_key_end);
  EXPECT_GT(report.damages[0].key_end, first);
  EXPECT_GT(report.entries, 550u);
  EXPECT_LT(report.entries, 600u);
}

TEST_F(TreeCheckTest, SeesAWrongEntryCount) {
  NodeEditor parent = PageOn(1, Number(300));
  Reference reference = parent.view().reference(1);
  ++reference.entries;
  parent.SetReference(1, reference);
  ExpectOneDamage("entries expected");
}

TEST_F(TreeCheckTest, SeesAWrongExtentsFlag) {
  NodeEditor parent = PageOn(1, Number(300));
  Reference reference = parent.view().reference(1);
  reference.extents_below = !reference.extents_below;
  parent.SetReference(1, reference);
  ExpectOneDamage("large values below");
}

TEST_F(TreeCheckTest, SeesKeysBeyondTheirFences) {
  for (const char* const key : {"kex", "key99999"}) {
    NodeEditor leaf = PageOn(0, Number(300));
    const NodeView node = leaf.view();
    leaf.Remove(1, 10);  // to have room
    bool equal = false;
    ASSERT_TRUE(leaf.Insert(node.LowerBound(key, &equal), {{key, {}}, "v", false}));
    ExpectOneDamage("its fence");
  }
}

TEST_F(TreeCheckTest, SeesAChildYoungerThanItsParent) {
  NodeEditor parent = PageOn(1, Number(300));
  pager::HeaderOf(parent.page()).birth -= 1;
  NodeEditor grandparent = PageOn(2, Number(300));
  const size_t slot = grandparent.view().ChildFor(Number(300));
  Reference reference = grandparent.view().reference(slot);
  reference.birth.value -= 1;
  grandparent.SetReference(slot, reference);
  ExpectOneDamage("refers to page");
}

TEST_F(TreeCheckTest, SeesDamageInALargeValue) {
  const auto found = btree::Find(tree_.pages(), kKeyspace, tree_.root(), Number(150));
  ASSERT_TRUE(found.ok() && found->value.large);
  const auto extent = btree::DecodeExtent(found->value.bytes, 512);
  tree_.pages().Bytes(PageId{extent->runs[0].first.value + 2})[5] ^= std::byte{1};
  const TreeCheckReport report = Check();
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_EQ(report.damages[0].key_begin, Number(150));
  EXPECT_EQ(report.damages[0].key_end, Number(150) + '\0');
}

TEST_F(TreeCheckTest, MeetsASharedPageTwice) {
  NodeEditor parent = PageOn(1, Number(300));
  const Reference reference = parent.view().reference(0);
  parent.SetReference(1, reference);
  ExpectOneDamage("its fence");
  EXPECT_EQ(pages_met_.count(reference.id.value), 2u);
}

TEST_F(TreeCheckTest, ErrorsThatAreNoDamageEndTheCheck) {
  TreeCheckReport report;
  int calls = 0;
  const auto on_page = [&](PageId, uint64_t, Epoch) {
    return ++calls == 5 ? absl::CancelledError("enough") : absl::OkStatus();
  };
  EXPECT_TRUE(absl::IsCancelled(
      btree::CheckTree(tree_.pages(), kKeyspace, tree_.root(), {.on_page = on_page}, &report)));
  EXPECT_EQ(calls, 5);
}

TEST_F(TreeCheckTest, KeepsToTheNumberOfDamagesAskedFor) {
  for (int i = 0; i < 600; i += 40) {
    tree_.pages().Damage(PageId{PageOn(0, Number(i)).view().header().page_id});
  }
  TreeCheckReport report;
  const auto on_page = [](PageId, uint64_t, Epoch) { return absl::OkStatus(); };
  ASSERT_TRUE(btree::CheckTree(tree_.pages(), kKeyspace, tree_.root(),
                               {.max_damages = 3, .on_page = on_page}, &report)
                  .ok());
  EXPECT_EQ(report.damages.size(), 3u);
}

// A tree of 40 levels, in which every reference of a page names the same child: walked naively it has more
// paths than could ever be walked. Each page by itself is a good node.
TEST(HostileTreeTest, SharedPagesOnAllLevelsEndInTime) {
  FakePages pages(512);
  ASSERT_TRUE(pages.Reserve(100).ok());
  const pager::MutablePage leaf = pages.Create(pager::PageKind::kLeaf, 0, kKeyspace);
  NodeEditor editor(leaf.bytes, 512);
  editor.Clear();
  ASSERT_TRUE(editor.Insert(0, {{"m", {}}, "value", false}));
  Reference below{leaf.id, leaf.birth, 1, false};
  for (uint8_t level = 1; level <= 40; ++level) {
    const pager::MutablePage page = pages.Create(pager::PageKind::kInternal, level, kKeyspace);
    NodeEditor node(page.bytes, 512);
    node.Clear();
    std::string reference(pager::kReferenceBytes, '\0');
    pager::StoreReference(reference.data(), below);
    for (size_t i = 0; i < 8; ++i) {
      const std::string key(i, 'z');
      ASSERT_TRUE(node.Insert(i, {{key, {}}, reference, false}));
    }
    below = Reference{page.id, page.birth, 1, false};
  }
  const btree::TreeRoot root{below, 40};
  TreeCheckReport report;
  uint64_t met = 0;
  const auto on_page = [&](PageId, uint64_t, Epoch) {
    ++met;
    return absl::OkStatus();
  };
  ASSERT_TRUE(btree::CheckTree(pages, kKeyspace, root, {.on_page = on_page}, &report).ok());
  EXPECT_FALSE(report.damages.empty());
  EXPECT_LT(met, 5000u);
  // A scan ends as well.
  EXPECT_TRUE(absl::IsDataLoss(ScanStatus(pages, root)));
}

}  // namespace
}  // namespace keel::testing
