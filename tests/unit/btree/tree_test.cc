// Trees against a std::map, in random steps: every structure is checked after each one.

#include "btree/tree.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "btree/cursor.h"
#include "btree/node_view.h"
#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

// Keys that make trouble: shared beginnings of all lengths, the empty key, 0xff and zero bytes, equal heads.
class KeyMaker {
 public:
  KeyMaker(std::mt19937_64* random, size_t key_bytes_max)
      : random_(random), key_bytes_max_(key_bytes_max) {
    for (int i = 0; i < 4; ++i) stems_.push_back(Bytes(Below(key_bytes_max_)));
    stems_.push_back("");
  }

  std::string Key() {
    std::string key = stems_[Below(stems_.size())];
    if (Below(3) == 0) key.resize(Below(key.size() + 1));
    key += Bytes(Below(8));
    if (Below(20) == 0) key.append(key_bytes_max_, '\xff');
    if (key.size() > key_bytes_max_) key.resize(key_bytes_max_);
    return key;
  }

  std::string Value(uint32_t page_bytes, size_t key_bytes) {
    switch (Below(12)) {
      case 0:
        return std::string(Below(4 * page_bytes), static_cast<char>('A' + Below(26)));
      case 1:
        return std::string(Below(page_bytes / 4), 'q');
      case 2:  // about as large as the leaf takes it
        return std::string(btree::MaxInlineValueBytes(page_bytes, key_bytes) + 1 - Below(3), 'l');
      default:
        return std::string(Below(20), static_cast<char>('a' + Below(26)));
    }
  }

  uint64_t Below(uint64_t limit) { return limit == 0 ? 0 : (*random_)() % limit; }

 private:
  std::string Bytes(size_t count) {
    static constexpr char kBytes[] = {'\0', '\1', 'a', 'b', '\x7f', '\x80', '\xff'};
    std::string bytes;
    for (size_t i = 0; i < count; ++i) bytes += kBytes[Below(sizeof(kBytes))];
    return bytes;
  }

  std::mt19937_64* random_;
  const size_t key_bytes_max_;
  std::vector<std::string> stems_;
};

class TreeModelTest : public ::testing::TestWithParam<uint32_t> {};

// A key that is there, mostly.
std::string SomeKey(ModelTree& tree, KeyMaker& maker) {
  std::string key = maker.Key();
  const auto at = tree.model().lower_bound(key);
  if (at != tree.model().end() && maker.Below(8) != 0) return at->first;
  return key;
}

// Mostly short ranges, or nothing would ever grow.
void DeleteSomeRange(ModelTree& tree, KeyMaker& maker) {
  std::string begin = SomeKey(tree, maker);
  std::optional<std::string> end = SomeKey(tree, maker);
  if (maker.Below(20) != 0) {
    auto at = tree.model().lower_bound(begin);
    for (uint64_t i = maker.Below(60); i > 0 && at != tree.model().end(); --i) ++at;
    if (at != tree.model().end()) end = at->first;
    if (end && maker.Below(4) == 0) *end += '\1';
  } else if (maker.Below(4) == 0) {
    end.reset();
  } else if (*end < begin && maker.Below(4) != 0) {
    std::swap(begin, *end);
  }
  tree.DeleteRange(begin, end);
}

void Step(ModelTree& tree, KeyMaker& maker, bool grow) {
  const uint64_t what = maker.Below(200);
  if (what < (grow ? 170U : 40U)) {
    const std::string key = maker.Below(4) == 0 ? SomeKey(tree, maker) : maker.Key();
    tree.Put(key, maker.Value(tree.pages().page_bytes(), key.size()));
  } else if (what < (grow ? 199U : 195U)) {
    tree.Delete(SomeKey(tree, maker));
  } else {
    DeleteSomeRange(tree, maker);
  }
}

TEST_P(TreeModelTest, DoesAsAMapDoes) {
  std::mt19937_64 random(TestSeed() + GetParam());
  for (int round = 0; round < 4; ++round) {
    ModelTree tree(GetParam());
    KeyMaker maker(&random, btree::MaxKeyBytes(GetParam()));
    if (round % 2 == 1) tree.pages().set_max_run_pages(2);
    for (int step = 0; step < 4000 && !HasFailure(); ++step) {
      Step(tree, maker, step % 1500 < 900);
      if (step % (GetParam() == 512 ? 4 : 64) == 0) tree.Check();
      if (maker.Below(10) == 0) tree.pages().Freeze();
      if (maker.Below(300) == 0) tree.Snapshot();
      if (step % 50 == 0) {
        tree.CheckLookups({maker.Key(), SomeKey(tree, maker), SomeKey(tree, maker)});
        tree.CheckCount(maker.Key(), maker.Key());
        tree.CheckCount(SomeKey(tree, maker), std::nullopt);
      }
    }
    tree.CheckSnapshots();
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(PageBytes, TreeModelTest, ::testing::Values(512, 4096, 16384, 65536));

// --- what a change promises its caller ---

std::string Number(uint64_t i) { return absl::StrFormat("key%08d", i); }

// A tree of some height, with large values here and there, all of it frozen.
void Fill(ModelTree& tree, int count) {
  for (int i = 0; i < count; ++i) {
    tree.Put(Number(static_cast<uint64_t>(i) * 2), std::string(i % 10 == 3 ? 2000 : 20, 'v'));
  }
  tree.pages().Freeze();
}

// Runs `change` with the n-th call of each kind failing, for all n, until it succeeds: a failure must leave
// no trace.
template <typename Change>
void FailEverywhere(ModelTree& tree, Change&& change) {
  using Knob = void (FakePages::*)(int);
  for (const Knob knob : {&FakePages::FailPin, &FakePages::FailReserve, &FakePages::FailCreateRun,
                          &FakePages::FailWriteRaw}) {
    for (int n = 1;; ++n) {
      ASSERT_LT(n, 100);
      const btree::TreeRoot before = tree.root();
      (tree.pages().*knob)(n);
      const absl::Status status = change();
      (tree.pages().*knob)(0);
      if (status.ok()) break;
      ASSERT_EQ(tree.root(), before);
      ASSERT_EQ(Damages(tree.pages(), tree.root()), "");
      ASSERT_TRUE(Contents(tree.pages(), tree.root()) == tree.model());
    }
    if (::testing::Test::HasFatalFailure()) return;
    tree.pages().CheckFrozen();
  }
}

TEST(TreeTest, AFailedPutLeavesNoTrace) {
  ModelTree tree(512);
  Fill(tree, 150);
  for (const int at : {0, 3, 101, 299}) {
    for (const size_t bytes : {10u, 100u, 3000u}) {
      const std::string key = Number(static_cast<uint64_t>(at));
      int tries = 0;
      FailEverywhere(tree, [&] {
        // Another value each time, so that every success is told from the one before.
        const std::string value(bytes + static_cast<size_t>(tries++), 'n');
        const auto added = btree::Put(tree.pages(), kKeyspace, &tree.root(), key, value);
        if (added.ok()) tree.Learn(key, value);
        return added.status();
      });
    }
  }
}

TEST(TreeTest, AFailedDeleteLeavesNoTrace) {
  ModelTree tree(512);
  Fill(tree, 150);
  for (uint64_t at = 0; at < 300; at += 2) {
    const std::string key = Number(at);
    FailEverywhere(tree, [&] {
      if (!tree.model().contains(key)) return absl::OkStatus();
      const btree::TreeRoot before = tree.root();
      const auto deleted = btree::Delete(tree.pages(), kKeyspace, &tree.root(), key);
      if (!deleted.ok()) return deleted.status();
      EXPECT_TRUE(*deleted && tree.root() != before);
      tree.Forget(key);
      return absl::OkStatus();
    });
    ASSERT_FALSE(HasFailure()) << key;
    tree.Check();
  }
  EXPECT_TRUE(tree.root().empty());
}

TEST(TreeTest, DeletesNeedOnlyAPageALevelWhenSpaceIsShort) {
  ModelTree tree(512);
  Fill(tree, 300);
  tree.pages().set_max_reserve(tree.root().level + size_t{1});
  for (uint64_t at = 0; at < 600; at += 2) {
    tree.pages().Freeze();
    tree.Delete(Number(at));
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_TRUE(tree.root().empty());
  EXPECT_TRUE(tree.pages().Live().empty());
}

TEST(TreeTest, ArgumentsMayPointIntoPinnedPages) {
  ModelTree tree(512);
  for (int i = 0; i < 4; ++i) tree.Put(Number(static_cast<uint64_t>(i)), std::string(60, 'a'));
  const std::string value = tree.model().at(Number(2));
  auto found = btree::Find(tree.pages(), kKeyspace, tree.root(), Number(2));
  ASSERT_TRUE(found.ok() && *found);
  // The very leaf that holds the value is changed, compacted and split while the value is read from it.
  for (const char* const key : {"key", "key00000002", "z", "m", "n"}) {
    const auto added = btree::Put(tree.pages(), kKeyspace, &tree.root(), key, found->value.bytes);
    ASSERT_TRUE(added.ok()) << added.status();
    EXPECT_EQ(found->value.bytes, value);
    tree.Learn(key, value);
  }
  found->leaf.Release();
  tree.Check();
  tree.CheckSnapshots();
}

TEST(TreeTest, ReplacingInTheSameEpochChangesNoOtherPage) {
  ModelTree tree(512);
  for (uint64_t i = 0; i < 200; ++i) tree.Put(Number(i), "first");
  const btree::TreeRoot root = tree.root();
  const uint64_t created = tree.pages().pages_created();
  for (uint64_t i = 0; i < 200; ++i) tree.Put(Number(i), "other");
  EXPECT_EQ(tree.root(), root);
  EXPECT_EQ(tree.pages().pages_created(), created);
  tree.CheckSnapshots();
}

TEST(TreeTest, APutCopiesOnePageALevel) {
  ModelTree tree(512);
  for (uint64_t i = 0; i < 1000; ++i) tree.Put(Number(i), "value");
  tree.pages().Freeze();
  const uint64_t created = tree.pages().pages_created();
  tree.Put(Number(500), "other");
  EXPECT_EQ(tree.pages().pages_created() - created, tree.root().level + 1u);
}

TEST(TreeTest, LimitsOfKeysAndValues) {
  for (const uint32_t page_bytes : {512u, 4096u, 65536u}) {
    ModelTree tree(page_bytes);
    const size_t longest = btree::MaxKeyBytes(page_bytes);
    for (const char last : {'a', 'b', 'c', '\xff'}) {
      const std::string key = std::string(longest - 1, '\xff') + last;
      tree.Put(key, std::string(page_bytes * 3, last));
      tree.Put(key.substr(1), "");
      tree.Check();
    }
    tree.Put("", "nothing");
    tree.CheckSnapshots();
    const std::string too_long(longest + 1, 'k');
    const btree::TreeRoot before = tree.root();
    EXPECT_TRUE(absl::IsInvalidArgument(
        btree::Put(tree.pages(), kKeyspace, &tree.root(), too_long, "").status()));
    const std::string too_large(btree::kMaxValueBytes + 1, 'v');
    EXPECT_TRUE(absl::IsInvalidArgument(
        btree::Put(tree.pages(), kKeyspace, &tree.root(), "k", too_large).status()));
    EXPECT_EQ(tree.root(), before);
  }
}

// --- neighbours ---

using Rows = std::vector<std::pair<std::string, std::string>>;

class NeighboursTest : public ::testing::Test {
 protected:
  // In another order than that of the keys, so that leaves have room.
  NeighboursTest() : tree_(512) {
    for (uint64_t i = 0; i < 300; ++i) tree_.Put(Number(i * 77 % 300 * 2), std::string(20, 'v'));
    tree_.pages().Freeze();
  }

  // How many rows went along with the first one; 0: an error.
  size_t Put(const Rows& rows) {
    const auto taken = btree::PutNeighbours(tree_.pages(), kKeyspace, &tree_.root(), At(rows));
    if (!taken.ok()) return 0;
    for (size_t i = 0; i < *taken; ++i) tree_.Learn(rows[i].first, rows[i].second);
    tree_.Check();
    return *taken;
  }
  size_t CountWritable(const Rows& rows) {
    return btree::CountWritable(tree_.pages(), kKeyspace, tree_.root(), At(rows));
  }
  // The keys of the leaf that `key` belongs into.
  std::vector<std::string> KeysBeside(const std::string& key) {
    std::vector<std::string> keys;
    const auto found = btree::Find(tree_.pages(), kKeyspace, tree_.root(), key);
    EXPECT_TRUE(found.ok() && *found);
    const btree::NodeView leaf(found->leaf.bytes());
    for (size_t i = 0; i < leaf.count(); ++i) keys.push_back(leaf.key(i).ToString());
    return keys;
  }

  ModelTree tree_;

 private:
  struct RowsOf {
    const Rows* rows;
    std::optional<btree::Row> operator()(size_t number) const {
      if (number >= rows->size()) return std::nullopt;
      return btree::Row{(*rows)[number].first, (*rows)[number].second};
    }
  };
  const RowsOf& At(const Rows& rows) {
    at_.rows = &rows;
    return at_;
  }
  RowsOf at_{};
};

TEST_F(NeighboursTest, OnesOfALeafAreChangedByOneWayDown) {
  const std::vector<std::string> keys = KeysBeside(Number(200));
  ASSERT_GT(keys.size(), 4u);
  Rows rows;
  for (const std::string& key : keys) rows.emplace_back(key, "replaced, by as long one");
  for (auto& [key, value] : rows) value.resize(20);
  const uint64_t pinned = tree_.pages().pages_pinned();
  const uint64_t created = tree_.pages().pages_created();
  const auto taken = btree::PutNeighbours(tree_.pages(), kKeyspace, &tree_.root(),
                                          [&](size_t n) -> std::optional<btree::Row> {
                                            if (n == rows.size()) return std::nullopt;
                                            return btree::Row{rows[n].first, rows[n].second};
                                          });
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(*taken, rows.size());
  EXPECT_EQ(tree_.pages().pages_pinned() - pinned, tree_.root().level + 1u);
  EXPECT_EQ(tree_.pages().pages_created() - created, tree_.root().level + 1u);
  for (const auto& [key, value] : rows) tree_.Learn(key, value);
  tree_.Check();
  EXPECT_TRUE(tree_.root().reference.entries == tree_.model().size());
}

TEST_F(NeighboursTest, TheyEndWhereTheLeafDoes) {
  const std::vector<std::string> keys = KeysBeside(Number(200));
  const std::string before = std::prev(tree_.model().find(keys.front()))->first;
  const std::string behind = std::next(tree_.model().find(keys.back()))->first;
  EXPECT_EQ(Put({{keys[1], "a"}, {keys[0], "b"}, {before, "c"}}), 2u);
  EXPECT_EQ(Put({{keys[1], "d"}, {keys.back(), "e"}, {behind, "f"}}), 2u);
  EXPECT_EQ(Put({{behind, "g"}, {keys.back(), "h"}}), 1u);
}

TEST_F(NeighboursTest, OneThatIsLargeOrReplacesSuchIsTheFirstOfItsOwn) {
  const std::string at = KeysBeside(Number(200))[1];
  const std::string large(3000, 'l');
  EXPECT_EQ(Put({{at, "a"}, {at + "1", large}, {at + "2", "b"}}), 1u);
  EXPECT_EQ(Put({{at + "1", large}, {at + "2", "b"}}), 2u);
  EXPECT_EQ(Put({{at, "c"}, {at + "1", "in place of the large one"}, {at + "2", "d"}}), 1u);
  EXPECT_EQ(Put({{at + "1", "in place of the large one"}, {at + "2", "d"}}), 2u);
}

TEST_F(NeighboursTest, OnesThatFindNoRoomAreLeft) {
  for (const std::string& key : KeysBeside(Number(400))) tree_.Put(key, "");
  tree_.pages().Freeze();
  Rows rows;
  for (uint64_t i = 0; i < 40; ++i) rows.emplace_back(Number(400) + Number(i), "0123456789");
  const uint64_t created = tree_.pages().pages_created();
  const size_t fit = Put(rows);
  EXPECT_GT(fit, 1u);
  EXPECT_LT(fit, 20u);
  const uint64_t copied = tree_.pages().pages_created() - created;
  EXPECT_EQ(copied, tree_.root().level + 1u);  // none was split
  rows.erase(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(fit));
  EXPECT_EQ(Put(rows), 1u);  // the first of them splits the leaf
  EXPECT_GT(tree_.pages().pages_created() - created, copied);
}

TEST_F(NeighboursTest, OneThatNoTreeTakesIsRefusedByItself) {
  const std::string at = KeysBeside(Number(200))[1];
  const std::string too_long = at + std::string(btree::MaxKeyBytes(512), 'k');
  EXPECT_EQ(Put({{at, "a"}, {too_long, "b"}}), 1u);
  const btree::TreeRoot before = tree_.root();
  EXPECT_EQ(Put({{too_long, "b"}}), 0u);
  EXPECT_EQ(tree_.root(), before);
}

TEST_F(NeighboursTest, AFailureLeavesNoTrace) {
  FailEverywhere(tree_, [&] {
    const Rows rows = {{Number(100), "x"}, {Number(102), "y"}};
    const auto taken = btree::PutNeighbours(tree_.pages(), kKeyspace, &tree_.root(),
                                            [&](size_t n) -> std::optional<btree::Row> {
                                              if (n == rows.size()) return std::nullopt;
                                              return btree::Row{rows[n].first, rows[n].second};
                                            });
    if (!taken.ok()) return taken.status();
    for (size_t i = 0; i < *taken; ++i) tree_.Learn(rows[i].first, rows[i].second);
    return absl::OkStatus();
  });
}

TEST_F(NeighboursTest, WritableOnesAreCountedToTheEndOfTheLeaf) {
  const std::vector<std::string> keys = KeysBeside(Number(200));
  const std::string behind = std::next(tree_.model().find(keys.back()))->first;
  EXPECT_EQ(CountWritable({{keys[0], ""}, {keys[0] + "new", ""}, {keys[2], ""}, {behind, ""}}), 3u);
  EXPECT_EQ(CountWritable({{behind, ""}, {keys[0], ""}}), 1u);
  tree_.Put(keys[2], std::string(3000, 'l'));
  EXPECT_EQ(CountWritable({{keys[0], ""}, {keys[2], ""}, {keys[1], ""}}), 1u);
  EXPECT_EQ(CountWritable({{keys[2], ""}, {keys[1], ""}}), 0u);
  EXPECT_EQ(CountWritable({}), 0u);
}

// --- how full sorted insertion leaves the leaves ---

double LeafFill(ModelTree& tree) {
  btree::TreeCheckReport report;
  const auto on_page = [](PageId, uint64_t, Epoch) { return absl::OkStatus(); };
  EXPECT_TRUE(
      btree::CheckTree(tree.pages(), kKeyspace, tree.root(), {.on_page = on_page}, &report).ok());
  return static_cast<double>(report.leaf_bytes_used) /
         static_cast<double>(report.leaf_pages * tree.pages().page_bytes());
}

TEST(TreeTest, SortedLoadsFillTheLeaves) {
  for (const bool ascending : {true, false}) {
    ModelTree tree(4096);
    for (uint64_t i = 0; i < 20000; ++i) tree.Put(Number(ascending ? i : 20000 - i), "0123456789");
    tree.Check();
    EXPECT_GT(LeafFill(tree), 0.95) << (ascending ? "ascending" : "descending");
  }
}

TEST(TreeTest, RunsBetweenOtherKeysFillTheLeavesToo) {
  ModelTree tree(4096);
  for (uint64_t i = 0; i < 4000; ++i) {
    for (const char* const stem : {"a", "m", "z"}) tree.Put(stem + Number(i), "0123456789");
  }
  tree.Check();
  EXPECT_GT(LeafFill(tree), 0.95);
}

TEST(TreeTest, RandomInsertionFillsTwoThirds) {
  std::mt19937_64 random(TestSeed());
  ModelTree tree(4096);
  for (int i = 0; i < 20000; ++i) tree.Put(Number(random() % 100000000), "0123456789");
  EXPECT_GT(LeafFill(tree), 0.62);
}

// --- ranges ---

TEST(TreeTest, DeleteRangeReadsNoLeavesBetween) {
  ModelTree tree(512);
  for (uint64_t i = 0; i < 3000; ++i) tree.Put(Number(i), "value");
  tree.pages().Freeze();
  btree::TreeCheckReport report;
  const auto on_page = [](PageId, uint64_t, Epoch) { return absl::OkStatus(); };
  ASSERT_TRUE(
      btree::CheckTree(tree.pages(), kKeyspace, tree.root(), {.on_page = on_page}, &report).ok());
  const uint64_t before = tree.pages().pages_pinned();
  tree.DeleteRange(Number(10), Number(2990));
  EXPECT_LT(tree.pages().pages_pinned() - before, report.internal_pages + 20);
  tree.Check();
  EXPECT_EQ(tree.model().size(), 20u);
  EXPECT_LE(tree.root().level, 1);
}

TEST(TreeTest, DeleteRangeAndDropTreeFreeLargeValues) {
  ModelTree tree(512);
  Fill(tree, 400);
  tree.DeleteRange(Number(100), Number(500));
  tree.Check();
  ASSERT_TRUE(btree::DropTree(tree.pages(), kKeyspace, tree.root()).ok());
  EXPECT_TRUE(tree.pages().Live().empty());
  EXPECT_TRUE(btree::DropTree(tree.pages(), kKeyspace, btree::TreeRoot{}).ok());
}

TEST(TreeTest, DeleteRangeWorksWhenSpaceIsShort) {
  ModelTree tree(512);
  Fill(tree, 1000);
  tree.pages().set_max_reserve(2 * (tree.root().level + size_t{1}));
  tree.DeleteRange(Number(300), Number(1500));
  tree.Check();
}

TEST(TreeTest, AFailedDeleteRangeLeavesTheFrozenTree) {
  ModelTree tree(512);
  Fill(tree, 300);
  for (int n = 1; n < 30; ++n) {
    const btree::TreeRoot before = tree.root();
    tree.pages().FailPin(n);
    const auto deleted = btree::DeleteRange(tree.pages(), kKeyspace, &tree.root(),
                                            btree::Range{Number(20), Number(480)});
    tree.pages().FailPin(0);
    if (deleted.ok()) break;
    EXPECT_EQ(tree.root(), before);
    EXPECT_TRUE(Contents(tree.pages(), tree.root()) == tree.model());
    tree.pages().CheckFrozen();
    tree.pages().Rollback();
    tree.Check();
  }
}

// --- damage ---

TEST(TreeTest, DamageIsToldAndTheRestStaysReadable) {
  ModelTree tree(512);
  for (uint64_t i = 0; i < 500; ++i) tree.Put(Number(i), "value");
  const auto found = btree::Find(tree.pages(), kKeyspace, tree.root(), Number(250));
  ASSERT_TRUE(found.ok() && *found);
  tree.pages().Damage(PageId{found->leaf.header().page_id});
  EXPECT_TRUE(
      absl::IsDataLoss(btree::Find(tree.pages(), kKeyspace, tree.root(), Number(250)).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      btree::Put(tree.pages(), kKeyspace, &tree.root(), Number(250), "").status()));
  int lost = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    const auto other = btree::Find(tree.pages(), kKeyspace, tree.root(), Number(i));
    if (other.ok()) {
      EXPECT_TRUE(static_cast<bool>(*other));
    } else {
      ++lost;
    }
  }
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 40);
}

TEST(TreeTest, AnotherKeyspaceOrBirthIsNoPageOfThisTree) {
  ModelTree tree(512);
  Fill(tree, 100);
  EXPECT_TRUE(absl::IsDataLoss(btree::Find(tree.pages(), KeyspaceId{8}, tree.root(), "").status()));
  btree::TreeRoot other = tree.root();
  other.reference.birth = NextEpoch(other.reference.birth);
  EXPECT_TRUE(absl::IsDataLoss(btree::Find(tree.pages(), kKeyspace, other, "").status()));
  other = tree.root();
  other.level = 200;
  EXPECT_TRUE(absl::IsDataLoss(btree::Find(tree.pages(), kKeyspace, other, "").status()));
  EXPECT_TRUE(absl::IsDataLoss(btree::Count(tree.pages(), kKeyspace, other, {}).status()));
  EXPECT_TRUE(absl::IsDataLoss(btree::DropTree(tree.pages(), kKeyspace, other)));
}

}  // namespace
}  // namespace keel::testing
