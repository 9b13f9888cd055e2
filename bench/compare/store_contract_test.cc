// Every store that is built in answers as a std::map would: else figures of it would compare different work.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "bench/compare/random.h"
#include "bench/compare/row_batch.h"
#include "bench/compare/store.h"
#include "bench/compare/stores.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace keel::compare {
namespace {

using Model = std::map<std::string, std::string, std::less<>>;

class StoreContractTest : public ::testing::TestWithParam<std::tuple<StoreKind, Durability>> {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { Close(); }

  const StoreKind& kind() const { return std::get<0>(GetParam()); }

  void Open() {
    absl::StatusOr<std::unique_ptr<Store>> store =
        kind().open({.directory = directory_.path(),
                     .durability = std::get<1>(GetParam()),
                     .memory_bytes = uint64_t{32} << 20,
                     .data_bytes = uint64_t{1} << 20,
                     .threads = 2});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    absl::StatusOr<std::unique_ptr<Session>> session = store_->NewSession();
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
  }

  void Close() {
    session_.reset();
    if (store_ != nullptr) {
      EXPECT_EQ(store_->Close(), absl::OkStatus());
    }
    store_.reset();
  }

  // Reopens, unless that would lose everything.
  void Reopen() {
    if (kind().in_memory) return;
    Close();
    Open();
  }

  std::string RandomKey() { return "key " + std::to_string(random_.Below(kKeys)); }
  std::string RandomValue() {
    std::string value(random_.Below(20) == 0 ? 1000 + random_.Below(5000) : random_.Below(200),
                      'v');
    for (char& byte : value) byte = static_cast<char>('a' + random_.Below(26));
    return value;
  }

  void ChangeOne();
  void ChangeMany();
  void ExpectGet(const std::string& key);
  void ExpectSame();
  void ExpectScan(const std::string& begin, uint64_t limit);
  void ExpectMany(bool snapshot);

  static constexpr uint64_t kKeys = 500;

  testing::TempDir directory_;
  Random random_{testing::TestSeed()};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Session> session_;
  Model model_;
};

void StoreContractTest::ChangeOne() {
  const std::string key = RandomKey();
  if (random_.Below(4) == 0) {
    EXPECT_EQ(session_->Delete(key), absl::OkStatus());
    model_.erase(key);
    return;
  }
  const std::string value = RandomValue();
  EXPECT_EQ(session_->Put(key, value), absl::OkStatus());
  model_[key] = value;
}

void StoreContractTest::ChangeMany() {
  RowBatch batch;
  for (uint64_t left = 1 + random_.Below(50); left > 0; --left) {
    const std::string key = RandomKey();
    const std::string value = RandomValue();
    batch.Add({key, value});
    model_[key] = value;
  }
  EXPECT_EQ(session_->Write(batch.rows()), absl::OkStatus());
}

void StoreContractTest::ExpectGet(const std::string& key) {
  std::string found;
  const absl::Status status =
      session_->Get(key, [&](std::string_view value) { found.assign(value); });
  const auto expected = model_.find(key);
  if (expected == model_.end()) {
    EXPECT_TRUE(absl::IsNotFound(status)) << key << ": " << status;
    return;
  }
  EXPECT_EQ(status, absl::OkStatus()) << key;
  EXPECT_EQ(found, expected->second) << key;
}

void StoreContractTest::ExpectScan(const std::string& begin, uint64_t limit) {
  std::vector<std::pair<std::string, std::string>> found;
  EXPECT_EQ(session_->Scan(begin, limit,
                           [&](std::string_view key, std::string_view value) {
                             found.emplace_back(key, value);
                           }),
            absl::OkStatus());
  std::vector<std::pair<std::string, std::string>> expected;
  for (auto row = model_.lower_bound(begin); row != model_.end() && expected.size() < limit;
       ++row) {
    expected.push_back(*row);
  }
  EXPECT_EQ(found, expected) << "from " << begin;
}

void StoreContractTest::ExpectMany(bool snapshot) {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : model_) {
    if (random_.Below(4) == 0) keys.push_back(key);
  }
  std::vector<std::string> found(keys.size());
  const auto note = [&](size_t n, std::string_view value) { found.at(n).assign(value); };
  EXPECT_EQ(snapshot ? session_->GetInSnapshot(keys, note) : session_->MultiGet(keys, note),
            absl::OkStatus());
  for (size_t n = 0; n < keys.size(); ++n) EXPECT_EQ(found[n], model_.find(keys[n])->second);
}

void StoreContractTest::ExpectSame() {
  ExpectScan("", UINT64_MAX);
  for (int n = 0; n < 50; ++n) ExpectGet(RandomKey());
  for (int n = 0; n < 10; ++n) ExpectScan(RandomKey(), 1 + random_.Below(150));
  ExpectScan("zzz", 10);
  ExpectMany(false);
  ExpectMany(true);
}

TEST_P(StoreContractTest, AnEmptyStoreHasNothing) {
  ExpectGet("key");
  ExpectScan("", UINT64_MAX);
  ExpectScan("key", 10);
}

TEST_P(StoreContractTest, AnswersAsAMapThroughChangesAndReopens) {
  for (int round = 0; round < 4; ++round) {
    for (int n = 0; n < 60; ++n) ChangeOne();
    for (int n = 0; n < 3; ++n) ChangeMany();
    ExpectSame();
    Reopen();
    ExpectSame();
  }
}

TEST_P(StoreContractTest, SyncAndCheckpointChangeNothing) {
  for (int n = 0; n < 3; ++n) ChangeMany();
  EXPECT_EQ(store_->Sync(), absl::OkStatus());
  const absl::Status checkpoint = store_->Checkpoint();
  EXPECT_EQ(checkpoint.ok(), kind().has_checkpoint) << checkpoint;
  ExpectSame();
  ChangeMany();
  ExpectSame();
}

TEST_P(StoreContractTest, ReadsModifiesAndWrites) {
  for (int n = 0; n < 3; ++n) ChangeMany();
  for (auto& [key, expected] : model_) {
    std::string seen;
    const std::string fresh = RandomValue();
    EXPECT_EQ(session_->ReadModifyWrite(key,
                                        [&](std::string_view value, std::string* changed) {
                                          seen.assign(value);
                                          changed->assign(fresh);
                                        }),
              absl::OkStatus());
    EXPECT_EQ(seen, expected);
    expected = fresh;
  }
  ExpectSame();
}

TEST_P(StoreContractTest, BulkLoadsWhatAscends) {
  for (uint64_t n = 0; n < 2500; ++n) model_["row " + std::to_string(100'000 + n)] = RandomValue();
  session_.reset();
  auto next = model_.begin();
  EXPECT_EQ(store_->BulkLoad([&](Row* row) {
    if (next == model_.end()) return false;
    *row = {next->first, next->second};
    ++next;
    return true;
  }),
            absl::OkStatus());
  session_ = *store_->NewSession();
  ExpectScan("", UINT64_MAX);
  Reopen();
  ExpectScan("", UINT64_MAX);
}

TEST_P(StoreContractTest, SessionsSeeEachOther) {
  const std::unique_ptr<Session> other = *store_->NewSession();
  EXPECT_EQ(other->Put("key", "other"), absl::OkStatus());
  model_["key"] = "other";
  ExpectGet("key");
  ExpectScan("", UINT64_MAX);
  EXPECT_EQ(other->Put("key", "again"), absl::OkStatus());
  model_["key"] = "again";
  ExpectGet("key");
  ExpectScan("", UINT64_MAX);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest,
                         ::testing::Combine(::testing::ValuesIn(StoreKinds()),
                                            ::testing::Values(Durability::kSynced,
                                                              Durability::kUnsynced)),
                         [](const auto& store) {
                           return std::get<0>(store.param).name +
                                  (std::get<1>(store.param) == Durability::kSynced ? "Synced"
                                                                                   : "Unsynced");
                         });

}  // namespace
}  // namespace keel::compare
