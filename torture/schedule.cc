#include "torture/schedule.h"

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <keel/keel.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "torture/ledger.h"
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
  kHugeCommit,   // of more than the log takes
  kManyCommits,  // until the log has gone on to another segment
  kDeleteAll,
  kCheckpoint,
  kBackground,
  kLateSync,     // commits without waiting, then makes them durable
  kSnapshot,     // opens one, reads all of it, lets it go
  kEndSnapshot,  // lets one go that is as old as the case
  kExpire,       // lets time pass that no snapshot may live, and does the background work
};
constexpr std::array kActs = {Act::kCommitSync,  Act::kCommitNone, Act::kHugeCommit,
                              Act::kManyCommits, Act::kDeleteAll,  Act::kCheckpoint,
                              Act::kBackground,  Act::kLateSync,   Act::kSnapshot,
                              Act::kEndSnapshot, Act::kExpire};
constexpr std::array<std::string_view, kActs.size()> kActNames = {
    "a durable commit",   "a commit",   "a huge commit", "many commits",   "a delete of everything",
    "a checkpoint",       "background", "a late sync",   "a new snapshot", "the end of a snapshot",
    "expiry of snapshots"};
// Those that always have I/O steps at which they can be stopped.
constexpr std::array kCarriers = {Act::kCommitSync, Act::kHugeCommit, Act::kManyCommits,
                                  Act::kDeleteAll,  Act::kCheckpoint, Act::kBackground,
                                  Act::kLateSync,   Act::kExpire};
std::string_view ActName(Act act) { return kActNames[static_cast<size_t>(act)]; }

// A thread that has done nothing for so long waits for the one that is stopped. Only how a case
// goes on depends on it, never whether it passes.
constexpr absl::Duration kStuck = absl::Milliseconds(20);
// How long a snapshot may live: longer, in the world's time, than a case without expiry takes.
constexpr absl::Duration kSnapshotAge = absl::Hours(1);

class Scene {
 public:
  Scene(uint64_t seed, Act carrier, Act intruder, Tally* tally)
      : random_(seed),
        shape_(MakeShape()),
        carrier_(carrier),
        intruder_(intruder),
        tally_(tally),
        world_({.seed = seed, .keep_trace = false}) {}

  // The carrier alone: how many steps it has.
  absl::StatusOr<uint64_t> Rehearse();
  // The same, with the intruder at this step of it.
  std::string Run(uint64_t step);

 private:
  static Shape MakeShape() {
    Shape shape = TinyShape();
    shape.spaces = 1;
    shape.keys = 24;
    return shape;
  }

  void OpenAndFill();
  void Carry();
  void Perform(Act act, uint64_t seed);
  enum class What : uint8_t { kFew, kHuge, kDeleteAll };
  void Commit(SeededRandom& random, Durability durability, What what);
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
  std::optional<uint64_t> step_;  // at which the carrier is stopped
  Tally* const tally_;
  SimFileSystem world_;
  Ledger ledger_;
  std::unique_ptr<Database> db_;
  std::optional<Snapshot> old_snapshot_;
  std::atomic<std::thread::id> stopped_thread_;
  uint64_t carrier_steps_ = 0;  // of the carrier's thread alone
  std::atomic<uint64_t> intruder_steps_{0};
  std::atomic<int> expiries_{0};
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
void Scene::Commit(SeededRandom& random, Durability durability, What what) {
  absl::StatusOr<Transaction> txn = db_->Begin();
  if (!txn.ok()) return Fail("begin", txn.status());
  uint64_t number = 0;
  const absl::StatusOr<PinnedValue> text = txn->Get(kNumberKey);
  if (text.ok() && !absl::SimpleAtoi(text->ToString(), &number)) return Fail("unreadable number");
  ++number;
  Ledger::Changes changes = {{std::string(kNumberKey), absl::StrCat(number)}};
  const uint64_t count = what == What::kFew ? 1 + random.Below(4) : shape_.keys;
  const uint64_t bytes = what == What::kHuge ? shape_.logged_bytes_max() / shape_.keys + 1 : 60;
  for (uint64_t n = 0; n < count; ++n) {
    const uint64_t key = what == What::kFew ? random.Below(shape_.keys) : n;
    const std::string value = absl::StrFormat("%x", random.Next()) + std::string(bytes, 'v');
    changes.push_back({absl::StrFormat("k%03d", key), what == What::kDeleteAll ? "" : value});
  }
  for (const auto& [key, value] : changes) {
    const absl::Status status = value.empty() ? txn->Delete(key) : txn->Put(key, value);
    if (!status.ok()) return Fail("change", status);
  }
  ledger_.Begin(number, std::move(changes));
  const absl::StatusOr<Lsn> lsn = txn->Commit({durability});
  if (!lsn.ok()) return Fail("commit", lsn.status());
  // One that the log cannot take is durable when it returns.
  if (durability == Durability::kSync || what == What::kHuge) ledger_.Acknowledge(number);
}

// What a snapshot shows is one committed state, the same however often it is read, until it expires.
void Scene::ReadSnapshot(const Snapshot& snapshot) {
  uint64_t first = 0;
  for (int n = 0; n < 2; ++n) {
    State state;
    const absl::Status status =
        snapshot.ForEach({}, KeyRange::All(), [&](std::string_view key, std::string_view value) {
          state.Put(0, key, value);
          return absl::OkStatus();
        });
    if (absl::IsDeadlineExceeded(status) && expiries_ > 0) {
      return tally_->Met("a snapshot had expired when it was read", true);
    }
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
      return Commit(random, Durability::kSync, What::kFew);
    case Act::kCommitNone:
      return Commit(random, Durability::kNone, What::kFew);
    case Act::kHugeCommit:
      return Commit(random, Durability::kNone, What::kHuge);
    case Act::kDeleteAll:
      return Commit(random, Durability::kSync, What::kDeleteAll);
    case Act::kManyCommits:
      for (int n = 0; n < 6; ++n) Commit(random, Durability::kSync, What::kFew);
      return;
    case Act::kLateSync:
      for (int n = 0; n < 3; ++n) Commit(random, Durability::kNone, What::kFew);
      status = db_->Sync();
      break;
    case Act::kCheckpoint:
      status = db_->Checkpoint();
      break;
    case Act::kBackground:
      status = db_->RunBackgroundWork();
      break;
    case Act::kExpire:
      ++expiries_;
      world_.clock().Sleep(2 * kSnapshotAge);
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

void Scene::OpenAndFill() {
  Options options = shape_.Options(&world_);
  options.snapshots.age_max = kSnapshotAge;
  options.snapshots.when_too_old = SnapshotLimits::WhenTooOld::kExpire;
  auto opened = Database::Open("/db", options);
  if (!opened.ok()) return Fail("open", opened.status());
  db_ = *std::move(opened);
  for (int n = 0; n < 6; ++n) Commit(random_, Durability::kSync, What::kFew);
  old_snapshot_ = db_->GetSnapshot();
  if (random_.OneIn(2)) Perform(Act::kCheckpoint, 0);
  for (uint64_t n = 1 + random_.Below(12); n > 0; --n)
    Commit(random_, Durability::kSync, What::kFew);
}

void Scene::Carry() {
  stopped_thread_ = std::this_thread::get_id();
  world_.set_observer([this](const Call& call) { Meet(call); });
  Perform(carrier_, random_.Next());
  if (intruder_thread_.joinable()) intruder_thread_.join();
  world_.set_observer(nullptr);
}

absl::StatusOr<uint64_t> Scene::Rehearse() {
  OpenAndFill();
  if (violation().empty()) Carry();
  if (!violation().empty()) return absl::InternalError(violation());
  return carrier_steps_;
}

std::string Scene::Run(uint64_t step) {
  step_ = step;
  OpenAndFill();
  if (!violation().empty()) return violation();
  Carry();
  if (carrier_steps_ <= step) Fail("the step did not come, though it had in the rehearsal");
  if (violation().empty()) CutPower();
  // What one of them gave up too early is missed only once it is used again.
  if (violation().empty()) Perform(Act::kManyCommits, random_.Next());
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

struct Meeting {
  Act carrier;
  Act intruder;
  uint64_t variant;
};

Meeting MeetingOf(uint64_t number) {
  return {kCarriers[number % kCarriers.size()], kActs[number / kCarriers.size() % kActs.size()],
          number / (kCarriers.size() * kActs.size())};
}

}  // namespace

uint64_t SchedulesUpTo(uint64_t times) { return times * kCarriers.size() * kActs.size(); }

std::string ScheduleName(uint64_t number) {
  const Meeting meeting = MeetingOf(number);
  return absl::StrFormat("%s meets %s, %d", ActName(meeting.carrier), ActName(meeting.intruder),
                         meeting.variant);
}

std::string RunSchedule(uint64_t seed, uint64_t number, Tally* tally) {
  ++tally->operations;
  const Meeting meeting = MeetingOf(number);
  const uint64_t chance = Mix(Mix(seed) ^ number);
  Scene rehearsal(chance, meeting.carrier, meeting.intruder, tally);
  const absl::StatusOr<uint64_t> steps = rehearsal.Rehearse();
  if (!steps.ok() || *steps == 0) {
    return absl::StrFormat("%s: %s", ScheduleName(number),
                           steps.ok() ? "a carrier without steps" : steps.status().message());
  }
  Scene scene(chance, meeting.carrier, meeting.intruder, tally);
  const uint64_t step = meeting.variant % *steps;
  const std::string violation = scene.Run(step);
  if (violation.empty()) return "";
  return absl::StrFormat("%s, at step %d of %d: %s", ScheduleName(number), step, *steps, violation);
}

}  // namespace keel::torture
