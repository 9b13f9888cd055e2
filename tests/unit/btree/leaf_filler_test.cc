// What a LeafFiller makes against what BuildNode makes of the same entries: the same bytes, and as many of them.

#include "btree/leaf_filler.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "btree/node_check.h"
#include "tests/support/seed.h"

namespace keel::testing {
namespace {

using btree::Entry;
using btree::EntrySequence;
using btree::LeafFiller;
using btree::NodeEditor;
using btree::NodeView;

struct Row {
  std::string key;
  std::string value;
};

AlignedBuffer NewLeaf(uint32_t page_bytes) {
  AlignedBuffer page = AlignedBuffer::Allocate(page_bytes);
  std::memset(page.data(), 0, page_bytes);
  pager::HeaderOf(page.data()).kind = static_cast<uint8_t>(pager::PageKind::kLeaf);
  return page;
}

// The leaf of these rows as BuildNode lays it out; the rows' own leaf may need more than a page, so it is 64 KiB.
class Reference {
 public:
  explicit Reference(uint32_t page_bytes) : page_bytes_(page_bytes), source_(NewLeaf(65536)) {
    NodeEditor(source_.data(), 65536).Clear();
  }

  // Whether the row fits behind the others; if not, it is not taken.
  bool Add(const Row& row) {
    const Entry entry{{row.key, {}}, row.value, false};
    const size_t count = view().count();
    const auto all = EntrySequence::With(view(), count, entry, 0);
    if (btree::LayoutBytes(all) > page_bytes_) return false;
    return NodeEditor(source_.data(), 65536).Insert(count, entry);
  }
  AlignedBuffer Build() const {
    AlignedBuffer page = NewLeaf(page_bytes_);
    btree::BuildNode(page.data(), page_bytes_, EntrySequence(view()), 0, view().count());
    return page;
  }

 private:
  NodeView view() const { return NodeView(source_.data()); }

  const uint32_t page_bytes_;
  AlignedBuffer source_;
};

// Fills leaf after leaf with the rows, and compares each. How many leaves.
size_t Compare(LeafFiller& filler, uint32_t page_bytes, const std::vector<Row>& rows) {
  size_t leaves = 0;
  for (size_t next = 0; next < rows.size(); ++leaves) {
    Reference reference(page_bytes);
    const size_t first = next;
    for (; next < rows.size(); ++next) {
      const Row& row = rows[next];
      const LeafFiller::Place place = filler.Look(row.key);
      EXPECT_TRUE(place.after) << next;
      const bool fits = reference.Add(row);
      EXPECT_EQ(filler.Add(place, row.key, row.value, false), fits) << next;
      if (::testing::Test::HasFailure()) return leaves;
      if (!fits) break;
      EXPECT_EQ(filler.last_key().ToString(), row.key);
    }
    EXPECT_EQ(filler.count(), next - first);
    AlignedBuffer built = NewLeaf(page_bytes);
    filler.Build(built.data());
    const AlignedBuffer wanted = reference.Build();
    EXPECT_EQ(std::memcmp(built.data(), wanted.data(), page_bytes), 0) << "leaf " << leaves;
    EXPECT_TRUE(btree::CheckNode({built.data(), page_bytes}).ok());
    if (::testing::Test::HasFailure()) return leaves;
    filler.Clear();
  }
  return leaves;
}

// Long and short stems, so that leaves differ much in their prefixes.
std::vector<Row> RandomRows(std::mt19937_64& random, uint32_t page_bytes, size_t count) {
  const size_t longest = btree::MaxKeyBytes(page_bytes);
  const auto text = [&](size_t most, unsigned letters) {
    std::string bytes(random() % (most + 1), '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(
          "\0\xff"
          "abc"[random() % letters]);
    return bytes;
  };
  std::map<std::string, std::string> rows;
  std::string stem;
  while (rows.size() < count) {
    if (random() % 20 == 0) stem = text(longest, 5);
    if (random() % 8 == 0) stem.resize(random() % (stem.size() + 1));
    std::string key = stem + text(6, 3);
    key.resize(std::min(key.size(), longest));
    const size_t most = random() % 4 == 0 ? btree::MaxInlineValueBytes(page_bytes, key.size()) : 20;
    rows[key] = std::string(random() % (most + 1), 'v');
  }
  std::vector<Row> sorted;
  for (auto& [key, value] : rows) sorted.push_back({key, value});
  return sorted;
}

class LeafFillerTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  LeafFillerTest() { EXPECT_TRUE(filler_.Allocate().ok()); }

  LeafFiller filler_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(PageBytes, LeafFillerTest, ::testing::Values(512, 4096, 16384, 32768));

TEST_P(LeafFillerTest, MakesTheLeavesThatBuildNodeMakes) {
  std::mt19937_64 random(TestSeed() + GetParam());
  for (int round = 0; round < 60; ++round) {
    Compare(filler_, GetParam(), RandomRows(random, GetParam(), 400));
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

TEST_P(LeafFillerTest, LongKeysThatShareNearlyAll) {
  std::vector<Row> rows;
  const std::string stem(btree::MaxKeyBytes(GetParam()) - 4, 's');
  for (int i = 0; i < 9000; ++i) {
    std::string number = std::to_string(10000 + i).substr(1);
    rows.push_back({stem + number, ""});
  }
  const size_t leaves = Compare(filler_, GetParam(), rows);
  // Slot, length of the value, and what is not shared of the key: the rest is there once a leaf.
  const size_t room = btree::UsableBytes(GetParam()) - btree::MaxKeyBytes(GetParam());
  EXPECT_LE(leaves, rows.size() * (8 + 1 + 4) / room + 10);
}

// Each key shares a byte less with the first than the one before.
TEST_P(LeafFillerTest, KeysThatShareLessAndLess) {
  std::vector<Row> rows;
  for (size_t length = btree::MaxKeyBytes(GetParam()); length-- > 0;) {
    rows.push_back({std::string(length, 'a') + 'b', "value"});
  }
  Compare(filler_, GetParam(), rows);
}

TEST_P(LeafFillerTest, KeysAreComparedWithTheLast) {
  const auto place = [&](std::string_view key) { return filler_.Look(key); };
  EXPECT_TRUE(place("").after);
  EXPECT_TRUE(filler_.Add(place("bcd"), "bcd", "1", false));
  for (const std::string_view before : {"", "a", "b", "bc", "bcd", "bbz"}) {
    EXPECT_FALSE(place(before).after) << before;
  }
  EXPECT_TRUE(filler_.Add(place("bcf"), "bcf", "1", false));
  EXPECT_EQ(filler_.last_key().ToString(), "bcf");
  for (const std::string_view before : {"", "b", "bc", "bcd", "bce", "bcf", "bce\xff"}) {
    EXPECT_FALSE(place(before).after) << before;
  }
  EXPECT_TRUE(place(std::string_view("bcf\0", 4)).after);
  EXPECT_EQ(place("bcg").shared, 2u);
  EXPECT_EQ(place("b\xff").shared, 1u);
  EXPECT_TRUE(place("b\xff").after);
  EXPECT_EQ(place("\xff").shared, 0u);
  EXPECT_TRUE(place("\xff").after);
  EXPECT_FALSE(filler_.has_extents());
  EXPECT_TRUE(filler_.Add(place("c"), "c", "12345", true));
  EXPECT_TRUE(filler_.has_extents());
  filler_.Clear();
  EXPECT_FALSE(filler_.has_extents());
  EXPECT_TRUE(place("").after);
}

}  // namespace
}  // namespace keel::testing
