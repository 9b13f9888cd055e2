// What the engine's tests share: opening with small limits, checking at the end, and short names.

#ifndef KEEL_TESTS_UNIT_ENGINE_ENGINE_TEST_SUPPORT_H_
#define KEEL_TESTS_UNIT_ENGINE_ENGINE_TEST_SUPPORT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <keel/keel.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "tests/support/temp_dir.h"

#define KEEL_ASSERT_OK(expr)                                \
  do {                                                      \
    const absl::Status& keel_test_status = (expr);          \
    ASSERT_TRUE(keel_test_status.ok()) << keel_test_status; \
  } while (false)
#define KEEL_EXPECT_OK(expr)                                \
  do {                                                      \
    const absl::Status& keel_test_status = (expr);          \
    EXPECT_TRUE(keel_test_status.ok()) << keel_test_status; \
  } while (false)

namespace keel::testing {

using Contents = std::map<std::string, std::string>;

inline Contents ReadAll(const Reader& reader, Keyspace keyspace = {},
                        const KeyRange& range = KeyRange::All()) {
  Contents contents;
  EXPECT_TRUE(reader
                  .ForEach(keyspace, range,
                           [&](std::string_view key, std::string_view value) {
                             EXPECT_TRUE(contents.emplace(key, value).second);
                             return absl::OkStatus();
                           })
                  .ok());
  return contents;
}

// "NotFound" stands for an absent key.
inline std::string GetText(const Reader& reader, std::string_view key, Keyspace keyspace = {}) {
  const absl::StatusOr<PinnedValue> value = reader.Get(keyspace, key);
  if (value.ok()) return value->ToString();
  return absl::IsNotFound(value.status()) ? "NotFound" : std::string(MessageOf(value.status()));
}

inline std::string Numbered(std::string_view name, int number) {
  return absl::StrFormat("%s%06d", name, number);
}

// Opens one database in a directory of its own; every teardown verifies it.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    options_.memory_bytes = uint64_t{8} << 20;
    options_.log_segment_bytes = uint64_t{1} << 20;
    options_.checkpoint_log_bytes = uint64_t{2} << 20;
  }

  void TearDown() override {
    if (db_ == nullptr || skip_check_) return;
    ExpectSound();
    KEEL_EXPECT_OK(db_->Close());
    db_.reset();
    options_.read_only = true;
    Open();
    if (db_ != nullptr) ExpectSound();
  }

  std::filesystem::path directory() const { return temp_.path() / "db"; }

  absl::Status TryOpen() {
    db_.reset();
    absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open(directory(), options_);
    if (opened.ok()) db_ = *std::move(opened);
    return opened.status();
  }
  void Open() { KEEL_ASSERT_OK(TryOpen()); }
  void Reopen() {
    KEEL_ASSERT_OK(db_->Close());
    Open();
  }

  void ExpectSound() {
    const absl::StatusOr<CheckReport> report = db_->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << report->leaked_pages << " leaked";
    for (const Damage& damage : report->damages) {
      ADD_FAILURE() << damage.place << ": " << damage.problem << " in " << damage.keyspace;
    }
  }

  TempDir temp_;
  Options options_;
  std::unique_ptr<Database> db_;
  bool skip_check_ = false;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_UNIT_ENGINE_ENGINE_TEST_SUPPORT_H_
