// A real file system that stops under a writing process and loses what it had not made durable, as in a loss of
// power (G1, G2): the kernel is told to go down without flushing its journal, and the disk is mounted again.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/crash/small_disk.h"
#include "tests/crash/writer_process.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace keel::testing {
namespace {

// Of the kernel's interface, which has no header for programs.
#define KEEL_GOING_DOWN _IOR('X', 125, uint32_t)
constexpr uint32_t kWithoutFlushing = 2;

bool GoDown(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  uint32_t how = kWithoutFlushing;
  const bool down = fd >= 0 && ioctl(fd, KEEL_GOING_DOWN, &how) == 0;
  close(fd);
  return down;
}

int Rounds() {
  const char* const value = std::getenv("KEEL_CRASH_ROUNDS");
  return value != nullptr ? std::atoi(value) / 4 + 1 : 4;
}

class ShutdownTest : public ::testing::TestWithParam<DiskKind> {};

TEST_P(ShutdownTest, G1_G2_WhatWasAcknowledgedIsThereAndNothingElse) {
  io::ScopedMount disk = MakeDisk(GetParam(), 96);
  KEEL_SKIP_IF_REFUSED(disk);
  const TempDir temp;
  std::mt19937_64 random(TestSeed());
  const WriterArguments base{
      .database = disk.path() / "db", .record = temp.path() / "record", .history = random()};
  Model model(base.history);
  int beyond_durable = 0;
  const int rounds = Rounds();
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    WriterArguments arguments = base;
    arguments.seed = random();
    arguments.posix = random() % 2 == 0;
    uint64_t durable = 0;
    {
      WriterProcess writer(arguments);
      ASSERT_TRUE(writer.WaitFor(writer.record().durable, model.number() + 1 + random() % 100));
      usleep(static_cast<useconds_t>(random() % 3000));
      if (!GoDown(disk.path())) GTEST_SKIP() << "this file system cannot be shut down";
      // The writer meets errors now; what it still acknowledges counts.
      usleep(static_cast<useconds_t>(random() % 20'000));
      writer.Kill();
      durable = writer.record().durable.load();
    }
    ASSERT_TRUE(disk.Remount());
    SharedRecord record(base.record);
    ExpectExactPrefix(base.database, base.history, &*record, &model);
    beyond_durable += static_cast<int>(model.number() > durable + 20);
  }
  std::printf("%d shutdowns; %d left more than was durable\n", rounds, beyond_durable);
}

INSTANTIATE_TEST_SUITE_P(Disks, ShutdownTest, ::testing::Values(DiskKind::kExt4, DiskKind::kXfs),
                         [](const auto& kind) { return DiskName(kind.param); });

}  // namespace
}  // namespace keel::testing
