// The bytes of a leaf, an internal node and a large value's description, annotated, against
// tests/golden/btree_format.txt.

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "base/status.h"
#include "btree/describe.h"
#include "btree/node_view.h"
#include "btree/overflow.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::NodeView;
using btree::Slot;

std::string Line(size_t offset, std::string_view name, std::string_view bytes) {
  std::string text = absl::StrFormat("%5d %3d  %-30s", offset, bytes.size(), name);
  for (const char byte : bytes) absl::StrAppendFormat(&text, " %02x", static_cast<uint8_t>(byte));
  return text + "\n";
}

// Every byte that means something, by name.
std::string Dump(const std::byte* page) {
  const NodeView node(page);
  const std::string_view bytes(reinterpret_cast<const char*>(page), 512);
  std::string text = btree::DescribeNode({page, 512});
  const auto field = [&](size_t offset, size_t size, std::string_view name) {
    text += Line(offset, name, bytes.substr(offset, size));
  };
  field(8, 8, "page id");
  field(16, 8, "birth");
  field(24, 1, "kind");
  field(25, 1, "level");
  field(28, 4, "keyspace");
  field(32, 4, "count");
  field(36, 4, "heap begin");
  field(40, 4, "heap holes");
  field(44, 2, "prefix bytes");
  field(48, 8, "insertion hint");
  field(64, node.prefix().size(), "prefix");
  const size_t slots = btree::SlotsOffset(node.prefix().size());
  for (size_t i = 0; i < node.count(); ++i) {
    const Slot& slot = node.slots()[i];
    field(slots + i * 8, 8, absl::StrFormat("slot %d", i));
    field(slot.offset, node.CellBytes(i), absl::StrFormat("cell %d", i));
  }
  return text;
}

std::string GoldenText() {
  ModelTree tree(512);
  for (int i = 0; i < 30; ++i) {
    tree.Put(absl::StrFormat("user/%04d", i * 11 % 30),
             std::string(static_cast<size_t>(i % 20), 'v'));
  }
  tree.Put("user/0003", "another value");
  tree.Delete("user/0001");
  tree.Put("zebra", std::string(2000, 'z'));
  const NodeView root(tree.pages().Resident(tree.root().reference.id));
  std::string text = "# Internal node\n" + Dump(root.page());
  text += "\n# First leaf\n" + Dump(tree.pages().Resident(root.reference(0).id));
  text += "\n# Last leaf, with a large value\n" +
          Dump(tree.pages().Resident(root.reference(root.count() - 1).id));

  const auto large = btree::Find(tree.pages(), kKeyspace, tree.root(), "zebra");
  text += "\n# Description of the large value\n" + Line(0, "extent", large->value.bytes);
  const auto extent = btree::DecodeExtent(large->value.bytes, 512);
  const std::span<std::byte> table = tree.pages().Bytes(extent->runs[0].first);
  text += Line(0, "table", {reinterpret_cast<const char*>(table.data()), 40});
  return text;
}

TEST(BtreeGoldenTest, TheBytesOnDiskStayWhatTheyAre) {
  const std::string text = GoldenText();
  const std::string path = KEEL_GOLDEN_DIR "/btree_format.txt";
  if (std::getenv("KEEL_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str())
      << "the format has changed; if that is meant, raise its version and "
         "run with KEEL_UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace keel::testing
