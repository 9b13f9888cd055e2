// Campaigns: the same seed is the same case, failures can be shrunk, every letter has its campaign.

#include "torture/campaign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/seed.h"
#include "torture/runner.h"

namespace keel::torture {
namespace {

TEST(CampaignTest, LettersAreTheirNames) {
  for (const Campaign campaign : kCampaigns) {
    EXPECT_EQ(CampaignOf(CampaignLetter(campaign)), campaign);
    EXPECT_NE(CampaignName(campaign), "unknown");
  }
  EXPECT_EQ(CampaignOf('Z'), std::nullopt);
}

TEST(CampaignTest, TheSameSeedIsTheSameCase) {
  for (const Campaign campaign : {Campaign::kExhaustive, Campaign::kSoak}) {
    Tally first;
    Tally second;
    const uint64_t number = campaign == Campaign::kSoak ? 1 : 77;
    RunCase({campaign, testing::TestSeed(), number, {}}, &first);
    RunCase({campaign, testing::TestSeed(), number, {}}, &second);
    EXPECT_EQ(Describe(first), Describe(second));
    EXPECT_THAT(first.violations, ::testing::IsEmpty()) << first.violations.front().what;
  }
}

TEST(CampaignTest, OnlyTheStepsThatAreAskedForArePlayed) {
  Tally tally;
  RunCase({Campaign::kSoak, testing::TestSeed(), 0, std::vector<size_t>{3, 5}}, &tally);
  EXPECT_EQ(tally.operations, 2U);
}

// In the middle of a case: some are as long as the whole time that a run has.
TEST(CampaignTest, ACaseIsCutShortWhenTimeIsUp) {
  for (const Campaign campaign : {Campaign::kCrash, Campaign::kNested, Campaign::kSoak}) {
    int asked = 0;
    Tally tally;
    // A life on a lying device may be over before.
    for (uint64_t number = 0; number < 20 && asked < 4; ++number) {
      asked = 0;
      tally = Tally();
      RunCase({campaign, testing::TestSeed(), number, {}}, &tally,
              [&asked] { return ++asked > 3; });
    }
    EXPECT_EQ(asked, 4) << CampaignName(campaign);
    EXPECT_EQ(tally.cut_short, 1U) << CampaignName(campaign);
    EXPECT_THAT(Describe(tally), ::testing::HasSubstr("1 cases cut short"));
    EXPECT_THAT(tally.violations, ::testing::IsEmpty()) << tally.violations.front().what;
  }
}

// Of an error sweep a case is a step or two of the workload.
TEST(CampaignTest, AnErrorSweepIsCutShortBeforeItsFirstStep) {
  Tally tally;
  RunCase({Campaign::kFault, testing::TestSeed(), 0, {}}, &tally, [] { return true; });
  EXPECT_EQ(tally.cut_short, 1U);
  EXPECT_EQ(tally.faults, 0U);
}

TEST(RunnerTest, RunsTheCasesItIsGiven) {
  Runner runner(
      {.campaign = Campaign::kSchedule, .seed = testing::TestSeed(), .cases = 20, .threads = 2});
  runner.Run();
  EXPECT_EQ(runner.tally().cases, 20U);
  EXPECT_THAT(runner.tally().violations, ::testing::IsEmpty());
}

TEST(RunnerTest, StopsWhenTold) {
  int asked = 0;
  Runner runner({.campaign = Campaign::kExhaustive,
                 .seed = testing::TestSeed(),
                 .threads = 1,
                 .stop = [&asked] { return ++asked > 5; }});
  runner.Run();
  EXPECT_EQ(runner.tally().cases, 5U);
}

TEST(TallyTest, AddsUp) {
  Tally one;
  one.cases = 1;
  one.cut_short = 1;
  one.images[2][3] = 5;
  one.recoveries[2] = 7;
  one.Met("rare");
  Tally two;
  two.images[2][3] = 6;
  two.Met("rare", false);
  two.Met("never", false);
  two.Add(one);
  EXPECT_EQ(two.Images(), 11U);
  EXPECT_EQ(two.Nested(), 7U);
  EXPECT_EQ(two.cut_short, 1U);
  EXPECT_EQ(two.sometimes["rare"], 1U);
  EXPECT_THAT(Describe(two), ::testing::HasSubstr("NEVER"));
}

}  // namespace
}  // namespace keel::torture
