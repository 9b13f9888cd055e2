#include "io/posix_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"
#include "tests/unit/io/scoped_mount.h"
#include "tests/unit/io/scripted_calls.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

class PosixFileSystemTest : public ::testing::Test {
 protected:
  std::filesystem::path Path(std::string_view name) const { return directory_.path() / name; }

  testing::TempDir directory_;
  PosixFileSystem fs_;
};

TEST_F(PosixFileSystemTest, AFailedSyncOfADirectoryIsToldAndNotRepeated) {
  for (const int error : {EIO, EINTR, EINVAL}) {
    const CallScript script(Call::kFsync, {Fails(error)});
    EXPECT_FALSE(fs_.SyncDirectory(Path(""), SyncPurpose::kLogDirectory).ok());
    EXPECT_EQ(script.calls(), 1U) << error;
  }
}

TEST_F(PosixFileSystemTest, SyncingADirectoryThatIsAFileIsInvalid) {
  std::ofstream(Path("file")) << "x";
  EXPECT_EQ(fs_.SyncDirectory(Path("file"), SyncPurpose::kLogDirectory).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(fs_.List(Path("file")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(*fs_.Exists(Path("file/below")));
}

TEST_F(PosixFileSystemTest, ARenameNamesBothEnds) {
  const absl::Status status = fs_.Rename(Path("from"), Path("to"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("from").native()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("to").native()));
}

TEST_F(PosixFileSystemTest, FreeSpaceIsThatOfTheFileSystem) {
  const ScopedMount disk = ScopedMount::Tmpfs(1024);
  KEEL_SKIP_IF_REFUSED(disk);
  EXPECT_EQ(*fs_.FreeSpace(disk.path()), 1024U << 10);
  auto file = *fs_.Open(disk.path() / "file", {.create = true});
  ASSERT_TRUE(file->Allocate(0, 512 << 10).ok());
  EXPECT_EQ(*fs_.FreeSpace(disk.path()), 512U << 10);
}

}  // namespace
}  // namespace keel::io
