#include "btree/diff.h"

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::Change;
using btree::Diff;
using btree::Range;
using btree::TreeRoot;

std::string Number(uint64_t i) { return absl::StrFormat("key%06d", i); }

// What the models do not have in common, as Describe tells a Change.
std::vector<std::string> Expected(const Model& before, const Model& after, const Range& range) {
  std::vector<std::string> changes;
  const auto text = [](const Model& model, const std::string& key) {
    const auto found = model.find(key);
    return found == model.end() ? "none" : "'" + found->second + "'";
  };
  Model both = before;
  both.insert(after.begin(), after.end());
  for (const auto& [key, value] : both) {
    const std::string had = text(before, key);
    const std::string has = text(after, key);
    if (range.Contains(key) && had != has)
      changes.push_back(absl::StrFormat("%s: %s, %s", key, had, has));
  }
  return changes;
}

class DiffTest : public ::testing::Test {
 protected:
  struct Version {
    TreeRoot root;
    Model model;
  };

  Version Keep() {
    tree_.pages().Freeze();
    return {tree_.root(), tree_.model()};
  }
  std::vector<std::string> Found(const TreeRoot& before, const TreeRoot& after,
                                 const Range& range = {}) {
    std::vector<std::string> changes;
    const auto text = [this](const std::optional<btree::ValueSlot>& value) {
      return value ? "'" + ReadValue(tree_.pages(), *value) + "'" : "none";
    };
    const absl::Status status =
        Diff(tree_.pages(), kKeyspace, before, after, range, [&](const Change& change) {
          changes.push_back(std::string(change.key) + ": " + text(change.before) + ", " +
                            text(change.after));
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return changes;
  }
  void Compare(const Version& before, const Version& after, const Range& range = {}) {
    ASSERT_EQ(Found(before.root, after.root, range), Expected(before.model, after.model, range));
    ASSERT_EQ(Found(after.root, before.root, range), Expected(after.model, before.model, range));
  }
  void Fill(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) tree_.Put(Number(i), std::to_string(i));
  }
  // Anything between one change and many, at one place or all over.
  void ChangeSomething(std::mt19937_64& random) {
    const uint64_t base = random() % 400;
    const uint64_t spread = uint64_t{1} << (random() % 9);
    const auto any = [&] { return Number(base + random() % spread); };
    for (uint64_t n = uint64_t{1} << (random() % 8); n > 0; --n) {
      const uint64_t kind = random() % 16;
      if (kind < 8) tree_.Put(any(), std::string(random() % 40, 'v') + std::to_string(random()));
      if (kind == 8) tree_.Put(any(), std::string(600, 'l') + std::to_string(random()));
      if (kind > 8 && kind < 15) tree_.Delete(any());
      if (kind == 15 && random() % 8 == 0) {
        const uint64_t from = random() % 500;
        tree_.DeleteRange(Number(from), Number(from + random() % 60));
      }
    }
  }

  ModelTree tree_{512};
};

TEST_F(DiffTest, OfOneVersionIsNothing) {
  Fill(500);
  const Version version = Keep();
  const uint64_t pinned = tree_.pages().pages_pinned();
  EXPECT_TRUE(Found(version.root, version.root).empty());
  EXPECT_EQ(tree_.pages().pages_pinned(), pinned) << "not even the root is read";
}

TEST_F(DiffTest, OfTheEmptyTreeIsEverything) {
  const Version nothing = Keep();
  Fill(300);
  const Version all = Keep();
  Compare(nothing, all);
  EXPECT_EQ(Found(nothing.root, all.root).size(), 300U);
  EXPECT_TRUE(Found(nothing.root, nothing.root).empty());
}

TEST_F(DiffTest, NamesWhatWasPutReplacedAndRemoved) {
  Fill(300);
  const Version before = Keep();
  tree_.Put(Number(7), "new");
  tree_.Put("a first one", "x");
  tree_.Delete(Number(250));
  tree_.Put(Number(100), std::string(2000, 'l'));
  const Version after = Keep();
  Compare(before, after);
  EXPECT_EQ(Found(before.root, after.root).size(), 4U);
}

TEST_F(DiffTest, AValuePutAgainAsItWasIsNoChange) {
  Fill(300);
  const Version before = Keep();
  tree_.Put(Number(7), "7");
  const Version after = Keep();
  ASSERT_NE(before.root, after.root);
  EXPECT_TRUE(Found(before.root, after.root).empty());
}

TEST_F(DiffTest, KeepsToItsRange) {
  Fill(300);
  const Version before = Keep();
  for (uint64_t i = 0; i < 300; i += 3) tree_.Put(Number(i), "changed");
  const Version after = Keep();
  const std::string begin = Number(60);
  const std::string end = Number(90);
  Compare(before, after, {begin, end});
  EXPECT_EQ(Found(before.root, after.root, {begin, end}).size(), 10U);
  Compare(before, after, {begin, begin});
  Compare(before, after, {begin, {}});
  Compare(before, after, {"", end});
}

TEST_F(DiffTest, CostsWhatHasChangedHoweverLargeTheTreeIs) {
  for (const uint64_t count : {uint64_t{2000}, uint64_t{20000}}) {
    ModelTree tree(512);
    TreeRoot& root = tree.root();
    for (uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(btree::Put(tree.pages(), kKeyspace, &root, Number(i), "some value").ok());
    }
    tree.pages().Freeze();
    const TreeRoot before = root;
    ASSERT_TRUE(btree::Put(tree.pages(), kKeyspace, &root, Number(count / 2), "changed").ok());
    const uint64_t pinned = tree.pages().pages_pinned();
    uint64_t changes = 0;
    ASSERT_TRUE(Diff(tree.pages(), kKeyspace, before, root, {}, [&](const Change&) {
                  ++changes;
                  return absl::OkStatus();
                }).ok());
    EXPECT_EQ(changes, 1U);
    EXPECT_EQ(tree.pages().pages_pinned() - pinned, 2 * (uint64_t{root.level} + 1));
  }
}

TEST_F(DiffTest, EndsWhenTheVisitorHasHadEnough) {
  Fill(300);
  const Version nothing{};
  const Version all = Keep();
  int seen = 0;
  const absl::Status status = Diff(
      tree_.pages(), kKeyspace, nothing.root, all.root, {},
      [&](const Change&) { return ++seen == 3 ? absl::AbortedError("enough") : absl::OkStatus(); });
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(seen, 3);
}

TEST_F(DiffTest, ADamagedPageEndsIt) {
  Fill(300);
  const Version before = Keep();
  tree_.Put(Number(7), "new");
  const Version after = Keep();
  tree_.pages().Damage(after.root.reference.id);
  const absl::Status status = Diff(tree_.pages(), kKeyspace, before.root, after.root, {},
                                   [](const Change&) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(DiffTest, AnyTwoVersionsAndRangesAsTheirModels) {
  std::mt19937_64 random(TestSeed());
  std::vector<Version> versions = {Keep()};
  for (int n = 0; n < 40; ++n) {
    ChangeSomething(random);
    versions.push_back(Keep());
  }
  for (int n = 0; n < 300; ++n) {
    const Version& before = versions[random() % versions.size()];
    const Version& after = versions[random() % versions.size()];
    std::string begin = random() % 3 == 0 ? "" : Number(random() % 700);
    const std::string end = Number(random() % 700);
    Range range{begin, {}};
    if (random() % 3 != 0) range.end = end;
    Compare(before, after, range);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace keel::testing
