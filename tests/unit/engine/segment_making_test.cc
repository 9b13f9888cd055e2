// The log's segments are made beside commits (engine/background.h).

#include <absl/synchronization/notification.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/unit/engine/failing_disk.h"

namespace keel::testing {
namespace {

class SegmentMakingTest : public FailingDiskTest {
 protected:
  SegmentMakingTest() {
    options_.background = Background::kThreads;
    Open();
  }
  ~SegmentMakingTest() override {
    db_.reset();  // its threads call what is below
  }

  uint64_t spares() { return db_->Stats().log.spare_segments; }
  // From the next segment that somebody makes on: notes who it is, and what comes of it.
  void Watch(const absl::Status& outcome) {
    disk_.set_fault([this, outcome](const Call& call) {
      if (call.kind != Call::Kind::kSyncDirectory) return absl::OkStatus();  // its last step
      if (!begun_.HasBeenNotified()) {
        maker_ = std::this_thread::get_id();
        begun_.Notify();
      }
      return outcome;
    });
  }
  // Commits until one is made.
  void PutUntilBegun() {
    while (!begun_.HasBeenNotified()) {
      ASSERT_LT(count_, 1000);
      PutNext();
      if (spares() == 2) continue;
      PutNext();  // notices it
      ASSERT_TRUE(begun_.WaitForNotificationWithTimeout(absl::Minutes(2)));
    }
  }
  void PutNext() { KEEL_ASSERT_OK(db_->Put(Numbered("k", count_++), std::string(3000, 'v'))); }

  absl::Notification begun_;
  std::atomic<std::thread::id> maker_;
  int count_ = 0;
};

// One is missing, but another one left: the commit that notices it goes on, and somebody else makes it.
TEST_F(SegmentMakingTest, CommitsDoNotWaitForAFileOfZeros) {
  const uint64_t before = db_->Stats().log.segments;
  Watch(absl::OkStatus());
  PutUntilBegun();
  EXPECT_NE(maker_.load(), std::this_thread::get_id());
  for (int i = 0; i < 300; ++i) PutNext();
  EXPECT_GT(db_->Stats().log.segments, before);
}

// Whoever makes them fails: commits go on for as long as there are others, and then make what they need.
TEST_F(SegmentMakingTest, AFailureBesideIsNobodysButItsOwn) {
  Watch(absl::Status(kEio, "injected failure"));
  PutUntilBegun();
  EXPECT_NE(maker_.load(), std::this_thread::get_id());
  Heal();
  Wait(absl::Seconds(2));  // after a failure it is tried again then
  for (int i = 0; i < 300; ++i) PutNext();
  Open();
  for (int i = 0; i < count_; ++i) {
    ASSERT_EQ(GetText(*db_, Numbered("k", i)), std::string(3000, 'v'));
  }
}

}  // namespace
}  // namespace keel::testing
