// The health state machine by itself, its early warnings, and the pauses between attempts.

#include "engine/health.h"

#include <string>
#include <vector>

#include "engine/health_watch.h"
#include "engine/retry_pause.h"
#include "tests/unit/engine/failing_disk.h"

namespace keel::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = HealthIssue::Kind;
using testing::EventRecorder;

class HealthTest : public ::testing::Test {
 protected:
  EventRecorder events_;
  Health health_{&events_, /*read_only=*/false};
};

TEST_F(HealthTest, IssuesDegradeAndTheLastOneToEndHeals) {
  EXPECT_EQ(health_.state(), HealthState::kHealthy);
  health_.Raise(Kind::kDiskNearlyFull, "a");
  health_.Raise(Kind::kOldSnapshot, "b");
  EXPECT_EQ(health_.state(), HealthState::kDegraded);
  EXPECT_TRUE(health_.Refusal().ok());
  health_.Clear({Kind::kDiskNearlyFull});
  EXPECT_EQ(health_.state(), HealthState::kDegraded);
  health_.Clear({Kind::kOldSnapshot});
  EXPECT_EQ(health_.state(), HealthState::kHealthy);
  EXPECT_THAT(events_.Take(),
              ElementsAre("+disk nearly full", "healthy -> degraded", "+old snapshot",
                          "-disk nearly full", "-old snapshot", "degraded -> healthy"));
}

TEST_F(HealthTest, AnIssueIsToldOfOnceAndItsMessageKeptUpToDate) {
  health_.Raise(Kind::kDiskFull, "first");
  health_.Raise(Kind::kDiskFull, "second");
  health_.Clear({Kind::kMemoryPinned});
  EXPECT_THAT(events_.Take(), ElementsAre("+disk full", "healthy -> degraded"));
  ASSERT_EQ(health_.issues().size(), 1U);
  EXPECT_EQ(health_.issues()[0].message, "second");
}

TEST_F(HealthTest, TheLogsLimitRefusesCommitsAsLongAsCheckpointsFail) {
  health_.Raise(Kind::kLogAtLimit, "too late: a checkpoint has succeeded");
  EXPECT_EQ(health_.state(), HealthState::kHealthy);
  health_.Raise(Kind::kCheckpointsFail, "EIO");
  health_.Raise(Kind::kDiskNearlyFull, "low");
  health_.Raise(Kind::kLogAtLimit, "full log");
  EXPECT_EQ(health_.state(), HealthState::kReadOnly);
  EXPECT_TRUE(absl::IsResourceExhausted(health_.Refusal()));
  health_.Clear({Kind::kLogAtLimit, Kind::kCheckpointsFail});
  EXPECT_EQ(health_.state(), HealthState::kDegraded);
  EXPECT_TRUE(health_.Refusal().ok());
}

TEST_F(HealthTest, StoppedIsFinal) {
  health_.Raise(Kind::kDiskFull, "full");
  EXPECT_TRUE(health_.Stop(absl::UnavailableError("EIO")));
  EXPECT_FALSE(health_.Stop(absl::UnavailableError("again")));
  EXPECT_THAT(events_.Take(), ElementsAre("+disk full", "healthy -> degraded"));
  health_.Deliver();  // once everything has stopped
  EXPECT_THAT(events_.Take(), ElementsAre("+I/O failure", "degraded -> stopped", "stopped"));
  health_.Clear({Kind::kDiskFull});
  health_.Raise(Kind::kOldSnapshot, "old");
  EXPECT_EQ(health_.state(), HealthState::kStopped);
  EXPECT_TRUE(absl::IsUnavailable(health_.Refusal()));
  EXPECT_THAT(std::string(MessageOf(health_.Refusal())), HasSubstr("EIO"));
  EXPECT_THAT(events_.Take(), IsEmpty());
}

TEST_F(HealthTest, OpenedReadOnlyIsNoEvent) {
  const Health health(&events_, /*read_only=*/true);
  EXPECT_EQ(health.state(), HealthState::kReadOnly);
  EXPECT_TRUE(absl::IsFailedPrecondition(health.Refusal()));
  EXPECT_THAT(events_.Take(), IsEmpty());
}

// A listener that is called back while it is told something gets the rest in order, not nested.
TEST(HealthEventsTest, EventsComeInOrderOneAtATime) {
  struct Nested final : EventListener {
    void OnHealthIssue(const HealthIssue& issue, bool begins) override {
      told.push_back(absl::StrFormat("%c%s", begins ? '+' : '-', HealthIssueName(issue.kind)));
      if (issue.kind == Kind::kDiskFull && begins) health->Raise(Kind::kOldSnapshot, "nested");
      told.push_back("end");
    }
    void OnHealthChange(const HealthChange& change) override {
      told.emplace_back(HealthStateName(change.to));
    }
    Health* health = nullptr;
    std::vector<std::string> told;
  } listener;
  Health health(&listener, /*read_only=*/false);
  listener.health = &health;
  health.Raise(Kind::kDiskFull, "full");
  EXPECT_THAT(listener.told, ElementsAre("+disk full", "end", "degraded", "+old snapshot", "end"));
}

// --- early warnings ---

class HealthWatchTest : public HealthTest {
 protected:
  HealthWatchTest() {
    figures_.disk_free_bytes = uint64_t{1} << 30;
    figures_.file_bytes = uint64_t{1} << 30;
    figures_.log_bytes_max = 1000;
    figures_.frames = 1000;
    figures_.changed_frames_max = 700;
  }

  // The issue begins when `*figure` comes to `begin`, is still there at `between`, and ends at `end`, but not
  // before the hold time is over.
  void ExpectWarning(Kind kind, uint64_t* figure, uint64_t just_before, uint64_t begin,
                     uint64_t between, uint64_t end) {
    Look(figure, just_before);
    EXPECT_FALSE(health_.Has(kind));
    Look(figure, begin);
    EXPECT_TRUE(health_.Has(kind));
    Look(figure, end);
    EXPECT_TRUE(health_.Has(kind));  // held
    figures_.now += HealthWatch::kHoldTime;
    Look(figure, between);
    EXPECT_TRUE(health_.Has(kind));
    Look(figure, end);
    EXPECT_FALSE(health_.Has(kind));
    EXPECT_EQ(events_.Take().size(), 4U);  // no storm
  }
  void Look(uint64_t* figure, uint64_t value) {
    *figure = value;
    watch_.Look(figures_);
  }

  HealthFigures figures_;
  HealthWatch watch_{&health_};
};

TEST_F(HealthWatchTest, DiskNearlyFull) {
  const uint64_t low = figures_.file_bytes / 32;
  ExpectWarning(Kind::kDiskNearlyFull, &figures_.disk_free_bytes, low, low - 1, 2 * low - 1,
                2 * low);
  figures_.file_free_bytes = low;
  Look(&figures_.disk_free_bytes, 0);
  EXPECT_FALSE(health_.Has(Kind::kDiskNearlyFull));  // room in the file is room
}

TEST_F(HealthWatchTest, LogNearItsLimit) {
  ExpectWarning(Kind::kLogNearLimit, &figures_.log_bytes, 749, 750, 501, 500);
}

TEST_F(HealthWatchTest, MemoryFullOfChangedPages) {
  ExpectWarning(Kind::kMemoryChanged, &figures_.changed_frames, 629, 630, 491, 490);
}

TEST_F(HealthWatchTest, MemoryPinned) {
  ExpectWarning(Kind::kMemoryPinned, &figures_.pinned_frames, 499, 500, 376, 375);
}

TEST_F(HealthWatchTest, OldSnapshot) {
  const uint64_t much = figures_.file_bytes / 8;
  figures_.snapshot = "the snapshot of LSN 7";
  Look(&figures_.snapshot_bytes, much);
  EXPECT_FALSE(health_.Has(Kind::kOldSnapshot));  // not old yet
  figures_.snapshot_age = absl::Minutes(1);
  ExpectWarning(Kind::kOldSnapshot, &figures_.snapshot_bytes, much - 1, much, much / 2,
                much / 2 - 1);
}

// A call that holds a version has no age that is known: it is as old as the looks that found it to hold most.
TEST_F(HealthWatchTest, WhatHoldsMostGrowsOldAlsoWithoutAnAge) {
  figures_.snapshot = "a call that reads the state of LSN 7";
  figures_.snapshot_bytes = figures_.file_bytes;
  figures_.snapshot_epoch = MakeEpoch(1, 7);
  watch_.Look(figures_);
  figures_.now += absl::Minutes(1) - absl::Seconds(1);
  watch_.Look(figures_);
  EXPECT_FALSE(health_.Has(Kind::kOldSnapshot));
  figures_.snapshot_epoch = MakeEpoch(1, 9);  // another one
  figures_.now += absl::Seconds(2);
  watch_.Look(figures_);
  EXPECT_FALSE(health_.Has(Kind::kOldSnapshot));
  figures_.now += absl::Minutes(1);
  watch_.Look(figures_);
  EXPECT_TRUE(health_.Has(Kind::kOldSnapshot));
}

TEST_F(HealthWatchTest, AFullDiskEndsWhenWritesAreTakenOrThereIsRoom) {
  for (const bool taken : {true, false}) {
    health_.Raise(Kind::kDiskFull, "full");
    figures_.writes_refused = true;
    figures_.room_for_writes = false;
    watch_.Look(figures_);
    figures_.now += HealthWatch::kHoldTime;
    watch_.Look(figures_);
    EXPECT_TRUE(health_.Has(Kind::kDiskFull));
    (taken ? figures_.writes_refused : figures_.room_for_writes) = !taken;
    watch_.Look(figures_);
    EXPECT_FALSE(health_.Has(Kind::kDiskFull));
  }
}

TEST_F(HealthWatchTest, AFigureThatSwaysGivesOneWarningAHoldTime) {
  for (int i = 0; i < 100; ++i) {
    figures_.now += HealthWatch::kHoldTime / 50;
    Look(&figures_.log_bytes, i % 2 == 0 ? 1000 : 0);
  }
  EXPECT_LE(events_.Take().size(), 3U * 4U);
}

TEST(RetryPauseTest, PausesDoubleUpToTheLimitAndEndWithSuccess) {
  RetryPause pause(absl::Seconds(1), absl::Seconds(5));
  absl::Duration now = absl::Seconds(100);
  EXPECT_TRUE(pause.Over(now));
  for (const int seconds : {1, 2, 4, 5, 5}) {
    pause.NoteFailure(now);
    EXPECT_FALSE(pause.Over(now + absl::Seconds(seconds) - absl::Nanoseconds(1)));
    now += absl::Seconds(seconds);
    EXPECT_TRUE(pause.Over(now));
  }
  pause.NoteSuccess();
  EXPECT_TRUE(pause.Over(now - absl::Seconds(1)));
  pause.NoteFailure(now);
  EXPECT_TRUE(pause.Over(now + absl::Seconds(1)));
}

}  // namespace
}  // namespace keel::engine
