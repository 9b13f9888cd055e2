// Every rule of a node (N1 to N5), broken one at a time.

#include "btree/node_check.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "btree/describe.h"
#include "btree/node_builder.h"
#include "btree/overflow.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::Slot;

struct Break {
  std::string name;
  std::function<void(std::byte* page, pager::PageHeader& header, Slot* slots)> apply;
};

// Applies each break to a copy of `page` and wants it to be seen.
void ExpectSeen(const std::byte* page, uint32_t page_bytes, const std::vector<Break>& breaks) {
  ASSERT_TRUE(btree::CheckNode({page, page_bytes}).ok());
  for (const Break& rule : breaks) {
    AlignedBuffer copy = AlignedBuffer::Allocate(page_bytes);
    std::copy_n(page, page_bytes, copy.data());
    pager::PageHeader& header = pager::HeaderOf(copy.data());
    void* const slots = copy.data() + btree::SlotsOffset(header.prefix_bytes);
    rule.apply(copy.data(), header, static_cast<Slot*>(slots));
    const absl::Status checked = btree::CheckNode(copy.span());
    EXPECT_TRUE(absl::IsDataLoss(checked)) << rule.name;
    EXPECT_NE(btree::DescribeNode(copy.span()).find(MessageOf(checked)), std::string::npos);
  }
}

const std::vector<Break>& HeaderBreaks() {
  using Header = pager::PageHeader;
  static const std::vector<Break> kBreaks = {
      {"kind", [](std::byte*, Header& h, Slot*) { h.kind = h.kind == 1 ? 2 : 1; }},
      {"level", [](std::byte*, Header& h, Slot*) { h.level = h.level == 0 ? 1 : 0; }},
      {"high level", [](std::byte*, Header& h, Slot*) { h.level = 255; }},
      {"empty", [](std::byte*, Header& h, Slot*) { h.count = 0; }},
      {"one slot more", [](std::byte*, Header& h, Slot*) { ++h.count; }},
      {"one slot less", [](std::byte*, Header& h, Slot*) { --h.count; }},
      {"many slots", [](std::byte*, Header& h, Slot*) { h.count = UINT32_MAX; }},
      {"heap begin", [](std::byte*, Header& h, Slot*) { h.heap_begin += 1; }},
      {"heap far away", [](std::byte*, Header& h, Slot*) { h.heap_begin = UINT32_MAX; }},
      {"heap in the header", [](std::byte*, Header& h, Slot*) { h.heap_begin = 0; }},
      {"holes", [](std::byte*, Header& h, Slot*) { h.heap_holes += 1; }},
      {"long prefix", [](std::byte*, Header& h, Slot*) { h.prefix_bytes = UINT16_MAX; }},
      {"offset in the header", [](std::byte*, Header&, Slot* s) { s[1].offset = 8; }},
      {"offset at the end", [](std::byte*, Header&, Slot* s) { s[1].offset = 511; }},
      {"the same cell twice", [](std::byte*, Header&, Slot* s) { s[1] = s[2]; }},
      {"order", [](std::byte*, Header&, Slot* s) { std::swap(s[1], s[2]); }},
      {"head", [](std::byte*, Header&, Slot* s) { s[1].head ^= 1; }},
      {"long key", [](std::byte*, Header&, Slot* s) { s[1].key = 0x7fff; }},
      {"shorter key", [](std::byte*, Header&, Slot* s) { s[2].key = 0; }},
  };
  return kBreaks;
}

class NodeCheckTest : public ::testing::Test {
 protected:
  NodeCheckTest() {
    for (int i = 0; i < 100; ++i) {
      tree_.Put(absl::StrFormat("key%06d", i * 7919 % 1000), "value");
    }
  }

  const std::byte* Page(uint8_t level) {
    pager::Reference reference = tree_.root().reference;
    for (uint8_t at = tree_.root().level;; --at) {
      const std::byte* const page = tree_.pages().Resident(reference.id);
      if (at == level) return page;
      reference = btree::NodeView(page).reference(1);
    }
  }

  ModelTree tree_{512};
};

TEST_F(NodeCheckTest, SeesEveryBrokenRuleOfALeaf) {
  ExpectSeen(Page(0), 512, HeaderBreaks());
  ExpectSeen(
      Page(0), 512,
      {{"not large",
        [](std::byte*, pager::PageHeader&, Slot* s) { s[0].key |= btree::kLargeValue; }},
       {"long value", [](std::byte* page, pager::PageHeader&,
                         Slot* s) { page[s[0].offset + s[0].key_bytes()] = std::byte{0x7f}; }},
       {"value without end", [](std::byte* page, pager::PageHeader& h, Slot*) {
          std::fill(page + h.heap_begin, page + 512, std::byte{0xff});
        }}});
}

TEST_F(NodeCheckTest, SeesEveryBrokenRuleOfAnInternalNode) {
  ExpectSeen(Page(1), 512, HeaderBreaks());
  const auto at = [](std::byte* page, const Slot& slot) {
    return page + slot.offset + slot.key_bytes();
  };
  ExpectSeen(Page(1), 512,
             {{"no page",
               [&](std::byte* page, pager::PageHeader&, Slot* s) { Store48(at(page, s[1]), 0); }},
              {"younger child", [&](std::byte* page, pager::PageHeader& h,
                                    Slot* s) { Store<uint64_t>(at(page, s[1]) + 6, h.birth + 1); }},
              {"no entries", [&](std::byte* page, pager::PageHeader&,
                                 Slot* s) { Store48(at(page, s[1]) + 14, 0); }},
              {"large separator",
               [](std::byte*, pager::PageHeader&, Slot* s) { s[1].key |= btree::kLargeValue; }}});
}

// Each cell is good by itself, and the sizes fill the heap; but a change to one would change the other.
TEST(NodeCheckOverlapTest, SeesACellWithinAnother) {
  ModelTree tree(512);
  tree.Put("a", "b\2cd");
  tree.Put("b", "cd");
  ExpectSeen(tree.pages().Resident(tree.root().reference.id), 512,
             {{"overlap", [](std::byte*, pager::PageHeader&, Slot* s) {
                 s[1].offset = static_cast<uint16_t>(s[0].offset + 2);
               }}});
}

TEST_F(NodeCheckTest, LooksIntoExtents) {
  tree_.Put("large", std::string(5000, 'v'));
  const auto found = btree::Find(tree_.pages(), kKeyspace, tree_.root(), "large");
  ASSERT_TRUE(found.ok() && *found && found->value.large);
  const auto offset = static_cast<size_t>(found->value.bytes.data() -
                                          reinterpret_cast<const char*>(found->leaf.bytes()));
  ExpectSeen(found->leaf.bytes(), 512,
             {{"value bytes", [&](std::byte* page, pager::PageHeader&,
                                  Slot*) { page[offset + 1] ^= std::byte{0x40}; }},
              {"an extent younger than its leaf",
               [](std::byte*, pager::PageHeader& header, Slot*) { --header.birth; }}});
}

TEST_F(NodeCheckTest, OtherKindsOfPagesAreNotItsBusiness) {
  alignas(8) std::array<std::byte, 512> page{};
  EXPECT_TRUE(btree::CheckNode(page).ok());
  pager::HeaderOf(page.data()).kind = static_cast<uint8_t>(pager::PageKind::kCatalogue);
  EXPECT_TRUE(btree::CheckNode(page).ok());
}

}  // namespace
}  // namespace keel::testing
