// A process with several writing threads, killed with -9 at random moments, again and again (G1, G2).
//
// KEEL_CRASH_ROUNDS sets how many times; scripts/crash_rounds --writers runs a campaign.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "io/open_file_system.h"
#include "tests/crash/writer_process.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace keel::testing {
namespace {

int Rounds() {
  const char* const value = std::getenv("KEEL_CRASH_ROUNDS");
  return value != nullptr ? std::atoi(value) : 15;
}

class KillTest : public ::testing::Test {
 protected:
  std::filesystem::path database() const { return temp_.path() / "db"; }

  void BeginAnew() {
    std::filesystem::remove_all(database());
    std::filesystem::remove(temp_.path() / "record");
    history_ = random_();
    model_ = Model(history_);
  }

  // Lets a writer run for some steps and some microseconds more, and kills it.
  void WriteAndKill() {
    WriterProcess writer({.database = database(),
                          .record = temp_.path() / "record",
                          .history = history_,
                          .seed = random_(),
                          .threads = static_cast<int>(1 + random_() % 6),
                          .posix = random_() % 2 == 0});
    // The first steps are those of opening, so that recovery is killed as well.
    const uint64_t steps = random_() % 4 == 0 ? random_() % 3 : random_() % 1500;
    EXPECT_TRUE(writer.WaitFor(writer.record().steps, steps)) << "the writer hangs";
    usleep(static_cast<useconds_t>(random_() % 3000));
    writer.Kill();
    EXPECT_EQ(writer.record().failed.load(), 0U) << writer.record().error.data();
    killed_at_[steps < 3 ? 0 : 1] += 1;
  }

  // A database killed while it was made need not be there.
  bool IsMade() const {
    const auto files = io::OpenFileSystem(io::IoBackend::kPosix);
    return *(*files)->Exists(database() / "data.keel");
  }

  void Verify() {
    SharedRecord record(temp_.path() / "record");
    if (!IsMade()) {
      EXPECT_EQ(record->durable.load(), 0U);
      return;
    }
    const uint64_t durable = record->durable.load();
    ExpectExactPrefix(database(), history_, &*record, &model_);
    beyond_durable_ += static_cast<int>(model_.number() > durable + 20);
  }

  TempDir temp_;
  std::mt19937_64 random_{TestSeed()};
  uint64_t history_ = 0;
  Model model_{0};
  int killed_at_[2] = {0, 0};
  int beyond_durable_ = 0;
};

TEST_F(KillTest, G1_G2_WhatWasAcknowledgedIsThereAndNothingElse) {
  const int rounds = Rounds();
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    if (round == 0 || random_() % 10 == 0) BeginAnew();
    WriteAndKill();
    Verify();
  }
  std::printf("%d kills while opening, %d while writing; %d left more than was durable\n",
              killed_at_[0], killed_at_[1], beyond_durable_);
}

}  // namespace
}  // namespace keel::testing
