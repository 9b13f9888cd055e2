// The end of the disk and of what the process may write.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "io/open_file_system.h"
#include "io/posix_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/child_process.h"
#include "tests/unit/io/contract_world.h"
#include "tests/unit/io/scoped_mount.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

constexpr FlushMethod kMethods[] = {FlushMethod::kWriteThenSync, FlushMethod::kDataSyncWrite,
                                    FlushMethod::kLinkedRequests};

class LimitsTest : public ::testing::TestWithParam<IoBackend> {
 protected:
  LimitsTest() : fs_(*OpenFileSystem(GetParam())) {}

  FileSystem& fs() { return *fs_; }
  std::unique_ptr<File> Create(const std::filesystem::path& path, bool direct = false) {
    return *fs_->Open(path, {.create = true, .direct = direct});
  }
  absl::Status QueueWrite(File* file, uint64_t offset, std::span<std::byte> data) {
    auto queue = *fs_->NewQueue(4);
    const IoRequest request = {.kind = IoRequest::Kind::kWrite,
                               .file = file,
                               .offset = offset,
                               .data = data.data(),
                               .length = data.size()};
    std::vector<IoCompletion> completions;
    queue->Submit({&request, 1}).IgnoreError();
    queue->Wait(1, &completions).IgnoreError();
    return completions.at(0).status;
  }

 private:
  std::unique_ptr<FileSystem> fs_;
};

// Each way to go beyond RLIMIT_FSIZE; "" if all are refused in words, where the kernel would have
// killed the process.
std::string PassTheSizeLimit(File& file, const std::function<absl::Status(uint64_t)>& queue_write) {
  const AlignedBuffer data = Filled(2 * kBlock, 'b');
  std::vector<absl::Status> refusals = {
      file.Write(9 * kBlock, data.span()), file.Write(100 * kBlock, data.span()),
      file.Allocate(0, 11 * kBlock),       file.Allocate(200 * kBlock, kBlock),
      file.Truncate(10 * kBlock + 1),      queue_write(9 * kBlock),
  };
  for (const FlushMethod method : kMethods) {
    refusals.push_back(
        file.WriteThenSync(9 * kBlock, data.span(), SyncPurpose::kLogFlush, method).write);
  }
  for (const absl::Status& status : refusals) {
    if (status.code() != absl::StatusCode::kResourceExhausted ||
        status.message().find("RLIMIT_FSIZE") == absl::string_view::npos) {
      return status.ToString();
    }
  }
  const absl::Status within = file.Write(8 * kBlock, data.span());
  if (!within.ok()) return within.ToString();
  return *file.Size() == 10 * kBlock ? "" : "another size";
}

TEST_P(LimitsTest, TheFileSizeLimitIsToldAndDoesNotKill) {
  const testing::TempDir directory;
  const std::string report = RunInChild([&]() -> std::string {
    auto file = Create(directory.path() / "file");
    AlignedBuffer data = Filled(2 * kBlock, 'q');
    const rlimit limit = {10 * kBlock, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
    return PassTheSizeLimit(
        *file, [&](uint64_t offset) { return QueueWrite(file.get(), offset, data.span()); });
  });
  EXPECT_EQ(report, "");
}

TEST_P(LimitsTest, AFileLargerThanTheLimitCanStillBeCut) {
  const testing::TempDir directory;
  const std::string report = RunInChild([&]() -> std::string {
    auto file = Create(directory.path() / "file");
    file->Truncate(20 * kBlock).IgnoreError();
    const rlimit limit = {10 * kBlock, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
    const absl::Status status = file->Truncate(15 * kBlock);
    return status.ok() ? "" : status.ToString();
  });
  EXPECT_EQ(report, "");
}

TEST_P(LimitsTest, AFullDiskIsToldAndOverWithTheFirstRemoval) {
  const ScopedMount disk = ScopedMount::Tmpfs(1024);
  KEEL_SKIP_IF_REFUSED(disk);
  auto filler = Create(disk.path() / "filler");
  ASSERT_TRUE(filler->Allocate(0, 900 << 10).ok());
  auto file = Create(disk.path() / "file", true);
  AlignedBuffer data = Filled(256 << 10, 'a');
  EXPECT_LT(*fs().FreeSpace(disk.path()), data.size());

  const absl::Status status = file->Write(0, data.span());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("free some space"));
  EXPECT_EQ(QueueWrite(file.get(), 0, data.span()).code(), absl::StatusCode::kResourceExhausted);
  for (const FlushMethod method : kMethods) {
    const auto outcome = file->WriteThenSync(0, data.span(), SyncPurpose::kLogFlush, method);
    EXPECT_FALSE(outcome.ok()) << FlushMethodName(method);
    const absl::Status& told = outcome.write.ok() ? outcome.sync : outcome.write;
    EXPECT_EQ(told.code(), absl::StatusCode::kResourceExhausted) << FlushMethodName(method);
  }

  filler.reset();
  ASSERT_TRUE(fs().Remove(disk.path() / "filler").ok());
  EXPECT_TRUE(file->Write(0, data.span()).ok());
  EXPECT_EQ(ReadText(*file, 0, data.size()), TextOf(data.span()));
}

TEST_P(LimitsTest, AReservationThatDoesNotFitTakesNothing) {
  for (const bool ext2 : {false, true}) {
    const ScopedMount disk = ext2 ? ScopedMount::Ext2(4096) : ScopedMount::Tmpfs(4096);
    KEEL_SKIP_IF_REFUSED(disk);
    auto file = Create(disk.path() / "file", true);
    ASSERT_TRUE(file->Write(0, Filled(kBlock, 'a').span()).ok());
    const uint64_t free_before = *fs().FreeSpace(disk.path());
    EXPECT_EQ(file->Allocate(0, 64 << 20).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(*file->Size(), kBlock);
    EXPECT_EQ(*fs().FreeSpace(disk.path()), free_before);
    EXPECT_EQ(ReadText(*file, 0, kBlock), std::string(kBlock, 'a'));
  }
}

TEST_P(LimitsTest, SpaceIsReallyReservedWhereTheFileSystemCannotReserve) {
  const ScopedMount disk = ScopedMount::Ext2(4096);
  KEEL_SKIP_IF_REFUSED(disk);
  auto file = Create(disk.path() / "file", true);
  ASSERT_TRUE(file->Write(0, Filled(kBlock, 'a').span()).ok());
  ASSERT_TRUE(file->Allocate(0, 1 << 20).ok());
  struct stat info = {};
  ASSERT_EQ(stat(file->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_size, 1 << 20);
  EXPECT_GE(info.st_blocks * 512, 1 << 20);
  EXPECT_EQ(ReadText(*file, 0, 2 * kBlock), std::string(kBlock, 'a') + std::string(kBlock, '\0'));
}

INSTANTIATE_TEST_SUITE_P(Backends, LimitsTest,
                         ::testing::Values(IoBackend::kPosix, IoBackend::kAuto),
                         [](const auto& backend) {
                           return backend.param == IoBackend::kPosix ? "Posix" : "Auto";
                         });

}  // namespace
}  // namespace keel::io
