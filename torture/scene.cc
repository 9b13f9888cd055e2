#include "torture/scene.h"

#include <absl/strings/str_format.h>

#include <utility>
#include <vector>

#include "fault_injection/crash_choice.h"
#include "torture/player.h"
#include "torture/script.h"

namespace keel::torture {

using fault_injection::Call;
using fault_injection::CrashChoice;
using fault_injection::SeededRandom;
using fault_injection::SimFileSystem;

namespace {

// A thread that has done nothing for so long waits for the one that is stopped. Only how a case
// goes on depends on it, never whether it passes.
constexpr absl::Duration kStuck = absl::Milliseconds(20);

Shape SceneShape() {
  Shape shape = TinyShape();
  shape.spaces = 1;
  shape.keys = 24;
  return shape;
}

}  // namespace

Scene::Scene(uint64_t seed, Act carrier, Act intruder, Tally* tally)
    : random_(seed),
      shape_(SceneShape()),
      carrier_(carrier),
      intruder_(intruder),
      tally_(tally),
      world_({.seed = seed, .keep_trace = false}) {}

void Scene::Met(const std::string& rare_state, bool met) {
  absl::MutexLock lock(&mutex_);
  tally_->Met(rare_state, met);
}

std::string Scene::violation() {
  absl::MutexLock lock(&mutex_);
  return violation_;
}

void Scene::Fail(std::string_view what, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!violation_.empty()) return;
  violation_ = status.ok() ? std::string(what) : absl::StrFormat("%s: %s", what, status.ToString());
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
  Met("one thread did all its work while the other was stopped", done);
  Met("one thread had to wait for the stopped one", !done);
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

}  // namespace keel::torture
