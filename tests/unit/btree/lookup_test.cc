#include "btree/lookup.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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

}  // namespace
}  // namespace keel::testing
