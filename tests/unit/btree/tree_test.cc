// Trees against a std::map, in random steps: every structure is checked after each one.

#include "btree/tree.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "btree/cursor.h"
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

  std::string Value(uint32_t page_bytes) {
    switch (Below(12)) {
      case 0:
        return std::string(Below(4 * page_bytes), static_cast<char>('A' + Below(26)));
      case 1:
        return std::string(Below(page_bytes / 4), 'q');
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
    tree.Put(maker.Below(4) == 0 ? SomeKey(tree, maker) : maker.Key(),
             maker.Value(tree.pages().page_bytes()));
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

}  // namespace
}  // namespace keel::testing
