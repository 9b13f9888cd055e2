// The judge of commits in groups: what it must find, and what it must not take for a fault.

#include "torture/group_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "fault_injection/sim_file_system.h"
#include "tests/support/seed.h"
#include "torture/campaign.h"
#include "torture/shape.h"

namespace keel::torture {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

GroupBounds BoundsOf(const Held& durable, const Held& begun) {
  GroupBounds bounds(begun.size());
  bounds.durable = durable;
  bounds.begun = begun;
  return bounds;
}

const ThreadLsns kLsns = {{Lsn{10}, Lsn{20}}, {Lsn{25}, Lsn{30}}};

TEST(GroupLedgerTest, APrefixOfTheOrderIsRight) {
  const GroupBounds bounds = BoundsOf({0, 0}, {2, 2});
  for (const Held& held : {Held{0, 0}, Held{1, 0}, Held{2, 0}, Held{2, 1}, Held{2, 2}}) {
    EXPECT_THAT(Judge(held, kLsns, bounds), IsEmpty());
  }
}

TEST(GroupLedgerTest, AHoleInTheOrderIsFound) {
  const GroupBounds bounds = BoundsOf({0, 0}, {2, 2});
  EXPECT_THAT(Judge({0, 1}, kLsns, bounds), HasSubstr("commit 1 of thread 0"));
  EXPECT_THAT(Judge({1, 1}, kLsns, bounds), HasSubstr("commit 2 of thread 0"));
  EXPECT_THAT(Judge({1, 2}, kLsns, bounds), HasSubstr("commit 2 of thread 0"));
}

TEST(GroupLedgerTest, LostAndInventedCommitsAreFound) {
  EXPECT_THAT(Judge({1, 0}, kLsns, BoundsOf({2, 0}, {2, 2})), HasSubstr("2 were durable"));
  EXPECT_THAT(Judge({2, 2}, kLsns, BoundsOf({0, 0}, {2, 1})), HasSubstr("1 begun"));
}

// Others may have committed behind what is known.
TEST(GroupLedgerTest, CommitsThatHaveNotReturnedAreNotMissed) {
  EXPECT_THAT(JudgeOrder({3, 2}, kLsns), IsEmpty());
  EXPECT_THAT(JudgeOrder({0, 0}, {{}, {}}), IsEmpty());
}

TEST(GroupLedgerTest, MarksComeBack) {
  GroupBounds bounds(3);
  DecodeThreadMark(EncodeThreadBegun({2, 7}), &bounds);
  DecodeThreadMark(EncodeThreadDurable({1, 5}), &bounds);
  EXPECT_EQ(bounds.begun, (Held{0, 0, 7}));
  EXPECT_EQ(bounds.durable, (Held{0, 5, 0}));
}

TEST(GroupLedgerTest, ReadsWhatADatabaseHoldsAndFindsHalfACommit) {
  fault_injection::SimFileSystem world({.seed = 1});
  const auto db = Database::Open("/db", TinyShape().Options(&world));
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_TRUE((*db)->Put(FirstKey(1), "3 and more").ok());
  EXPECT_TRUE(absl::IsDataLoss(ReadHeld(**db, 2).status()));
  ASSERT_TRUE((*db)->Put(SecondKey(1), "3").ok());
  const absl::StatusOr<Held> held = ReadHeld(**db, 2);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(*held, (Held{0, 3}));
}

TEST(GroupCampaignTest, ThreadsMeetInGroups) {
  Tally tally;
  uint64_t& met = tally.sometimes["several commits in one group"];
  for (uint64_t number = 0; number < 100 && met == 0 && tally.violations.empty(); ++number) {
    RunCase({Campaign::kGroups, testing::TestSeed(), number, {}}, &tally);
  }
  EXPECT_THAT(tally.violations, IsEmpty()) << tally.violations.front().what;
  EXPECT_GT(tally.Images(), 0U);
  EXPECT_GT(met, 0U);
}

}  // namespace
}  // namespace keel::torture
