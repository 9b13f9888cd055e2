// Bulk loads against a std::map: what is built is a tree like any other, each page of it is made once, and a
// failure leaves no trace.

#include "btree/bulk_loader.h"

#include <absl/strings/str_format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "btree/cursor.h"
#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

std::string Number(uint64_t i) { return absl::StrFormat("key%08d", i); }

// Adds the rows and takes over the new root; the model learns them.
absl::Status Load(ModelTree& tree, const Model& rows) {
  btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
  for (const auto& [key, value] : rows) KEEL_RETURN_IF_ERROR(loader.Add(key, value));
  EXPECT_EQ(loader.added(), rows.size());
  KEEL_ASSIGN_OR_RETURN(tree.root(), loader.Finish());
  for (const auto& [key, value] : rows) tree.Learn(key, value);
  return absl::OkStatus();
}

// Rows numbered [begin, end) by `step`, every tenth of them large.
Model Rows(uint64_t begin, uint64_t end, uint64_t step, size_t value_bytes = 20) {
  Model rows;
  for (uint64_t i = begin; i < end; i += step) {
    rows[Number(i)] = std::string(i / step % 10 == 3 ? 2000 : value_bytes, 'v');
  }
  return rows;
}

btree::TreeCheckReport ReportOf(ModelTree& tree) {
  btree::TreeCheckReport report;
  const auto on_page = [](PageId, uint64_t, Epoch) { return absl::OkStatus(); };
  EXPECT_TRUE(
      btree::CheckTree(tree.pages(), kKeyspace, tree.root(), {.on_page = on_page}, &report).ok());
  return report;
}

// --- into an empty tree ---

class BulkLoaderSizesTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  // Keys with shared beginnings of all lengths, the empty key, 0xff and zero bytes, equal heads.
  Model RandomRows(std::mt19937_64& random, size_t count) const {
    const size_t longest = btree::MaxKeyBytes(GetParam());
    const auto below = [&](uint64_t limit) { return random() % limit; };
    const auto bytes = [&](size_t length) {
      static constexpr char kBytes[] = {'\0', '\1', 'a', 'b', '\x7f', '\x80', '\xff'};
      std::string text;
      for (size_t i = 0; i < length; ++i) text += kBytes[below(sizeof(kBytes))];
      return text;
    };
    const std::string stems[] = {"", bytes(below(longest)), bytes(below(longest)),
                                 std::string(longest, '\xff')};
    Model rows;
    while (rows.size() < count) {
      std::string key = stems[below(4)];
      if (below(3) == 0) key.resize(below(key.size() + 1));
      key += bytes(below(12));
      key.resize(std::min(key.size(), longest));
      const size_t length = below(12) == 0 ? below(4 * GetParam()) : below(GetParam() / 16);
      rows[key] = std::string(length, static_cast<char>('a' + below(26)));
    }
    return rows;
  }
};

TEST_P(BulkLoaderSizesTest, BuildsATreeLikeAnyOther) {
  std::mt19937_64 random(TestSeed() + GetParam());
  for (const size_t count : {1u, 2u, 3u, 10u, 100u, 500u, 1500u}) {
    ModelTree tree(GetParam());
    if (count % 2 == 1) tree.pages().set_max_run_pages(2);
    ASSERT_TRUE(Load(tree, RandomRows(random, count)).ok());
    tree.Check();
    tree.CheckSnapshots();
    // And is changed like any other.
    tree.Snapshot();
    for (const auto& [key, value] : RandomRows(random, 50)) tree.Put(key, value);
    for (int i = 0; i < 50 && !tree.model().empty(); ++i) {
      const auto at = static_cast<ptrdiff_t>(random() % tree.model().size());
      tree.Delete(std::next(tree.model().begin(), at)->first);
    }
    tree.Check();
    tree.CheckSnapshots();
    ASSERT_FALSE(HasFailure()) << count << " rows";
  }
}

TEST_P(BulkLoaderSizesTest, MakesEachPageOnceAndInOrder) {
  ModelTree tree(GetParam());
  Model rows;
  for (uint64_t i = 0; i < 5000; ++i) rows[Number(i)] = "0123456789";
  ASSERT_TRUE(Load(tree, rows).ok());
  const btree::TreeCheckReport report = ReportOf(tree);
  EXPECT_EQ(tree.pages().pages_created(), report.leaf_pages + report.internal_pages);
  EXPECT_EQ(tree.pages().pages_pinned(), report.leaf_pages + report.internal_pages);  // the check's
  uint64_t last = 0;
  btree::Cursor cursor(&tree.pages(), kKeyspace, tree.root(), btree::Range{});
  for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) {
    const uint64_t leaf = cursor.PinLeaf().header().page_id;
    ASSERT_GE(leaf, last);
    last = leaf;
  }
}

TEST_P(BulkLoaderSizesTest, LeavesAreFullAndNotMoreThanPutsMake) {
  ModelTree put(GetParam());
  ModelTree loaded(GetParam());
  Model rows;
  const uint64_t count = GetParam();
  for (uint64_t i = 0; i < count; ++i) rows[Number(i)] = "0123456789";
  for (const auto& [key, value] : rows) put.Put(key, value);
  ASSERT_TRUE(Load(loaded, rows).ok());
  const btree::TreeCheckReport report = ReportOf(loaded);
  EXPECT_LE(report.leaf_pages, ReportOf(put).leaf_pages);
  EXPECT_LE(report.internal_pages, ReportOf(put).internal_pages);
  EXPECT_GT(static_cast<double>(report.leaf_bytes_used),
            0.95 * static_cast<double>(report.leaf_pages * GetParam()));
}

TEST_P(BulkLoaderSizesTest, TakesTheLongestKeysAndLargeValues) {
  const size_t longest = btree::MaxKeyBytes(GetParam());
  ModelTree tree(GetParam());
  Model rows{{"", "nothing"}};
  for (size_t i = 0; i < 60; ++i) {
    const std::string key =
        std::string(longest - 2, i < 30 ? 'k' : '\xff') + absl::StrFormat("%02d", i);
    rows[key] = std::string(i % 3 == 0 ? GetParam() * 3 : i % 3, 'x');
  }
  ASSERT_TRUE(Load(tree, rows).ok());
  tree.Check();
  tree.CheckSnapshots();
  btree::BulkLoader loader(&tree.pages(), kKeyspace, btree::TreeRoot{});
  const std::string too_long(longest + 1, 'k');
  EXPECT_TRUE(absl::IsInvalidArgument(loader.Add(too_long, "")));
  EXPECT_TRUE(
      absl::IsInvalidArgument(loader.Add("k", std::string(btree::kMaxValueBytes + 1, 'v'))));
}

INSTANTIATE_TEST_SUITE_P(PageBytes, BulkLoaderSizesTest,
                         ::testing::Values(512, 4096, 8192, 16384, 32768, 65536));

TEST(BulkLoaderTest, NothingAddedIsTheOldRoot) {
  ModelTree tree(512);
  ASSERT_TRUE(Load(tree, {}).ok());
  EXPECT_TRUE(tree.root().empty());
  ASSERT_TRUE(Load(tree, Rows(0, 100, 1)).ok());
  const btree::TreeRoot root = tree.root();
  ASSERT_TRUE(Load(tree, {}).ok());
  EXPECT_EQ(tree.root(), root);
}

// --- into a gap of a tree ---

TEST(BulkLoaderTest, FillsAnyGap) {
  for (uint64_t gap = 0; gap <= 400; ++gap) {
    ModelTree tree(512);
    for (const auto& [key, value] : Rows(0, 400'000, 1000)) tree.Put(key, value);
    tree.Snapshot();
    const uint64_t begin = gap == 0 ? 0 : (gap - 1) * 1000 + 1;
    Model rows = Rows(begin, gap * 1000, 1 + gap % 7 * 20);
    if (gap == 0) rows = {{"a", "before all"}, {"b", "others"}};
    ASSERT_TRUE(Load(tree, rows).ok()) << gap;
    tree.Check();
    tree.CheckSnapshots();
    ASSERT_FALSE(HasFailure()) << "gap " << gap;
  }
}

TEST(BulkLoaderTest, LoadedKeysMayPassTheSeparatorThatWasThere) {
  ModelTree tree(512);
  const std::string value(40, 'v');
  for (uint64_t i = 0; i < 30; ++i) tree.Put("a" + Number(i), value);
  for (uint64_t i = 0; i < 200; ++i) tree.Put("x" + Number(i), value);
  // The separator between the two groups is "x", or what begins with it: "b" and "w" lie below it, "xk" does not.
  ASSERT_TRUE(Load(tree, {{"b", "1"}, {"w", "2"}, {"x", "3"}, {"xk", "4"}}).ok());
  tree.Check();
  tree.CheckSnapshots();
  tree.CheckLookups({"b", "w", "x", "xk", "a" + Number(29), "x" + Number(0), "n"});
}

TEST(BulkLoaderTest, AGapCostsItsOwnPagesAndAPath) {
  ModelTree tree(512);
  for (const auto& [key, value] : Rows(0, 2'000'000, 1000)) tree.Put(key, value);
  tree.pages().Freeze();
  const uint64_t created = tree.pages().pages_created();
  const uint64_t pinned = tree.pages().pages_pinned();
  ASSERT_TRUE(Load(tree, {{Number(1'000'500), "one row"}}).ok());
  const uint64_t height = tree.root().level + uint64_t{1};
  EXPECT_LE(tree.pages().pages_created() - created, 2 * height);
  EXPECT_LE(tree.pages().pages_pinned() - pinned, 3 * height);
}

TEST(BulkLoaderTest, PinsNoMoreThanAPath) {
  ModelTree tree(512);
  for (const auto& [key, value] : Rows(0, 1000, 1)) tree.Put(key, value);
  {
    btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
    for (const auto& [key, value] : Rows(5000, 9000, 1)) {
      ASSERT_TRUE(loader.Add(key, value).ok());
      ASSERT_LE(tree.pages().pins(), tree.root().level + 1u);
    }
  }
  EXPECT_EQ(tree.pages().pins(), 0u);
}

// --- order ---

TEST(BulkLoaderTest, RefusesDisorderNamingBothKeysAndGoesOn) {
  ModelTree tree(512);
  tree.Put("before", "old");
  tree.Put("f", "old");
  const std::set<uint64_t> live = tree.pages().Live();
  btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
  const auto expect = [&](std::string_view key, std::string_view one, std::string_view other) {
    const absl::Status status = loader.Add(key, std::string(5000, 'L'));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("\"" + std::string(one) + "\""));
    EXPECT_THAT(std::string(status.message()), HasSubstr("\"" + std::string(other) + "\""));
    EXPECT_EQ(tree.pages().Live(), live);
  };
  expect("before", "before", "before");
  ASSERT_TRUE(loader.Add("c\n", "1").ok());
  expect("c\n", "c\\x0a", "c\\x0a");
  expect("bz", "bz", "c\\x0a");
  expect("", "", "c\\x0a");
  expect("f", "f", "f");
  expect("g", "g", "f");
  ASSERT_TRUE(loader.Add("d", "2").ok());
  const auto root = loader.Finish();
  ASSERT_TRUE(root.ok()) << root.status();
  tree.root() = *root;
  tree.Learn("c\n", "1");
  tree.Learn("d", "2");
  tree.Check();
  tree.CheckSnapshots();
}

// --- failures ---

using Knob = void (FakePages::*)(int);

// Loads `rows` with the n-th call of a kind failing, and what failed repeated. Whether anything failed.
bool LoadWithFailure(ModelTree& tree, const Model& rows, Knob knob, int n) {
  FakePages& pages = tree.pages();
  btree::BulkLoader loader(&pages, kKeyspace, tree.root());
  bool failed = false;
  (pages.*knob)(n);
  for (const auto& [key, value] : rows) {
    const std::set<uint64_t> live = pages.Live();
    if (loader.Add(key, value).ok()) continue;
    EXPECT_FALSE(failed);
    EXPECT_EQ(pages.Live(), live) << "the failed Add of " << key << " left pages";
    EXPECT_TRUE(loader.Add(key, value).ok());
    failed = true;
  }
  absl::StatusOr<btree::TreeRoot> root = loader.Finish();
  if (!root.ok()) {
    EXPECT_FALSE(failed);
    failed = true;
    root = loader.Finish();
  }
  (pages.*knob)(0);
  EXPECT_TRUE(root.ok());
  tree.root() = root.value_or(tree.root());
  for (const auto& [key, value] : rows) tree.Learn(key, value);
  return failed;
}

TEST(BulkLoaderTest, AFailureAtAnyCallLeavesNoTrace) {
  const Knob knobs[] = {&FakePages::FailPin, &FakePages::FailReserve, &FakePages::FailCreateRun,
                        &FakePages::FailWriteRaw};
  for (const bool empty : {true, false}) {
    for (const Knob knob : knobs) {
      int n = 0;
      for (bool failed = true; failed;) {
        ASSERT_LT(++n, 1000);
        ModelTree tree(512);
        if (!empty) {
          for (const auto& [key, value] : Rows(0, 300'000, 1000)) tree.Put(key, value);
          tree.Snapshot();
        }
        failed = LoadWithFailure(tree, Rows(150'001, 150'700, 3), knob, n);
        tree.Check();
        tree.CheckSnapshots();
        ASSERT_FALSE(HasFailure()) << "call " << n << (empty ? ", empty" : "");
      }
      EXPECT_GT(n, empty && knob == knobs[0] ? 0 : 3);
    }
  }
}

TEST(BulkLoaderTest, AFirstKeyThatFailedDoesNotDecideTheGap) {
  ModelTree tree(512);
  for (const auto& [key, value] : Rows(0, 300'000, 1000)) tree.Put(key, value);
  btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
  tree.pages().FailCreateRun(1);
  ASSERT_FALSE(loader.Add(Number(200'500), std::string(2000, 'L')).ok());
  ASSERT_TRUE(loader.Add(Number(100'500), "value").ok());
  EXPECT_FALSE(loader.Add(Number(200'500), "value").ok());
  const auto root = loader.Finish();
  ASSERT_TRUE(root.ok()) << root.status();
  tree.root() = *root;
  tree.Learn(Number(100'500), "value");
  tree.Check();
  tree.CheckSnapshots();
}

TEST(BulkLoaderTest, AbandonedItLeavesItsPagesToTheRollback) {
  ModelTree tree(512);
  for (const auto& [key, value] : Rows(0, 300, 1)) tree.Put(key, value);
  tree.Snapshot();
  const std::set<uint64_t> before = tree.pages().Live();
  {
    btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
    for (const auto& [key, value] : Rows(1000, 2000, 1)) ASSERT_TRUE(loader.Add(key, value).ok());
  }
  tree.pages().Rollback();
  EXPECT_EQ(tree.pages().Live(), before);
  tree.Check();
  tree.CheckSnapshots();
}

// --- lists of trees and loads, shrunk ---

// Few different bytes and stems, so that keys meet; up to the longest of the test geometry.
rc::Gen<std::string> Keys() {
  const auto stem = rc::gen::element<std::string>("", "stem", "stem/of", std::string(60, 's'),
                                                  std::string(100, '\xff'));
  const auto rest =
      rc::gen::container<std::string>(rc::gen::element('\0', 'a', 'b', 'c', '\x7f', '\xff'));
  return rc::gen::map(rc::gen::pair(stem, rest), [](const auto& parts) {
    return (parts.first + parts.second).substr(0, btree::MaxKeyBytes(pager::kTestPageBytes));
  });
}

std::string ValueFor(const std::string& key, size_t bytes) {
  return std::string(bytes > 80 ? bytes * 20 : bytes, key.empty() ? '-' : key.back());
}

RC_GTEST_PROP(BulkLoaderPropertyTest, LoadsIntoTheGapOfItsFirstKey, ()) {
  const auto rows =
      rc::gen::container<std::map<std::string, size_t>>(Keys(), rc::gen::inRange<size_t>(0, 90));
  ModelTree tree(pager::kTestPageBytes);
  for (int round = 0; round < 3; ++round) {
    for (const auto& [key, bytes] : *rows) {
      tree.Put(key, ValueFor(key, bytes));
      if (*rc::gen::inRange(0, 20) == 0) tree.pages().Freeze();
    }
    if (*rc::gen::element(true, false)) tree.Snapshot();
    btree::BulkLoader loader(&tree.pages(), kKeyspace, tree.root());
    Model added;
    auto limit = tree.model().end();
    for (const auto& [key, bytes] : *rows) {
      const std::string value = ValueFor(key, bytes);
      const bool possible = added.empty() ? !tree.model().contains(key)
                                          : limit == tree.model().end() || key < limit->first;
      const absl::Status status = loader.Add(key, value);
      RC_ASSERT(status.ok() == possible);
      if (!possible) continue;
      if (added.empty()) limit = tree.model().lower_bound(key);
      added[key] = value;
      if (*rc::gen::inRange(0, 20) == 0) tree.pages().Freeze();
    }
    const auto root = loader.Finish();
    RC_ASSERT(root.ok());
    tree.root() = *root;
    for (const auto& [key, value] : added) tree.Learn(key, value);
    RC_ASSERT(Damages(tree.pages(), tree.root()) == "");
    RC_ASSERT(tree.root().reference.entries == tree.model().size());
    RC_ASSERT(tree.pages().pins() == 0u);
    tree.CheckSnapshots();
  }
}

}  // namespace
}  // namespace keel::testing
