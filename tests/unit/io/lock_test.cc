// The database lock between processes (R6); what one process sees is in file_system_contract.h.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "io/posix_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/child_process.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

class LockTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> Open() { return *fs_.Open(directory_.path() / "file", {.create = true}); }
  std::string TryLock(File& file, LockMode mode) {
    const absl::Status status = file.TryLock(mode);
    if (status.ok()) return "";
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(MessageOf(status));
  }
  // Opens the file in the child and locks it.
  std::function<std::string()> Locking(LockMode mode) {
    return [this, mode]() -> std::string {
      child_file_ = Open();
      return TryLock(*child_file_, mode);
    };
  }

 private:
  testing::TempDir directory_;
  PosixFileSystem fs_;
  std::unique_ptr<File> child_file_;
};

TEST_F(LockTest, AnotherProcessHoldsItAndIsNamed) {
  const Child child(Locking(LockMode::kExclusive));
  ASSERT_EQ(child.report(), "");
  auto file = Open();
  EXPECT_THAT(TryLock(*file, LockMode::kExclusive),
              HasSubstr("held by process " + std::to_string(child.pid()) + " ("));
  EXPECT_NE(TryLock(*file, LockMode::kShared), "");
}

TEST_F(LockTest, EveryHolderOfASharedLockIsNamed) {
  const Child one(Locking(LockMode::kShared));
  const Child two(Locking(LockMode::kShared));
  ASSERT_EQ(one.report() + two.report(), "");
  auto file = Open();
  const std::string refusal = TryLock(*file, LockMode::kExclusive);
  EXPECT_THAT(refusal, HasSubstr("process " + std::to_string(one.pid())));
  EXPECT_THAT(refusal, HasSubstr("process " + std::to_string(two.pid())));
  EXPECT_EQ(TryLock(*file, LockMode::kShared), "");
}

TEST_F(LockTest, WhoAsksIsNotNamedForItsOwnLock) {
  const Child child(Locking(LockMode::kShared));
  auto file = Open();
  ASSERT_EQ(TryLock(*file, LockMode::kShared), "");
  const std::string refusal = TryLock(*file, LockMode::kExclusive);
  EXPECT_THAT(refusal, HasSubstr("process " + std::to_string(child.pid())));
  EXPECT_THAT(refusal, ::testing::Not(HasSubstr("this process")));
}

TEST_F(LockTest, OurOwnOtherFileIsNamedAsThisProcess) {
  auto one = Open();
  auto two = Open();
  ASSERT_EQ(TryLock(*one, LockMode::kExclusive), "");
  EXPECT_THAT(TryLock(*two, LockMode::kExclusive), HasSubstr("held by this process"));
}

TEST_F(LockTest, AKilledProcessHoldsItNoLonger) {
  Child child(Locking(LockMode::kExclusive));
  ASSERT_EQ(child.report(), "");
  auto file = Open();
  ASSERT_NE(TryLock(*file, LockMode::kExclusive), "");
  child.Kill();
  EXPECT_EQ(TryLock(*file, LockMode::kExclusive), "");
}

// A forked child shares the descriptor, and the lock with it, for as long as it lives.
TEST_F(LockTest, ClosingGivesItUpThoughAForkedChildLives) {
  auto file = Open();
  ASSERT_EQ(TryLock(*file, LockMode::kExclusive), "");
  const Child child([] { return std::string(); });
  file.reset();
  EXPECT_EQ(TryLock(*Open(), LockMode::kExclusive), "");
}

TEST_F(LockTest, AForkedChildDoesNotGiveUpItsParentsLock) {
  auto file = Open();
  ASSERT_EQ(TryLock(*file, LockMode::kExclusive), "");
  ASSERT_EQ(RunInChild([&]() -> std::string {
              file.reset();
              return "";
            }),
            "");
  EXPECT_NE(TryLock(*Open(), LockMode::kExclusive), "");
}

// Classic locks of a process are dropped when it closes any descriptor of the file; these are not.
TEST_F(LockTest, AnUnrelatedOpenAndCloseInTheProcessKeepsIt) {
  auto file = Open();
  ASSERT_EQ(TryLock(*file, LockMode::kExclusive), "");
  Open().reset();
  EXPECT_NE(RunInChild(Locking(LockMode::kExclusive)), "");
}

}  // namespace
}  // namespace keel::io
