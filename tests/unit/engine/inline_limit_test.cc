// Values at the inline limit and one byte beyond it, whatever is done to them; and what a file says of its entries to
// versions that had a lower limit (docs/decisions/0013).

#include <array>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "btree/node_format.h"
#include "pager/superblock.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

class InlineLimitEngineTest : public EngineTest, public ::testing::WithParamInterface<uint32_t> {
 protected:
  static constexpr int kKeys = 60;

  InlineLimitEngineTest() {
    options_.page_bytes = GetParam();
    options_.memory_bytes = uint64_t{32} << 20;
  }

  static std::string Key(int i) { return Numbered("k_________", i); }
  // At the limit, a byte beyond it, or small.
  static std::string Value(int i, int round) {
    const size_t limit = btree::MaxInlineValueBytes(GetParam(), Key(i).size());
    const std::array<size_t, 3> sizes = {limit, limit + 1, 10};
    return std::string(sizes[static_cast<size_t>(i + round) % sizes.size()],
                       static_cast<char>('a' + (i + round) % 26));
  }

  void PutAll(int round) {
    for (int i = 0; i < kKeys; ++i) {
      KEEL_ASSERT_OK(db_->Put(Key(i), Value(i, round), {Durability::kNone}));
      expected_[Key(i)] = Value(i, round);
    }
  }
  void ExpectAll() {
    EXPECT_EQ(ReadAll(*db_), expected_);
    std::vector<std::string> keys;
    for (int i = 0; i < kKeys + 3; ++i) keys.push_back(Key(i));
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const auto together = db_->MultiGet(views);
    for (size_t n = 0; n < keys.size(); ++n) {
      const auto wanted = expected_.find(keys[n]);
      const std::string text = wanted == expected_.end() ? "NotFound" : wanted->second;
      EXPECT_EQ(GetText(*db_, keys[n]), text);
      EXPECT_EQ(together[n].ok() ? together[n]->ToString() : "NotFound", text);
    }
    ExpectSound();
  }
  // The files as a kill -9 leaves them.
  void Crash() {
    const std::filesystem::path image = temp_.path() / "image";
    std::filesystem::copy(directory(), image, std::filesystem::copy_options::recursive);
    KEEL_EXPECT_OK(db_->Close());
    db_.reset();
    std::filesystem::remove_all(directory());
    std::filesystem::rename(image, directory());
  }

  // Calls `use` with each copy of the superblock that there is, and writes it again as it is then.
  template <typename Use>
  void ForEachSuperblock(Use&& use) {
    std::fstream file(directory() / "data.keel", std::ios::in | std::ios::out | std::ios::binary);
    for (const uint64_t offset : pager::kSuperblockOffsets) {
      std::array<std::byte, pager::kSuperblockBytes> block;
      file.seekg(static_cast<std::streamoff>(offset));
      ASSERT_TRUE(file.read(reinterpret_cast<char*>(block.data()), block.size()));
      auto superblock = pager::DecodeSuperblock(block, offset);
      if (absl::IsNotFound(superblock.status())) continue;
      KEEL_ASSERT_OK(superblock.status());
      use(*superblock);
      pager::EncodeSuperblock(*superblock, offset, block);
      file.seekp(static_cast<std::streamoff>(offset));
      ASSERT_TRUE(file.write(reinterpret_cast<const char*>(block.data()), block.size()));
    }
  }
  void ExpectFeatures(uint64_t features) {
    int copies = 0;
    ForEachSuperblock([&](const pager::Superblock& superblock) {
      ++copies;
      EXPECT_EQ(superblock.features_must_understand, features);
    });
    EXPECT_GE(copies, 2);
  }

  Contents expected_;
};

INSTANTIATE_TEST_SUITE_P(PageBytes, InlineLimitEngineTest, ::testing::Values(4096, 8192, 65536));

TEST_P(InlineLimitEngineTest, PutOverwrittenAndDeleted) {
  Open();
  for (int round = 0; round < 3; ++round) {
    PutAll(round);
    ExpectAll();
    KEEL_ASSERT_OK(db_->Checkpoint());
  }
  for (int i = 0; i < kKeys; i += 2) {
    KEEL_ASSERT_OK(db_->Delete(Key(i)));
    expected_.erase(Key(i));
  }
  ExpectAll();
}

TEST_P(InlineLimitEngineTest, RedoneAfterACrash) {
  Open();
  PutAll(0);
  KEEL_ASSERT_OK(db_->Checkpoint());
  PutAll(1);
  for (int i = 0; i < kKeys; i += 5) {
    KEEL_ASSERT_OK(db_->Delete(Key(i), {Durability::kNone}));
    expected_.erase(Key(i));
  }
  KEEL_ASSERT_OK(db_->Sync());
  Crash();
  Open();
  EXPECT_GT(db_->recovery_report().transactions_replayed, 0u);
  ExpectAll();
  PutAll(2);
  ExpectAll();
}

TEST_P(InlineLimitEngineTest, LoadedInBulk) {
  Open();
  absl::StatusOr<BulkLoader> loader = db_->NewBulkLoader();
  KEEL_ASSERT_OK(loader.status());
  for (int i = 0; i < kKeys; ++i) {
    expected_[Key(i)] = Value(i, 0);
    KEEL_ASSERT_OK(loader->Put(Key(i), Value(i, 0)));
  }
  KEEL_ASSERT_OK(loader->Commit().status());
  ExpectAll();
  PutAll(1);
  ExpectAll();
}

// A version that takes an entry for damage must not come so far as to look at it.
TEST_P(InlineLimitEngineTest, FilesTellEarlierVersionsOfLongerEntries) {
  const uint64_t wanted = GetParam() == 4096 ? 0 : pager::kFeatureLongerEntries;
  Open();
  PutAll(0);
  KEEL_ASSERT_OK(db_->Checkpoint());
  KEEL_ASSERT_OK(db_->Checkpoint());
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  ExpectFeatures(wanted);

  // As an earlier version left it.
  ForEachSuperblock([](pager::Superblock& superblock) { superblock.features_must_understand = 0; });
  options_.read_only = true;
  Open();
  ExpectAll();
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  ExpectFeatures(0);
  options_.read_only = false;
  // Before the first page is written; the other generation is an earlier one.
  Open();
  uint64_t newest = 0;
  uint64_t features = 0;
  ForEachSuperblock([&](const pager::Superblock& superblock) {
    if (superblock.generation.value < newest) return;
    newest = superblock.generation.value;
    features = superblock.features_must_understand;
  });
  EXPECT_EQ(features, wanted);
  PutAll(1);
  ExpectAll();
}

}  // namespace
}  // namespace keel::testing
