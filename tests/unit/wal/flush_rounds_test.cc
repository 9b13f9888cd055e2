// Rounds of flushes: who is woken when (FR1), whom a leader waits for, and how long (FR2).

#include "wal/flush_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/manual_clock.h"

namespace keel::wal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Round = FlushRounds::Round;

constexpr absl::Duration kFlush = absl::Microseconds(90);

class FlushRoundsTest : public ::testing::Test {
 protected:
  // This round is over, after a flush that took so long and ended now.
  std::vector<io::Parker*> Flushed(absl::Duration took = kFlush) {
    rounds_.NoteFlush(clock_.Now() - took, clock_.Now());
    return End(/*all=*/false);
  }
  // Whom one of those expects who have just been served together, when it leads the next round.
  std::optional<FlushRounds::Company> ExpectedAmong(uint32_t served, absl::Duration took = kFlush) {
    rounds_.Join(Round::kThis, served);
    Flushed(took);
    rounds_.Join(Round::kThis, 1);
    return rounds_.Expected(clock_.Now());
  }
  // Who is woken, in the order of that.
  std::vector<io::Parker*> End(bool all) {
    const FlushRounds::Woken woken = rounds_.End(all);
    std::vector<io::Parker*> sleepers(woken.next.begin(), woken.next.end());
    sleepers.insert(sleepers.end(), woken.served.begin(), woken.served.end());
    return sleepers;
  }

  testing::ManualClock clock_;
  FlushRounds rounds_;
  io::Parker first_, second_, third_;
};

TEST_F(FlushRoundsTest, FR1_AllOfARoundAreWokenAndOneOfTheNext) {
  rounds_.Follow(Round::kNext, &first_);
  rounds_.Follow(Round::kThis, &second_);
  rounds_.Follow(Round::kNext, &third_);
  EXPECT_THAT(Flushed(), ElementsAre(&first_, &second_));
  EXPECT_THAT(Flushed(), ElementsAre(&third_));
  EXPECT_THAT(Flushed(), IsEmpty());
}

TEST_F(FlushRoundsTest, FR1_AllOfBothAreWokenWhenNobodyKnowsWhoWasServed) {
  rounds_.Follow(Round::kNext, &first_);
  rounds_.Follow(Round::kThis, &second_);
  rounds_.Follow(Round::kNext, &third_);
  EXPECT_THAT(End(/*all=*/true), UnorderedElementsAre(&first_, &second_, &third_));
  EXPECT_THAT(End(/*all=*/true), IsEmpty());
}

TEST_F(FlushRoundsTest, OnlyTheFirstOfTheNextRoundStaysAwake) {
  Flushed();
  EXPECT_FALSE(rounds_.Follow(Round::kThis, &first_));
  EXPECT_TRUE(rounds_.Follow(Round::kNext, &second_));
  EXPECT_FALSE(rounds_.Follow(Round::kNext, &third_));
}

TEST_F(FlushRoundsTest, NobodyStaysAwakeForASlowDevice) {
  Flushed(absl::Milliseconds(8));
  EXPECT_FALSE(rounds_.Follow(Round::kNext, &first_));
}

TEST_F(FlushRoundsTest, WhoCommitsAloneWaitsForNobody) {
  for (int i = 0; i < 3; ++i) {
    rounds_.Join(Round::kThis, 1);
    EXPECT_FALSE(rounds_.Expected(clock_.Now()).has_value());
    Flushed();
  }
}

TEST_F(FlushRoundsTest, ALeaderExpectsWhoWasServedAndWhoWaited) {
  rounds_.Join(Round::kThis, 3);
  rounds_.Join(Round::kNext, 2);
  Flushed();
  const auto company = rounds_.Expected(clock_.Now());
  ASSERT_TRUE(company.has_value());
  EXPECT_EQ(company->alone, 2U);
  EXPECT_EQ(company->expected, 5U);
  EXPECT_EQ(company->until, clock_.Now() + kFlush);
  rounds_.Join(Round::kThis, 3);
  FlushRounds::Await(*company, clock_);  // returns though the clock stands still
  EXPECT_FALSE(rounds_.Expected(clock_.Now()).has_value()) << "all have come";
}

TEST_F(FlushRoundsTest, WhoComesLateDoesNotBeginToWait) {
  rounds_.Join(Round::kThis, 2);
  Flushed();
  rounds_.Join(Round::kThis, 1);
  clock_.Sleep(kFlush);
  EXPECT_FALSE(rounds_.Expected(clock_.Now()).has_value());
}

// A checkpoint's flush, say, of which nobody knows what it stands for.
TEST_F(FlushRoundsTest, AFlushOfNoCommitsWaitsForNobody) {
  rounds_.Join(Round::kThis, 3);
  Flushed();
  rounds_.Join(Round::kThis, 0);
  EXPECT_FALSE(rounds_.Expected(clock_.Now()).has_value());
}

TEST_F(FlushRoundsTest, FR2_TheWaitIsBoundedAlsoForASlowDevice) {
  const auto company = ExpectedAmong(2, absl::Seconds(1));
  ASSERT_TRUE(company.has_value());
  EXPECT_EQ(company->until, clock_.Now() + absl::Microseconds(200));
  clock_.Sleep(absl::Microseconds(200));
  FlushRounds::Await(*company, clock_);
}

// Neither hangs where time does not pass.
TEST_F(FlushRoundsTest, FR2_WaitsEndWithAClockThatStandsStill) {
  const auto company = ExpectedAmong(2);
  ASSERT_TRUE(company.has_value());
  FlushRounds::Await(*company, clock_);
  FlushRounds::StayAwake(first_, clock_);
}

TEST_F(FlushRoundsTest, WhoHasWaitedForNobodyDoesNotWaitForAWhile) {
  const auto company = ExpectedAmong(2);
  ASSERT_TRUE(company.has_value());
  rounds_.Note(*company, clock_.Now());
  int at_once = 0;
  for (; at_once < 100; ++at_once) {
    rounds_.Join(Round::kThis, 1);
    Flushed();
    rounds_.Join(Round::kThis, 1);  // of two that were served
    if (rounds_.Expected(clock_.Now()).has_value()) break;
    rounds_.Join(Round::kThis, 1);
  }
  EXPECT_EQ(at_once, 16);
}

TEST_F(FlushRoundsTest, AWaitForWhichFewCameIsNotRepeatedAtOnce) {
  for (const uint32_t came : {1U, 2U}) {
    const auto company = ExpectedAmong(5);
    ASSERT_TRUE(company.has_value());
    rounds_.Join(Round::kThis, came);
    rounds_.Note(*company, company->until);
    EXPECT_EQ(rounds_.Expected(clock_.Now()).has_value(), came == 2) << came << " of four";
    for (int i = 0; i < 16; ++i) rounds_.Expected(clock_.Now());
    Flushed();
  }
}

TEST_F(FlushRoundsTest, FR2_BusyProcessorsEndTheWaits) {
  const auto company = ExpectedAmong(3);
  ASSERT_TRUE(company.has_value());
  rounds_.Join(Round::kThis, 1);
  rounds_.Note(*company, company->until + absl::Milliseconds(4));
  EXPECT_FALSE(rounds_.Expected(clock_.Now()).has_value());
}

TEST_F(FlushRoundsTest, TheWaitEndsWhenTheLastOneComes) {
  const auto company = ExpectedAmong(2);
  ASSERT_TRUE(company.has_value());
  std::thread other([this] { rounds_.Join(Round::kThis, 1); });
  // The clock stands still: only who comes, or the bound of the loop, ends a wait.
  while (company->joined->load() < company->expected) FlushRounds::Await(*company, clock_);
  other.join();
  rounds_.Note(*company, clock_.Now());
  Flushed();
  rounds_.Join(Round::kThis, 1);
  EXPECT_TRUE(rounds_.Expected(clock_.Now()).has_value()) << "it was worth it";
}

}  // namespace
}  // namespace keel::wal
