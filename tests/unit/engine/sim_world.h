// A database in a simulated world, without threads of its own: time goes on when the test says so, and other threads
// come in the middle of a call.

#ifndef KEEL_TESTS_UNIT_ENGINE_SIM_WORLD_H_
#define KEEL_TESTS_UNIT_ENGINE_SIM_WORLD_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fault_injection/sim_file_system.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {

class OldSnapshotRecorder final : public EventListener {
 public:
  void OnOldSnapshot(const OldSnapshot& old) override {
    events.push_back(absl::StrFormat("%s %s \"%s\"", old.expired ? "expired" : "old",
                                     SnapshotKindName(old.kind), std::string(old.label)));
  }
  std::vector<std::string> Take() { return std::exchange(events, {}); }

  std::vector<std::string> events;  // RunBackgroundWork is called by one thread at a time
};

class SimWorldTest : public ::testing::Test {
 protected:
  static constexpr size_t kValueBytes = 900;
  static constexpr int kKeys = 4500;  // more than the memory holds

  SimWorldTest() {
    options_.file_system = &world_;
    options_.listener = &events_;
    options_.background = Background::kManual;
    options_.memory_bytes = uint64_t{4} << 20;
    options_.log_segment_bytes = uint64_t{1} << 20;
    options_.checkpoint_log_bytes = uint64_t{4} << 20;
  }
  void TearDown() override {
    world_.set_observer(nullptr);
    if (db_ == nullptr) return;
    const absl::StatusOr<CheckReport> report = db_->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok());
  }

  void Open() {
    db_.reset();
    auto opened = Database::Open("/db", options_);
    KEEL_ASSERT_OK(opened.status());
    db_ = *std::move(opened);
  }
  void Wait(absl::Duration time) { world_.clock().Sleep(time); }

  static std::string Value(char letter) { return std::string(kValueBytes, letter); }

  // Gives every key a value of this letter, in commits of 100, and checkpoints.
  void Fill(char letter, int keys = kKeys) {
    WriteBatch batch;
    for (int i = 0; i < keys; ++i) {
      batch.Put(Numbered("k", i), Value(letter));
      if (batch.size() < 100 && i + 1 < keys) continue;
      KEEL_ASSERT_OK(db_->Write(batch, {Durability::kNone}).status());
      batch.Clear();
    }
    KEEL_ASSERT_OK(db_->Checkpoint());
  }

  // Does this on another thread, once, while the next call that has to read the data file is in the middle of it.
  void DuringTheNextRead(std::function<void()> act) {
    armed_ = true;
    world_.set_observer([this, act = std::move(act)](const fault_injection::Call& call) {
      if (call.kind != fault_injection::CallKind::kRead || !armed_.exchange(false)) return;
      std::thread(act).join();
    });
  }
  bool DidRead() const { return !armed_; }

  fault_injection::SimFileSystem world_{{.seed = 1, .keep_trace = false}};
  OldSnapshotRecorder events_;
  std::atomic<bool> armed_ = false;
  Options options_;
  std::unique_ptr<Database> db_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_UNIT_ENGINE_SIM_WORLD_H_
