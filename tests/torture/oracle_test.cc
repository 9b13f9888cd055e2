// The judge itself: it must find what is wrong, or all its silence is worth nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "fault_injection/sim_file_system.h"
#include "tests/support/seed.h"
#include "torture/player.h"

namespace keel::torture {
namespace {

using fault_injection::DiskImage;
using fault_injection::Fault;
using fault_injection::FaultPlan;
using fault_injection::SimFileSystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Script kOneCommit = {{Operation::kPutSmall, 1}, {Operation::kCommitSync, 1}};

class OracleTest : public ::testing::Test {
 protected:
  OracleTest() : world_({.seed = testing::TestSeed()}) {}

  // Plays, closes, and returns the disk.
  DiskImage PlayAndClose(const Script& script) {
    Player player(&world_, shape_, &history_);
    EXPECT_TRUE(player.Open());
    player.Play(script);
    player.Close();
    EXPECT_THAT(player.violation(), IsEmpty());
    return world_.durability().durable();
  }
  std::string VerdictOn(const DiskImage& image) {
    SimFileSystem world({.seed = testing::TestSeed()}, image);
    History history = history_;
    Player player(&world, shape_, &history);
    player.Open();
    player.Verify();
    player.Close();
    return player.violation();
  }

  const Shape shape_ = TinyShape();
  SimFileSystem world_;
  History history_;
};

TEST_F(OracleTest, AllIsWellWhereAllIsWell) {
  EXPECT_THAT(VerdictOn(PlayAndClose(MakeScript(shape_, testing::TestSeed(), 200))), IsEmpty());
}

TEST_F(OracleTest, ALostCommitIsFound) {
  const DiskImage before = PlayAndClose(kOneCommit);
  PlayAndClose(kOneCommit);
  EXPECT_THAT(VerdictOn(before), HasSubstr("1 commits are there; 2 were durable"));
}

TEST_F(OracleTest, ACommitThatNobodyMadeIsFound) {
  const DiskImage after = PlayAndClose(kOneCommit);
  history_.Settle(0);
  EXPECT_THAT(VerdictOn(after), HasSubstr("1 commits are there; 0 were durable, 0 begun"));
}

TEST_F(OracleTest, WrongContentsAreFound) {
  const DiskImage after = PlayAndClose(kOneCommit);
  history_.Begin(1, 12345);
  EXPECT_THAT(VerdictOn(after), HasSubstr("not those of that moment"));
}

TEST_F(OracleTest, ADamagedPageIsFound) {
  PlayAndClose(MakeScript(shape_, testing::TestSeed(), 100));
  const uint64_t size = world_.Contents("/db/data.keel")->size();
  for (uint64_t at = 0; at < size; at += 512) {
    world_.Overwrite("/db/data.keel", at + 100, std::as_bytes(std::span("x", 1)));
  }
  EXPECT_THAT(VerdictOn(world_.durability().durable()), HasSubstr("open"));
}

TEST_F(OracleTest, AMissingDatabaseIsFound) {
  PlayAndClose(kOneCommit);
  EXPECT_THAT(VerdictOn(DiskImage()), HasSubstr("0 commits are there"));
}

// A device that only says that it has synced: nothing can be done about it, except to notice.
TEST_F(OracleTest, ALyingDeviceIsNoticed) {
  Player player(&world_, shape_, &history_);
  ASSERT_TRUE(player.Open());
  FaultPlan plan;
  plan.Add({.fault = Fault::kLyingSync, .times = 0});
  world_.set_plan(plan);
  player.Play(kOneCommit);
  DiskImage image = world_.durability().durable();
  image.Settle();
  EXPECT_THAT(VerdictOn(image), HasSubstr("0 commits are there; 1 were durable"));
}

TEST_F(OracleTest, AnErrorIsAViolationOnlyWhereNoFaultWasInjected) {
  for (const bool strict : {true, false}) {
    SimFileSystem world({.seed = testing::TestSeed()});
    History history;
    Player player(&world, shape_, &history);
    player.set_strict(strict);
    ASSERT_TRUE(player.Open());
    FaultPlan plan;
    plan.Add({.fault = Fault::kIoError, .calls = {fault_injection::CallKind::kSync}, .times = 0});
    world.set_plan(plan);
    player.Play(kOneCommit);
    EXPECT_EQ(player.violation().empty(), !strict);
    EXPECT_FALSE(player.alive());
    EXPECT_EQ(player.last_error().code(), absl::StatusCode::kUnknown);
  }
}

}  // namespace
}  // namespace keel::torture
