// Places that cannot be written: a read-only mount, one that turns read-only, files made immutable under an
// open database.

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "tests/crash/crash_options.h"
#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/io/child_process.h"
#include "tests/unit/io/scoped_mount.h"

namespace keel::testing {
namespace {

// Like chattr +i: nobody may write to the file, not even through descriptors that are open.
bool SetImmutable(const std::filesystem::path& path, bool immutable) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  int flags = 0;
  bool done = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
  flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
  done = done && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
  close(fd);
  return done;
}

class ReadOnlyDiskTest : public EngineTest {
 protected:
  ReadOnlyDiskTest() { options_ = CrashOptions(); }

  void Put(int from, int to) {
    for (int i = from; i < to; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("key", i), "value"));
  }

  // The database seen through a read-only mount.
  void LookThroughReadOnlyMount(uint64_t entries) {
    const io::ScopedMount mount = io::ScopedMount::ReadOnlyBind(directory());
    KEEL_SKIP_IF_REFUSED(mount);
    const auto writing = Database::Open(mount.path(), options_);
    EXPECT_EQ(writing.status().code(), absl::StatusCode::kPermissionDenied) << writing.status();
    Options options = options_;
    options.read_only = true;
    const auto reading = Database::Open(mount.path(), options);
    ASSERT_TRUE(reading.ok()) << reading.status();
    EXPECT_EQ(*(*reading)->Count(), entries);
    const auto report = (*reading)->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
    EXPECT_EQ((*reading)->Put("key", "value").code(), absl::StatusCode::kFailedPrecondition);
    KEEL_EXPECT_OK((*reading)->Close());
  }
};

TEST_F(ReadOnlyDiskTest, ACleanDatabaseCanBeRead) {
  Open();
  Put(0, 300);
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  LookThroughReadOnlyMount(300);
}

TEST_F(ReadOnlyDiskTest, ACrashedDatabaseCanBeRead) {
  io::Child child([this]() -> std::string {
    Open();
    Put(0, 300);
    return "";
  });
  ASSERT_EQ(child.report(), "");
  child.Kill();
  LookThroughReadOnlyMount(300);
}

TEST_F(ReadOnlyDiskTest, NoneIsMadeThere) {
  std::filesystem::create_directory(directory());
  const io::ScopedMount mount = io::ScopedMount::ReadOnlyBind(directory());
  KEEL_SKIP_IF_REFUSED(mount);
  const auto made = Database::Open(mount.path() / "db", options_);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kPermissionDenied) << made.status();
}

// The system refuses to turn a file system read-only below files that are open for writing; whatever it
// does, nothing is lost.
TEST_F(ReadOnlyDiskTest, AskingForAReadOnlyRemountDoesNotDisturb) {
  io::ScopedMount disk = io::ScopedMount::Ext4(32);
  KEEL_SKIP_IF_REFUSED(disk);
  {
    const auto database = Database::Open(disk.path() / "db", options_);
    ASSERT_TRUE(database.ok()) << database.status();
    for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK((*database)->Put(Numbered("key", i), "value"));
    EXPECT_FALSE(disk.ChangeOptions("ro")) << "not busy with an open database";
    for (int i = 0; i < 100; ++i) KEEL_EXPECT_OK((*database)->Put(Numbered("more", i), "value"));
    KEEL_EXPECT_OK((*database)->Close());
  }
  ASSERT_TRUE(disk.ChangeOptions("ro"));
  options_.read_only = true;
  const auto database = Database::Open(disk.path() / "db", options_);
  ASSERT_TRUE(database.ok()) << database.status();
  EXPECT_EQ(*(*database)->Count(), 200U);
}

// The data file cannot be written for a while: checkpoints fail and commits go on, and afterwards a checkpoint
// succeeds without reopening.
TEST_F(ReadOnlyDiskTest, ADataFileThatIsImmutableForAWhileHoldsUpCheckpointsOnly) {
  const io::ScopedMount disk = io::ScopedMount::Ext4(32);
  KEEL_SKIP_IF_REFUSED(disk);
  const std::filesystem::path directory = disk.path() / "db";
  const auto database = Database::Open(directory, options_);
  ASSERT_TRUE(database.ok()) << database.status();
  for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK((*database)->Put(Numbered("key", i), "value"));
  ASSERT_TRUE(SetImmutable(directory / "data.keel", true));
  EXPECT_EQ((*database)->Checkpoint().code(), absl::StatusCode::kPermissionDenied);
  for (int i = 0; i < 100; ++i) KEEL_EXPECT_OK((*database)->Put(Numbered("more", i), "value"));
  EXPECT_EQ(ReadAll(**database).size(), 200U);
  ASSERT_TRUE(SetImmutable(directory / "data.keel", false));
  KEEL_EXPECT_OK((*database)->Checkpoint());
  KEEL_EXPECT_OK((*database)->Put("last", "value"));
  KEEL_EXPECT_OK((*database)->Close());
  const auto reopened = Database::Open(directory, options_);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ(ReadAll(**reopened).size(), 201U);
}

// The log cannot be written: no commit is acknowledged any more (G4), reads go on, nothing is lost.
TEST_F(ReadOnlyDiskTest, G4_ALogThatIsImmutableStopsCommits) {
  const io::ScopedMount disk = io::ScopedMount::Ext4(32);
  KEEL_SKIP_IF_REFUSED(disk);
  const std::filesystem::path directory = disk.path() / "db";
  const auto mark = [&](bool immutable) {
    for (const auto& entry : std::filesystem::directory_iterator(directory / "wal")) {
      ASSERT_TRUE(SetImmutable(entry.path(), immutable));
    }
  };
  {
    const auto database = Database::Open(directory, options_);
    ASSERT_TRUE(database.ok()) << database.status();
    for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK((*database)->Put(Numbered("key", i), "value"));
    mark(true);
    EXPECT_EQ((*database)->Put("unknown", "value").code(), absl::StatusCode::kUnknown);
    EXPECT_EQ((*database)->Put("later", "value").code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReadAll(**database).size(), 100U);
    EXPECT_FALSE((*database)->Stats().health.ok);
    EXPECT_FALSE((*database)->Close().ok());
  }
  mark(false);
  const auto database = Database::Open(directory, options_);
  ASSERT_TRUE(database.ok()) << database.status();
  EXPECT_EQ(*(*database)->Count(KeyRange::Prefix("key")), 100U);
  EXPECT_EQ(GetText(**database, "later"), "NotFound");
  KEEL_EXPECT_OK((*database)->Close());
}

}  // namespace
}  // namespace keel::testing
