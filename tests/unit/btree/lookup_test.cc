#include "btree/lookup.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::LookupOutcome;

class LookupTest : public ::testing::Test {
 protected:
  LookupTest() {
    for (int i = 0; i < 1000; i += 2) tree_.Put(absl::StrFormat("key%05d", i), std::to_string(i));
  }

  btree::LookupResult Look(std::string_view key) {
    return btree::Lookup([&](PageId id) { return tree_.pages().Resident(id); }, kKeyspace,
                         tree_.root(), key);
  }
  PageId LeafOf(std::string_view key) {
    const auto found = btree::Find(tree_.pages(), kKeyspace, tree_.root(), key);
    return PageId{found->leaf.header().page_id};
  }

  ModelTree tree_{512};
};

TEST_F(LookupTest, FindsWhatIsThere) {
  for (int i = 0; i < 1000; ++i) {
    const btree::LookupResult result = Look(absl::StrFormat("key%05d", i));
    ASSERT_EQ(result.outcome, i % 2 == 0 ? LookupOutcome::kFound : LookupOutcome::kAbsent);
    if (i % 2 == 0) {
      EXPECT_EQ(result.value.bytes, std::to_string(i));
    }
  }
  const auto never = [](PageId) -> const std::byte* { std::abort(); };
  EXPECT_EQ(btree::Lookup(never, kKeyspace, btree::TreeRoot{}, "key").outcome,
            LookupOutcome::kAbsent);
}

TEST_F(LookupTest, SaysWhatIsNotInMemory) {
  tree_.pages().Damage(LeafOf("key00500"));
  EXPECT_EQ(Look("key00500").outcome, LookupOutcome::kMiss);
  EXPECT_EQ(Look("key00000").outcome, LookupOutcome::kFound);
}

// A lost, stale or misdirected page is told from the right one by each of these fields, on each level.
TEST_F(LookupTest, ComparesEveryPageWithItsReference) {
  const std::vector<std::function<void(pager::PageHeader&)>> kChanges = {
      [](pager::PageHeader& header) { header.page_id ^= uint64_t{1} << 40; },
      [](pager::PageHeader& header) { header.birth -= 1; },
      [](pager::PageHeader& header) { header.keyspace ^= 0x80000000U; },
      [](pager::PageHeader& header) { header.level ^= 1; },
      [](pager::PageHeader& header) { header.kind ^= 3; },
  };
  for (const PageId id : {LeafOf("key00500"), tree_.root().reference.id}) {
    pager::PageHeader& header = pager::HeaderOf(tree_.pages().Bytes(id).data());
    const pager::PageHeader whole = header;
    for (const auto& change : kChanges) {
      change(header);
      EXPECT_EQ(Look("key00500").outcome, LookupOutcome::kMismatch);
      header = whole;
    }
    EXPECT_EQ(Look("key00500").outcome, LookupOutcome::kFound);
  }
}

// Whatever happens to one key of a group, the others are answered as if they were alone.
TEST_F(LookupTest, TogetherAsOneByOne) {
  std::mt19937_64 random(TestSeed());
  tree_.pages().Damage(LeafOf("key00500"));
  pager::HeaderOf(tree_.pages().Bytes(LeafOf("key00700")).data()).birth -= 1;
  const auto find = [&](PageId id) { return tree_.pages().Resident(id); };
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> keys(random() % (btree::kLookupsTogether + 1));
    for (std::string& key : keys) key = absl::StrFormat("key%05d", random() % 1010);
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const btree::LookupTogether together(find, kKeyspace, tree_.root(), views);
    for (size_t n = 0; n < keys.size(); ++n) {
      const btree::LookupResult alone = Look(keys[n]);
      const btree::LookupResult& result = together.result(n);
      ASSERT_EQ(result.outcome, alone.outcome) << keys[n];
      EXPECT_EQ(result.value.bytes, alone.value.bytes);
      EXPECT_EQ(result.id, alone.id);
      EXPECT_EQ(result.birth, alone.birth);
      EXPECT_EQ(result.level, alone.level);
    }
  }
  const std::vector<std::string_view> one = {"key00000"};
  const auto never = [](PageId) -> const std::byte* { std::abort(); };
  EXPECT_EQ(btree::LookupTogether(never, kKeyspace, btree::TreeRoot{}, one).result(0).outcome,
            LookupOutcome::kAbsent);
}

TEST_F(LookupTest, NamesThePageThatIsMissing) {
  const PageId leaf = LeafOf("key00500");
  tree_.pages().Damage(leaf);
  const btree::LookupResult result = Look("key00500");
  EXPECT_EQ(result.id, leaf);
  EXPECT_EQ(result.level, 0);
}

}  // namespace
}  // namespace keel::testing
