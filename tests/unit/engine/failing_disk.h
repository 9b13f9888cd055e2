// A database on a disk in memory that fails on demand, and a listener that remembers what it was told.

#ifndef KEEL_TESTS_UNIT_ENGINE_FAILING_DISK_H_
#define KEEL_TESTS_UNIT_ENGINE_FAILING_DISK_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/wal/memory_file_system.h"

namespace keel::testing {

using wal::Call;
using wal::MemoryFileSystem;

// "degraded: <reason>" for a change of state, "+disk full" and "-disk full" for an issue, "stopped".
class EventRecorder final : public EventListener {
 public:
  void OnHealthChange(const HealthChange& change) override {
    Note(absl::StrFormat("%s -> %s", HealthStateName(change.from), HealthStateName(change.to)));
    EXPECT_FALSE(change.reason.empty());
  }
  void OnHealthIssue(const HealthIssue& issue, bool begins) override {
    Note(absl::StrFormat("%c%s", begins ? '+' : '-', HealthIssueName(issue.kind)));
    EXPECT_FALSE(issue.message.empty() && begins);
  }
  void OnStopped(std::string_view reason) override {
    Note("stopped");
    EXPECT_FALSE(reason.empty());
  }

  std::vector<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  void Note(std::string event) {
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }

  std::mutex mutex_;
  std::vector<std::string> events_;
};

class FailingDiskTest : public ::testing::Test {
 protected:
  using Which = std::function<bool(const Call&)>;

  static constexpr int kForever = 1 << 30;
  static constexpr absl::StatusCode kEio = absl::StatusCode::kUnavailable;

  FailingDiskTest() {
    options_.file_system = &disk_;
    options_.listener = &events_;
    options_.background = Background::kManual;
    options_.memory_bytes = uint64_t{4} << 20;
    options_.log_segment_bytes = uint64_t{256} << 10;
    options_.checkpoint_log_bytes = uint64_t{1} << 20;
    Open();
  }

  absl::Status TryOpen() {
    db_.reset();
    auto opened = Database::Open("/db", options_);
    if (opened.ok()) db_ = *std::move(opened);
    return opened.status();
  }
  void Open() { KEEL_ASSERT_OK(TryOpen()); }
  // Goes on with another disk, which the test keeps.
  void OpenOn(std::unique_ptr<MemoryFileSystem> disk) {
    db_.reset();
    images_.push_back(std::move(disk));
    image_ = images_.back().get();
    options_.file_system = image_;
    Open();
  }

  // Calls of `which` fail from now on, the first `times` of them.
  void Fail(Which which, int times, absl::StatusCode code = kEio) {
    disk_.set_fault([which = std::move(which), left = times, code](const Call& call) mutable {
      if (left == 0 || !which(call)) return absl::OkStatus();
      --left;
      return absl::Status(code, "injected failure");
    });
  }
  void Heal() { disk_.set_fault(nullptr); }

  static Which LogWrites() {
    return [](const Call& call) {
      return call.kind == Call::Kind::kWrite && call.name.starts_with("segment-");
    };
  }
  static Which DataWrites() {
    return [](const Call& call) {
      return call.kind == Call::Kind::kWrite && call.name == "data.keel";
    };
  }
  static Which Syncs(io::SyncPurpose purpose) {
    return [purpose](const Call& call) {
      return call.kind == Call::Kind::kSync && call.purpose == purpose;
    };
  }

  // Time goes on, as far as the database can tell.
  void Wait(absl::Duration time) { disk_.clock().Sleep(time); }

  HealthState State() { return db_->Stats().health.state; }
  bool HasIssue(HealthIssue::Kind kind) { return IssueMessage(kind).has_value(); }
  std::optional<std::string> IssueMessage(HealthIssue::Kind kind) {
    for (const HealthIssue& issue : db_->Stats().health.issues) {
      if (issue.kind == kind) return issue.message;
    }
    return std::nullopt;
  }

  // Nothing of it is done, and all that was acknowledged is there.
  void ExpectStopped() {
    EXPECT_TRUE(absl::IsUnavailable(db_->Put("refused", "x")));
    EXPECT_TRUE(absl::IsUnavailable(db_->Begin().status()));
    EXPECT_FALSE(db_->Stats().health.ok);
    EXPECT_EQ(State(), HealthState::kStopped);
    EXPECT_TRUE(HasIssue(HealthIssue::Kind::kIoFailure));
    EXPECT_EQ(GetText(*db_, "kept"), "1");
    EXPECT_EQ(GetText(*db_, "refused"), "NotFound");
  }

  void ExpectSound() {
    const auto report = db_->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
  }

  MemoryFileSystem disk_;
  // All of them are kept: a transaction that has ended still holds its database, and this its files.
  std::vector<std::unique_ptr<MemoryFileSystem>> images_;
  MemoryFileSystem* image_ = nullptr;
  EventRecorder events_;
  Options options_;
  std::unique_ptr<Database> db_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_UNIT_ENGINE_FAILING_DISK_H_
