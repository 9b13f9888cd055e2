#include "btree/describe.h"

#include <gtest/gtest.h>

#include <string>

#include "btree/node_view.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

std::string Describe(ModelTree& tree, PageId id) {
  return btree::DescribeNode({tree.pages().Resident(id), tree.pages().page_bytes()});
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(DescribeNodeTest, TellsKeysValuesAndReferences) {
  ModelTree tree(512);
  tree.Put("apple", "red");
  tree.Put("apple\xff", std::string(1000, 'x'));
  const std::string leaf = Describe(tree, tree.root().reference.id);
  EXPECT_TRUE(Has(leaf, "structure: well")) << leaf;
  EXPECT_TRUE(Has(leaf, "\"apple\"  = 3 bytes \"red\"")) << leaf;
  EXPECT_TRUE(Has(leaf, "\"apple\\xff\"  = large value of 1000 bytes")) << leaf;
  for (char c = 'a'; c < 'z'; ++c) tree.Put(std::string(30, c), "value");
  const PageId root = tree.root().reference.id;
  const btree::NodeView node(tree.pages().Resident(root));
  const std::string internal = Describe(tree, root);
  for (size_t i = 0; i < node.count(); ++i) {
    EXPECT_TRUE(Has(internal, "-> page " + std::to_string(node.reference(i).id.value))) << internal;
  }
  EXPECT_TRUE(Has(internal, "large values below"));
}

TEST(DescribeNodeTest, GoesOnPastDamage) {
  ModelTree tree(512);
  tree.Put("one", "first");
  tree.Put("two", "second");
  const PageId id = tree.root().reference.id;
  void* const slots = tree.pages().Bytes(id).data() + btree::SlotsOffset(0);
  static_cast<btree::Slot*>(slots)[0].offset = 511;
  const std::string text = Describe(tree, id);
  EXPECT_TRUE(Has(text, "structure: page")) << text;
  EXPECT_TRUE(Has(text, "does not end in the page")) << text;
  EXPECT_TRUE(Has(text, "\"two\"  = 6 bytes \"second\"")) << text;
}

}  // namespace
}  // namespace keel::testing
