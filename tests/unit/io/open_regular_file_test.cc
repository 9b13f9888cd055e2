#include "io/open_regular_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <string>

#include "io/posix_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/child_process.h"
#include "tests/unit/io/contract_world.h"
#include "tests/unit/io/scoped_mount.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

class OpenRegularFileTest : public ::testing::Test {
 protected:
  std::filesystem::path Path(std::string_view name) const { return directory_.path() / name; }

 private:
  testing::TempDir directory_;
};

std::string MessageOfOpen(const std::filesystem::path& path, const FileOptions& options) {
  const absl::Status status = OpenRegularFile(path, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST_F(OpenRegularFileTest, AFifoIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  for (const bool read_only : {false, true}) {
    EXPECT_THAT(MessageOfOpen(Path("fifo"), {.read_only = read_only}), HasSubstr("a fifo"));
  }
}

TEST_F(OpenRegularFileTest, DirectoriesAndDevicesAreRefused) {
  EXPECT_THAT(MessageOfOpen(Path("."), {.read_only = true}), HasSubstr("a directory"));
  EXPECT_THAT(MessageOfOpen(Path("."), {}), HasSubstr("directory"));
  EXPECT_THAT(MessageOfOpen("/dev/null", {}), HasSubstr("a character device"));
}

TEST_F(OpenRegularFileTest, DescriptorsAreClosedOnExecAndBlock) {
  for (const bool direct : {false, true}) {
    auto opened = OpenRegularFile(Path("file"), {.create = true, .direct = direct});
    ASSERT_TRUE(opened.ok());
    const int fd = opened->descriptor.get();
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ((fcntl(fd, F_GETFL) & O_DIRECT) != 0, opened->alignment > 1);
  }
}

TEST_F(OpenRegularFileTest, AProgramStartedLaterHasNoneOfOurDescriptors) {
  PosixFileSystem fs;
  auto file = fs.Open(Path("secret"), {.create = true});
  const std::string command =
      "ls -l /proc/self/fd | grep -c " + Path("secret").native() + " | grep -qx 0";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(OpenRegularFileTest, StandardStreamsAreNeverDataFiles) {
  const std::string report = RunInChild([this]() -> std::string {
    for (const int fd : {0, 1, 2}) close(fd);
    auto opened = OpenRegularFile(Path("file"), {.create = true});
    if (!opened.ok()) return opened.status().ToString();
    if (opened->descriptor.get() < 3) return "a standard stream";
    if ((fcntl(opened->descriptor.get(), F_GETFD) & FD_CLOEXEC) == 0) return "not CLOEXEC";
    return fcntl(0, F_GETFD) == -1 ? "" : "0 was left open";
  });
  EXPECT_EQ(report, "");
}

TEST_F(OpenRegularFileTest, NewFilesAreReadableByOthersAsTheUmaskAllows) {
  const mode_t old_mask = umask(0027);
  ASSERT_TRUE(OpenRegularFile(Path("file"), {.create = true}).ok());
  umask(old_mask);
  struct stat info = {};
  ASSERT_EQ(stat(Path("file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
}

TEST_F(OpenRegularFileTest, AlignmentOfADirectFileIsAPowerOfTwo) {
  auto opened = OpenRegularFile(Path("file"), {.create = true, .direct = true});
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(std::has_single_bit(opened->alignment));
  EXPECT_TRUE(opened->alignment == 1 || opened->alignment >= 512) << opened->alignment;
  EXPECT_LE(opened->alignment, AlignedBuffer::kAlignment);
}

TEST_F(OpenRegularFileTest, OutOfDescriptorsSaysWhatToRaise) {
  const std::string report = RunInChild([this]() -> std::string {
    const rlimit limit = {3, 3};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
    return OpenRegularFile(Path("file"), {.create = true}).status().ToString();
  });
  EXPECT_THAT(report, HasSubstr("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(report, HasSubstr("ulimit -n"));
}

TEST(DirectFallbackTest, AFileSystemWithoutDirectAccessIsReadThroughTheCache) {
  const ScopedMount ramfs = ScopedMount::Ramfs();
  KEEL_SKIP_IF_REFUSED(ramfs);
  PosixFileSystem fs;
  // With `exclusive`: the refusal must not leave a file behind that is then in the way.
  auto file = fs.Open(ramfs.path() / "file", {.create = true, .exclusive = true, .direct = true});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE((*file)->direct());
  ASSERT_TRUE((*file)->Write(3, Filled(100, 'a').span()).ok());
  EXPECT_EQ(ReadText(**file, 3, 100), std::string(100, 'a'));
}

TEST(DirectFallbackTest, FilesInMemoryWorkWhateverTheySayOfDirectAccess) {
  const std::filesystem::path path =
      "/dev/shm/keel_open_regular_file_test_" + std::to_string(getpid());
  PosixFileSystem fs;
  if (!*fs.Exists("/dev/shm")) GTEST_SKIP() << "no /dev/shm";
  auto file = fs.Open(path, {.create = true, .direct = true});
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(fs.Remove(path).ok());
  const AlignedBuffer data = RandomBytes(2 * kBlock);
  ASSERT_TRUE((*file)->Write(kBlock, data.span()).ok());
  EXPECT_EQ(ReadText(**file, kBlock, 2 * kBlock), TextOf(data.span()));
  EXPECT_TRUE((*file)->Sync(SyncPurpose::kDataGrowth).ok());
}

}  // namespace
}  // namespace keel::io
