// Trees whose pages were changed at random, behind checksums that hold: whatever is done to them, nothing
// crashes, hangs or reads beyond a page (that is for the sanitizers to see).

#include <absl/strings/str_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "btree/cursor.h"
#include "btree/describe.h"
#include "btree/lookup.h"
#include "btree/node_check.h"
#include "tests/support/seed.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

using btree::Slot;

class HostileTest : public ::testing::Test {
 protected:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string Key() { return absl::StrFormat("key%0*d", Below(2) == 0 ? 4 : 60, Below(200)); }

  // Changes something in a page: mostly what has a meaning.
  void Spoil(std::span<std::byte> page, const std::vector<uint64_t>& ids) {
    pager::PageHeader& header = pager::HeaderOf(page.data());
    void* const slots_begin = page.data() + btree::SlotsOffset(header.prefix_bytes % 128);
    Slot* const slots = static_cast<Slot*>(slots_begin);
    Slot& slot = slots[Below(std::min<uint64_t>(header.count % 32 + 1, 20))];
    Slot& other = slots[Below(std::min<uint64_t>(header.count % 32 + 1, 20))];
    switch (Below(12)) {
      case 0:
        header.count = static_cast<uint32_t>(Below(4) == 0 ? random_() : Below(40));
        break;
      case 1:
        header.heap_begin = static_cast<uint32_t>(Below(600));
        break;
      case 2:
        header.prefix_bytes = static_cast<uint16_t>(Below(140));
        break;
      case 3:
        header.next = random_();
        break;
      case 4:
        std::swap(slot, other);
        break;
      case 5:
        slot = other;
        break;
      case 6:
        slot.offset = static_cast<uint16_t>(Below(512));
        break;
      case 7:
        slot.key = static_cast<uint16_t>(Below(3) == 0 ? random_() : Below(130));
        break;
      case 8:
        SpoilReference(page, slot, ids);
        break;
      case 9:
        SpoilKeys(page, header);
        break;
      default:
        page[64 + Below(448)] = static_cast<std::byte>(random_());
    }
  }

  // A reference to another page, that page's level and birth notwithstanding.
  void SpoilReference(std::span<std::byte> page, const Slot& slot,
                      const std::vector<uint64_t>& ids) {
    const size_t at = slot.offset + slot.key_bytes();
    if (pager::HeaderOf(page.data()).level == 0 || at + pager::kReferenceBytes > 512) return;
    const uint64_t id = ids[Below(ids.size())];
    const std::byte* const target = pages_->Resident(PageId{id});
    if (target == nullptr) return;
    pager::Reference reference{PageId{id}, Epoch{pager::HeaderOf(target).birth}, 1 + Below(100),
                               Below(2) == 0};
    pager::StoreReference(page.data() + at, reference);
  }

  // Another key in good order within its page, heads and all, but perhaps beyond the fences.
  void SpoilKeys(std::span<std::byte> page, pager::PageHeader& header) {
    if (header.prefix_bytes == 0 || header.prefix_bytes > 128) return;
    page[64 + Below(header.prefix_bytes)] = static_cast<std::byte>(random_());
  }

  void UseTree(ModelTree& tree) {
    FakePages& pages = tree.pages();
    btree::TreeRoot& root = tree.root();
    Damages(pages, root, false);
    for (int i = 0; i < 12; ++i) {
      const std::string key = Key();
      (void)btree::Find(pages, kKeyspace, root, key);
      (void)btree::Count(pages, kKeyspace, root, btree::Range{key, Key()});
      (void)btree::Lookup(
          [&](PageId id) -> const std::byte* {
            const std::byte* const page = pages.Resident(id);
            return page != nullptr && btree::CheckNode({page, 512}).ok() ? page : nullptr;
          },
          kKeyspace, root, key);
      Walk(pages, root, key);
      switch (Below(4)) {
        case 0:
          (void)btree::Delete(pages, kKeyspace, &root, key);
          break;
        case 1:
          (void)btree::DeleteRange(pages, kKeyspace, &root, btree::Range{key, key + "9"});
          break;
        default:
          (void)btree::Put(pages, kKeyspace, &root, key, std::string(Below(200), 'w'));
      }
    }
    (void)btree::DropTree(pages, kKeyspace, root);
  }

  // As far as it goes, keys ascend.
  void Walk(FakePages& pages, const btree::TreeRoot& root, const std::string& from) {
    btree::Cursor cursor(&pages, kKeyspace, root, btree::Range{});
    std::string before;
    cursor.Seek(from);
    for (int steps = 0; cursor.valid(); cursor.Next()) {
      ASSERT_LT(++steps, 3000);
      ASSERT_TRUE(steps == 1 || std::string(cursor.key()) > before);
      before = cursor.key();
    }
    cursor.SeekForPrev(from);
    for (int steps = 0; cursor.valid(); cursor.Prev()) ASSERT_LT(++steps, 3000);
  }

  std::mt19937_64 random_{TestSeed()};
  FakePages* pages_ = nullptr;
};

TEST_F(HostileTest, SpoiltTreesAreSurvived) {
  for (int round = 0; round < 500; ++round) {
    ModelTree tree(512);
    pages_ = &tree.pages();
    for (int i = 0; i < 120; ++i) tree.Put(Key(), std::string(Below(15) == 0 ? 900 : 10, 'v'));
    tree.pages().Freeze();
    tree.pages().set_tolerant();
    const std::set<uint64_t> live = tree.pages().Live();
    const std::vector<uint64_t> ids(live.begin(), live.end());
    for (uint64_t n = 1 + Below(6); n > 0; --n) {
      Spoil(tree.pages().Bytes(PageId{ids[Below(ids.size())]}), ids);
    }
    UseTree(tree);
    ASSERT_FALSE(HasFatalFailure());
  }
}

TEST_F(HostileTest, AnyBytesAreDescribed) {
  ModelTree tree(512);
  pages_ = &tree.pages();
  for (int i = 0; i < 120; ++i) tree.Put(Key(), std::string(Below(15) == 0 ? 900 : 10, 'v'));
  const std::set<uint64_t> live = tree.pages().Live();
  const std::vector<uint64_t> ids(live.begin(), live.end());
  AlignedBuffer page = AlignedBuffer::Allocate(512);
  for (int round = 0; round < 3000; ++round) {
    const std::byte* const good = tree.pages().Resident(PageId{ids[Below(ids.size())]});
    std::copy_n(good, 512, page.data());
    for (uint64_t n = Below(5); n > 0; --n) Spoil(page.span(), ids);
    if (round % 10 == 0) {
      for (std::byte& byte : page.span()) byte = static_cast<std::byte>(random_());
    }
    EXPECT_FALSE(btree::DescribeNode(page.span()).empty());
  }
}

}  // namespace
}  // namespace keel::testing
