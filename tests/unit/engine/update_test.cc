// Compare and set; read, modify, write.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;
using Value = std::optional<std::string>;
using View = std::optional<std::string_view>;

class UpdateTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }
};

TEST_F(UpdateTest, PutIfPutsWhereTheValueIsTheExpectedOne) {
  KEEL_EXPECT_OK(db_->PutIf("key", std::nullopt, "1").status());
  KEEL_EXPECT_OK(db_->PutIf("key", "1", "2").status());
  EXPECT_EQ(GetText(*db_, "key"), "2");
  KEEL_EXPECT_OK(db_->PutIf("empty", std::nullopt, "").status());
  KEEL_EXPECT_OK(db_->PutIf("empty", "", "full").status());
  const std::string large(300000, 'l');
  KEEL_EXPECT_OK(db_->PutIf("key", "2", large).status());
  KEEL_EXPECT_OK(db_->PutIf("key", large, "3").status());
  EXPECT_EQ(GetText(*db_, "key"), "3");
}

TEST_F(UpdateTest, PutIfChangesNothingWhereItIsNot) {
  KEEL_ASSERT_OK(db_->Put("key", "1"));
  for (const View expected : {View(), View("0"), View(""), View("11")}) {
    const absl::Status status = db_->PutIf("key", expected, "2").status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("key \"key\" has"));
  }
  EXPECT_TRUE(absl::IsAborted(db_->PutIf("none", "", "2").status()));
  EXPECT_EQ(ReadAll(*db_), (Contents{{"key", "1"}}));
}

TEST_F(UpdateTest, PutIfTellsErrorsFromAnswers) {
  EXPECT_TRUE(absl::IsInvalidArgument(db_->PutIf(std::string(5000, 'k'), "", "v").status()));
  const absl::StatusOr<Keyspace> gone = db_->OpenKeyspace("gone");
  ASSERT_TRUE(gone.ok());
  KEEL_ASSERT_OK(db_->DropKeyspace("gone"));
  EXPECT_TRUE(absl::IsNotFound(db_->PutIf(*gone, "key", std::nullopt, "v").status()));
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->PutIf("key", std::nullopt, "v").status()));
  Open();
}

// Of many that want to be the first, one is.
TEST_F(UpdateTest, OneOfManyThreadsWins) {
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int n = 0; n < 8; ++n) {
    threads.emplace_back([&, n] {
      for (int round = 0; round < 20; ++round) {
        const absl::Status status =
            db_->PutIf(Numbered("lock", round), std::nullopt, absl::StrCat(n)).status();
        EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status;
        if (status.ok()) ++winners;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 20);
}

TEST_F(UpdateTest, UpdatePutsChangesAndDeletes) {
  const auto count = [](View value) -> absl::StatusOr<Value> {
    return Value(value ? std::string(*value) + "+" : "1");
  };
  KEEL_EXPECT_OK(db_->Update("key", count));
  KEEL_EXPECT_OK(db_->Update("key", count));
  EXPECT_EQ(GetText(*db_, "key"), "1+");
  KEEL_EXPECT_OK(db_->Update("key", [](View) -> absl::StatusOr<Value> { return Value(); }));
  EXPECT_EQ(GetText(*db_, "key"), "NotFound");
  KEEL_EXPECT_OK(db_->Update("key", [](View) -> absl::StatusOr<Value> { return Value(); }));
}

TEST_F(UpdateTest, UpdateReturnsTheErrorOfTheChange) {
  KEEL_ASSERT_OK(db_->Put("key", "1"));
  EXPECT_EQ(db_->Update("key",
                        [](View) -> absl::StatusOr<Value> {
                          return absl::InvalidArgumentError("not this one");
                        }),
            absl::InvalidArgumentError("not this one"));
  EXPECT_EQ(GetText(*db_, "key"), "1");
}

TEST_F(UpdateTest, NoUpdateIsLostAmongThreads) {
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int n = 0; n < 8; ++n) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        KEEL_EXPECT_OK(db_->Update("counter", [](View value) -> absl::StatusOr<Value> {
          int number = 0;
          if (value && !absl::SimpleAtoi(ToAbsl(*value), &number)) return absl::InternalError("?");
          return Value(absl::StrCat(number + 1));
        }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(GetText(*db_, "counter"), "200");
}

}  // namespace
}  // namespace keel::testing
