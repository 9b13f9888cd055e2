#include "io/open_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "io/uring_file_system.h"
#include "tests/unit/io/child_process.h"
#include "tests/unit/io/scripted_calls.h"

namespace keel::io {
namespace {

using ::testing::HasSubstr;

std::string Describe(IoBackend wanted) {
  const auto fs = OpenFileSystem(wanted);
  if (!fs.ok()) return fs.status().ToString();
  return (*fs)->backend().name + ": " + (*fs)->backend().reason;
}

// What is opened where the kernel refuses a call.
std::string DescribeWithout(int system_call, IoBackend wanted) {
  return RunInChild([=]() -> std::string {
    const std::string why = RefuseSystemCall(system_call, EPERM);
    return why.empty() ? Describe(wanted) : why;
  });
}

TEST(OpenFileSystemTest, PosixIsServedWhenAskedFor) {
  EXPECT_EQ(Describe(IoBackend::kPosix), "posix: asked for");
}

TEST(OpenFileSystemTest, AutoTakesIoUringWhereItWorks) {
  if (const absl::Status probed = UringFileSystem::Probe(); !probed.ok()) GTEST_SKIP() << probed;
  EXPECT_THAT(Describe(IoBackend::kAuto), HasSubstr("io_uring: "));
  EXPECT_THAT(Describe(IoBackend::kUring), HasSubstr("io_uring: "));
}

TEST(OpenFileSystemTest, AutoFallsBackWithTheReason) {
  EXPECT_EQ(DescribeWithout(SYS_io_uring_setup, IoBackend::kAuto),
            "posix: io_uring_setup: Operation not permitted");
  EXPECT_EQ(DescribeWithout(SYS_io_uring_enter, IoBackend::kAuto),
            "posix: io_uring: refuses requests");
  EXPECT_EQ(DescribeWithout(SYS_io_uring_register, IoBackend::kAuto),
            "posix: io_uring: this kernel does not tell its operations");
}

// What broke: a kernel took the trial's requests and never answered, and the open waited for ever.
TEST(OpenFileSystemTest, AutoFallsBackWhenTheTrialIsNotAnswered) {
  if (const absl::Status probed = UringFileSystem::Probe(); !probed.ok()) GTEST_SKIP() << probed;
  const CallScript submits(Call::kUringSubmit, {Claims(2)});
  EXPECT_EQ(Describe(IoBackend::kAuto),
            "posix: io_uring: a trial request was taken and not answered");
}

TEST(OpenFileSystemTest, IoUringDemandedAndRefusedIsAnErrorWithTheReason) {
  const std::string refusal = DescribeWithout(SYS_io_uring_setup, IoBackend::kUring);
  EXPECT_THAT(refusal, HasSubstr("FAILED_PRECONDITION"));
  EXPECT_THAT(refusal, HasSubstr("io_uring_setup: Operation not permitted"));
}

}  // namespace
}  // namespace keel::io
