#include "cli/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include "cli/output.h"
#include "tests/support/temp_dir.h"

namespace keel::cli {
namespace {

using ::keel::testing::TempDir;
using ::testing::HasSubstr;

std::string Drain(ByteSource& source) {
  std::string bytes;
  for (int byte = source.Get(); byte != ByteSource::kEnd; byte = source.Get()) {
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

TEST(ByteSourceTest, ReadsAFileAndCountsLinesAndBytes) {
  const TempDir directory;
  const std::string path = directory.path() / "rows";
  std::ofstream(path) << "a\nb\nc";
  const absl::StatusOr<std::unique_ptr<ByteSource>> source = ByteSource::Open(path);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->size(), 5u);
  EXPECT_EQ((*source)->line(), 1u);
  EXPECT_EQ((*source)->Peek(), 'a');
  EXPECT_EQ(Drain(**source), "a\nb\nc");
  EXPECT_EQ((*source)->line(), 3u);
  EXPECT_EQ((*source)->bytes_taken(), 5u);
  EXPECT_EQ((*source)->Get(), ByteSource::kEnd);
  EXPECT_TRUE((*source)->status().ok());
}

TEST(ByteSourceTest, SaysWhatCannotBeRead) {
  const TempDir directory;
  const absl::Status missing = ByteSource::Open(directory.path() / "nothing").status();
  EXPECT_TRUE(absl::IsInvalidArgument(missing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("nothing: No such file"));
  const absl::Status folder = ByteSource::Open(directory.path()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(folder));
  EXPECT_THAT(std::string(folder.message()), HasSubstr("Is a directory"));
}

TEST(ByteSourceTest, AnyBufferWillDo) {
  for (const size_t buffer_bytes : {1u, 2u, 3u, 100u}) {
    const std::unique_ptr<ByteSource> source = ByteSource::FromString(
        "\xef\xbb\xbf"
        "ab\n",
        buffer_bytes);
    if (buffer_bytes >= 3) source->SkipByteOrderMark();
    EXPECT_THAT(Drain(*source), HasSubstr("ab\n"));
  }
}

TEST(InterruptTest, ASignalEndsAWaitForInput) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    Interrupt interrupt;
    EXPECT_FALSE(interrupt.came());
    std::thread sender([] { kill(getpid(), SIGTERM); });
    EXPECT_FALSE(interrupt.WaitReadable(ends[0]));
    sender.join();
    EXPECT_TRUE(interrupt.came());
  }
  close(ends[0]);
  close(ends[1]);
}

TEST(InterruptTest, InputThatIsThereDoesNotWait) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  Interrupt interrupt;
  EXPECT_TRUE(interrupt.WaitReadable(ends[0]));
  EXPECT_FALSE(interrupt.came());
  close(ends[0]);
  close(ends[1]);
}

TEST(OutputTest, NoticesAFullDisk) {
  absl::StatusOr<Output> output = Output::Open("/dev/full");
  ASSERT_TRUE(output.ok());
  output->Append("x");
  const absl::Status status = output->Close();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/full: No space left"));
}

TEST(OutputTest, WritesWhatItTook) {
  const TempDir directory;
  const std::string path = directory.path() / "out";
  const std::string piece(100'000, 'p');
  absl::StatusOr<Output> output = Output::Open(path);
  ASSERT_TRUE(output.ok());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(output->Append(piece));
  EXPECT_EQ(output->bytes(), 1'000'000u);
  EXPECT_TRUE(output->Close().ok());
  EXPECT_EQ(std::filesystem::file_size(path), 1'000'000u);
}

TEST(OutputTest, SaysWhereItCannotWrite) {
  const absl::Status status = Output::Open("/nowhere/out").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/out: No such file"));
}

}  // namespace
}  // namespace keel::cli
