#include "torture/schedule.h"

#include <absl/base/thread_annotations.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <keel/keel.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "torture/player.h"

namespace keel::torture {

using fault_injection::Call;
using fault_injection::CrashChoice;
using fault_injection::Mix;
using fault_injection::SeededRandom;
using fault_injection::SimFileSystem;

namespace {

// What one of the threads does.
enum class Act : uint8_t {
  kCommitSync,
  kCommitNone,
  kManyCommits,  // until the log has gone on to another segment
  kDeleteAll,
  kCheckpoint,
  kBackground,
  kSnapshot,     // opens one, reads all of it, lets it go
  kEndSnapshot,  // lets one go that is as old as the case
};
constexpr std::array kActs = {Act::kCommitSync, Act::kCommitNone, Act::kManyCommits,
                              Act::kDeleteAll,  Act::kCheckpoint, Act::kBackground,
                              Act::kSnapshot,   Act::kEndSnapshot};
constexpr std::array<std::string_view, kActs.size()> kActNames = {
    "a durable commit", "a commit",   "many commits",   "a delete of everything",
    "a checkpoint",     "background", "a new snapshot", "the end of a snapshot"};
std::string_view ActName(Act act) { return kActNames[static_cast<size_t>(act)]; }

// A thread that has done nothing for so long waits for the one that is stopped. Only how a case
// goes on depends on it, never whether it passes.
constexpr absl::Duration kStuck = absl::Milliseconds(20);

// The commits of both threads, in the order that the database gave them.
class Ledger {
 public:
  explicit Ledger(State base) : base_(std::move(base)) {}

  using Changes = std::vector<std::pair<std::string, std::string>>;  // an empty value deletes
  void Begin(uint64_t number, Changes changes) {
    absl::MutexLock lock(&mutex_);
    commits_[number] = std::move(changes);
  }
  void Acknowledge(uint64_t number) {
    absl::MutexLock lock(&mutex_);
    acknowledged_ = std::max(acknowledged_, number);
  }
  History MakeHistory() const {
    absl::MutexLock lock(&mutex_);
    History history;
    State state = base_;
    history.Begin(0, state.hash());
    for (const auto& [number, changes] : commits_) {
      for (const auto& [key, value] : changes) {
        if (value.empty()) {
          state.Delete(0, key);
        } else {
          state.Put(0, key, value);
        }
      }
      history.Begin(number, state.hash());
    }
    history.Acknowledge(acknowledged_);
    return history;
  }

 private:
  const State base_;
  mutable absl::Mutex mutex_;
  std::map<uint64_t, Changes> commits_ ABSL_GUARDED_BY(mutex_);
  uint64_t acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Scene {
 public:
  Scene(uint64_t seed, Act carrier, Act intruder, uint64_t step, Tally* tally)
      : random_(seed),
        shape_(MakeShape()),
        carrier_(carrier),
        intruder_(intruder),
        step_(step),
        tally_(tally),
        world_({.seed = seed, .keep_trace = false}),
        ledger_(State()) {}

  std::string Run();

 private:
  static Shape MakeShape() {
    Shape shape = TinyShape();
    shape.spaces = 1;
    shape.keys = 24;
    return shape;
  }

  void Perform(Act act, uint64_t seed);
  void Commit(SeededRandom& random, Durability durability, bool delete_all);
  void ReadSnapshot(const Snapshot& snapshot);
  void Meet(const Call& call);
  void CutPower();
  void Recover(fault_injection::DiskImage image, const History& history, uint64_t seed);
  void Fail(std::string_view what, const absl::Status& status = {});
  std::string violation() {
    absl::MutexLock lock(&mutex_);
    return violation_;
  }

  SeededRandom random_;
  const Shape shape_;
  const Act carrier_;
  const Act intruder_;
  const uint64_t step_;
  Tally* const tally_;
  SimFileSystem world_;
  Ledger ledger_;
  std::unique_ptr<Database> db_;
  std::optional<Snapshot> old_snapshot_;
  std::atomic<std::thread::id> stopped_thread_;
  uint64_t carrier_steps_ = 0;  // of the carrier's thread alone
  std::atomic<uint64_t> intruder_steps_{0};
  absl::Notification intruder_done_;
  std::thread intruder_thread_;
  absl::Mutex mutex_;
  std::string violation_ ABSL_GUARDED_BY(mutex_);
};

void Scene::Fail(std::string_view what, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!violation_.empty()) return;
  violation_ = status.ok() ? std::string(what) : absl::StrFormat("%s: %s", what, status.ToString());
}

// Reads the number in the transaction itself, so that it says where in the order the commit stands.
void Scene::Commit(SeededRandom& random, Durability durability, bool delete_all) {
  absl::StatusOr<Transaction> txn = db_->Begin();
  if (!txn.ok()) return Fail("begin", txn.status());
  uint64_t number = 0;
  const absl::StatusOr<PinnedValue> text = txn->Get(kNumberKey);
  if (text.ok() && !absl::SimpleAtoi(text->ToString(), &number)) return Fail("unreadable number");
  ++number;
  Ledger::Changes changes = {{std::string(kNumberKey), absl::StrCat(number)}};
  const uint64_t count = delete_all ? shape_.keys : 1 + random.Below(4);
  for (uint64_t n = 0; n < count; ++n) {
    const std::string key = absl::StrFormat("k%03d", delete_all ? n : random.Below(shape_.keys));
    const std::string value = absl::StrFormat("%x", random.Next()) + std::string(60, 'v');
    changes.push_back({key, delete_all ? "" : value});
  }
  for (const auto& [key, value] : changes) {
    const absl::Status status = value.empty() ? txn->Delete(key) : txn->Put(key, value);
    if (!status.ok()) return Fail("change", status);
  }
  ledger_.Begin(number, std::move(changes));
  const absl::StatusOr<Lsn> lsn = txn->Commit({durability});
  if (!lsn.ok()) return Fail("commit", lsn.status());
  if (durability == Durability::kSync) ledger_.Acknowledge(number);
}

// What a snapshot shows is one committed state, the same however often it is read.
void Scene::ReadSnapshot(const Snapshot& snapshot) {
  uint64_t first = 0;
  for (int n = 0; n < 2; ++n) {
    State state;
    const absl::Status status =
        snapshot.ForEach({}, KeyRange::All(), [&](std::string_view key, std::string_view value) {
          state.Put(0, key, value);
          return absl::OkStatus();
        });
    if (!status.ok()) return Fail("read a snapshot", status);
    if (n == 0) first = state.hash();
    if (state.hash() != first) return Fail("a snapshot has changed");
    uint64_t number = 0;
    const std::string* text = state.Find(0, kNumberKey);
    if (text != nullptr && !absl::SimpleAtoi(*text, &number)) return Fail("unreadable number");
    const History history = ledger_.MakeHistory();
    if (number > history.size() || history.hash(number) != state.hash()) {
      return Fail("a snapshot shows no committed state");
    }
  }
}

void Scene::Perform(Act act, uint64_t seed) {
  SeededRandom random(seed);
  absl::Status status;
  switch (act) {
    case Act::kCommitSync:
      return Commit(random, Durability::kSync, false);
    case Act::kCommitNone:
      return Commit(random, Durability::kNone, false);
    case Act::kDeleteAll:
      return Commit(random, Durability::kSync, true);
    case Act::kManyCommits:
      for (int n = 0; n < 6; ++n) Commit(random, Durability::kSync, false);
      return;
    case Act::kCheckpoint:
      status = db_->Checkpoint();
      break;
    case Act::kBackground:
      status = db_->RunBackgroundWork();
      break;
    case Act::kSnapshot:
      return ReadSnapshot(db_->GetSnapshot());
    case Act::kEndSnapshot:
      if (old_snapshot_.has_value()) ReadSnapshot(*old_snapshot_);
      old_snapshot_.reset();
      return;
  }
  if (!status.ok()) Fail(ActName(act), status);
}

void Scene::Recover(fault_injection::DiskImage image, const History& history, uint64_t seed) {
  History copy = history;
  SimFileSystem world({.seed = seed, .keep_trace = false}, std::move(image));
  Player player(&world, shape_, &copy);
  player.Open();
  player.Verify();
  player.Play(MakeScript(shape_, seed, 8));
  player.Verify();
  player.Close();
  ++tally_->recoveries[1];
  if (!player.violation().empty()) Fail("after a power cut: " + player.violation());
}

void Scene::CutPower() {
  // The disk before the bounds: what is acknowledged in between need not be on it.
  const History history = ledger_.MakeHistory();
  const auto durability = world_.durability();
  for (uint64_t n = 0; n < 4; ++n) {
    CrashChoice choice;
    for (const auto& pending : durability.pending()) {
      const bool kept = n == 0 ? false : n == 1 || random_.OneIn(2);
      choice.kept.push_back(kept ? pending.sectors : fault_injection::SectorMask{0});
    }
    Recover(BuildCrashImage(durability, choice), history, random_.Next());
  }
}

// Called before every I/O step. The carrier's chosen one waits for the intruder, or until that
// waits for the carrier.
void Scene::Meet(const Call&) {
  if (std::this_thread::get_id() != stopped_thread_.load()) {
    ++intruder_steps_;
    return;
  }
  if (carrier_steps_++ != step_) return;
  intruder_thread_ = std::thread([this, seed = random_.Next()] {
    Perform(intruder_, seed);
    intruder_done_.Notify();
  });
  uint64_t seen = ~uint64_t{0};
  bool done = false;
  while (!done && seen != intruder_steps_.load()) {
    seen = intruder_steps_.load();
    done = intruder_done_.WaitForNotificationWithTimeout(kStuck);
  }
  tally_->Met("one thread did all its work while the other was stopped", done);
  tally_->Met("one thread had to wait for the stopped one", !done);
  if (done) CutPower();
}

std::string Scene::Run() {
  auto opened = Database::Open("/db", shape_.Options(&world_));
  if (!opened.ok()) return opened.status().ToString();
  db_ = *std::move(opened);
  for (int n = 0; n < 6; ++n) Commit(random_, Durability::kSync, false);
  old_snapshot_ = db_->GetSnapshot();
  if (random_.OneIn(2)) Perform(Act::kCheckpoint, 0);
  for (uint64_t n = random_.Below(12); n > 0; --n) Commit(random_, Durability::kSync, false);
  stopped_thread_ = std::this_thread::get_id();
  world_.set_observer([this](const Call& call) { Meet(call); });
  Perform(carrier_, random_.Next());
  tally_->Met("the carrier had no such step", !intruder_thread_.joinable());
  if (intruder_thread_.joinable()) intruder_thread_.join();
  world_.set_observer(nullptr);
  if (violation().empty()) CutPower();
  old_snapshot_.reset();
  const absl::Status closed = db_->Close();
  if (!closed.ok()) Fail("close", closed);
  db_.reset();
  History history = ledger_.MakeHistory();
  history.Acknowledge(history.size());
  if (violation().empty()) Recover(world_.durability().durable(), history, 1);
  return violation();
}

}  // namespace

namespace {

struct Meeting {
  Act carrier;
  Act intruder;
  uint64_t step;
};

Meeting MeetingOf(uint64_t number) {
  constexpr uint64_t kStepsMax = 24;
  return {kActs[number % kActs.size()], kActs[number / kActs.size() % kActs.size()],
          number / (kActs.size() * kActs.size()) % kStepsMax};
}

}  // namespace

uint64_t SchedulesUpTo(uint64_t steps) { return steps * kActs.size() * kActs.size(); }

std::string ScheduleName(uint64_t number) {
  const Meeting meeting = MeetingOf(number);
  return absl::StrFormat("%s at its step %d meets %s", ActName(meeting.carrier), meeting.step,
                         ActName(meeting.intruder));
}

std::string RunSchedule(uint64_t seed, uint64_t number, Tally* tally) {
  const Meeting meeting = MeetingOf(number);
  Scene scene(Mix(Mix(seed) ^ number), meeting.carrier, meeting.intruder, meeting.step, tally);
  const std::string violation = scene.Run();
  ++tally->operations;
  return violation.empty() ? "" : ScheduleName(number) + ": " + violation;
}

}  // namespace keel::torture
