#include "torture/group_case.h"

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <keel/keel.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "torture/group_ledger.h"
#include "torture/shape.h"

namespace keel::torture {

using fault_injection::BuildCrashImage;
using fault_injection::Call;
using fault_injection::CrashChoice;
using fault_injection::CrashProfile;
using fault_injection::DiskImage;
using fault_injection::Durability;
using fault_injection::kCrashProfiles;
using fault_injection::SeededRandom;
using fault_injection::SimFileSystem;
using fault_injection::TraceEvent;

namespace {

// One that has done nothing for so long waits for the thread that is stopped. Only which commits make a group depends
// on it, never whether a case passes.
constexpr absl::Duration kStuck = absl::Milliseconds(5);
constexpr absl::Duration kSnapshotAge = absl::Hours(1);
constexpr uint64_t kStepsToStopAt = 3;  // of the first thread's first commit, which is durable
constexpr int kLooksMax = 20;           // how often it is looked whether all are in line
constexpr uint64_t kPaddingMax = 300;

// What goes on beside the commits.
enum class Beside : uint8_t { kNothing, kCheckpoint, kBackground, kExpiry, kSnapshots };
constexpr uint64_t kBesides = 5;

// How a thread commits.
enum class Way : uint8_t { kBatch, kOptimistic, kSnapshotIsolation, kExclusive };
constexpr uint64_t kWays = 4;

class GroupCase {
 public:
  GroupCase(uint64_t seed, Tally* tally)
      : random_(seed),
        tally_(tally),
        threads_(3 + random_.Below(4)),
        commits_(1 + random_.Below(3)),
        beside_(static_cast<Beside>(random_.Below(kBesides))),
        world_({.seed = seed}),
        lsns_(threads_) {}

  std::string Run(const Stop& stop);

 private:
  void Open();
  void CommitAll();
  void CommitInLine();
  void CommitBesideAStoppedOne();
  void Begin(std::vector<std::thread>& threads, size_t first, std::atomic<size_t>* running);
  void Work(size_t thread, uint64_t seed);
  absl::StatusOr<Lsn> Commit(const ThreadCommit& commit, keel::Durability durability, Way way,
                             SeededRandom& random);
  absl::StatusOr<Lsn> CommitThoughItExpires(const ThreadCommit& commit, keel::Durability durability,
                                            Way way, SeededRandom& random);
  absl::Status DoBeside();
  absl::Status ReadSnapshots();
  void JudgeSnapshots();
  absl::Status JudgeTheLiving();
  void Meet();
  void CutPowerEverywhere(const Stop& stop);
  void CutPower(const Durability& durability, const GroupBounds& bounds, size_t event);
  absl::StatusOr<Held> Recover(const DiskImage& image);
  void Fail(std::string_view what, const absl::Status& status = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  std::string violation() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return violation_;
  }

  SeededRandom random_;
  Tally* const tally_;
  const size_t threads_;
  const uint64_t commits_;  // of each thread
  const Beside beside_;
  SimFileSystem world_;
  std::unique_ptr<Database> db_;
  std::optional<Snapshot> old_snapshot_;
  size_t first_event_ = 0;
  // What each image turned out to hold: one that comes again is judged by its new moment.
  absl::flat_hash_map<uint64_t, Held> seen_;

  std::atomic<std::thread::id> stopped_thread_;
  uint64_t stop_at_ = 0;                  // step of the first thread
  uint64_t steps_ = 0;                    // of the first thread
  std::atomic<uint64_t> other_steps_{0};  // of all others
  absl::Notification go_;                 // the others may begin
  absl::Notification others_done_;
  std::vector<Held> snapshots_;  // what each showed

  absl::Mutex mutex_;
  ThreadLsns lsns_ ABSL_GUARDED_BY(mutex_);
  std::string violation_ ABSL_GUARDED_BY(mutex_);
};

void GroupCase::Fail(std::string_view what, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!violation_.empty()) return;
  violation_ = status.ok() ? std::string(what) : absl::StrFormat("%s: %s", what, status.ToString());
}

void GroupCase::Open() {
  Options options = TinyShape().Options(&world_);
  options.snapshots.age_max = kSnapshotAge;
  options.snapshots.when_too_old = SnapshotLimits::WhenTooOld::kExpire;
  auto opened = Database::Open("/db", options);
  if (!opened.ok()) return Fail("open", opened.status());
  db_ = *std::move(opened);
  // A tree of more than one page between the two keys of each thread.
  for (int n = 0; n < 30; ++n) {
    const absl::Status put = db_->Put(absl::StrFormat("k%03d", n), std::string(60, 'k'));
    if (!put.ok()) return Fail("put", put);
  }
  old_snapshot_ = db_->GetSnapshot();
  first_event_ = world_.trace_size();
}

absl::StatusOr<Lsn> GroupCase::Commit(const ThreadCommit& commit, keel::Durability durability,
                                      Way way, SeededRandom& random) {
  const std::string value =
      absl::StrFormat("%d ", commit.number) + std::string(random.Below(kPaddingMax), 'v');
  if (way == Way::kBatch) {
    WriteBatch batch;
    batch.Put(FirstKey(commit.thread), value);
    batch.Put(SecondKey(commit.thread), value);
    return db_->Write(batch, {durability});
  }
  TransactionOptions options;
  if (way != Way::kExclusive) options.concurrency = Concurrency::kOptimistic;
  if (way == Way::kSnapshotIsolation) options.isolation = Isolation::kSnapshot;
  KEEL_ASSIGN_OR_RETURN(Transaction transaction, db_->Begin(options));
  KEEL_RETURN_IF_ERROR(transaction.Get("k010").status());
  KEEL_RETURN_IF_ERROR(transaction.Put(FirstKey(commit.thread), value));
  KEEL_RETURN_IF_ERROR(transaction.Put(SecondKey(commit.thread), value));
  return transaction.Commit({durability});
}

// The snapshots of optimistic transactions expire as well; what answers so is certainly not committed.
absl::StatusOr<Lsn> GroupCase::CommitThoughItExpires(const ThreadCommit& commit,
                                                     keel::Durability durability, Way way,
                                                     SeededRandom& random) {
  absl::StatusOr<Lsn> lsn = Commit(commit, durability, way, random);
  if (beside_ != Beside::kExpiry || !absl::IsDeadlineExceeded(lsn.status())) return lsn;
  return Commit(commit, durability, way, random);
}

void GroupCase::Work(size_t thread, uint64_t seed) {
  SeededRandom random(seed);
  for (uint64_t number = 1; number <= commits_; ++number) {
    const ThreadCommit commit{thread, number};
    auto durability = static_cast<keel::Durability>(random.Below(3));
    if (thread == 0 && number == 1) durability = keel::Durability::kSync;
    const Way way = static_cast<Way>(random.Below(kWays));
    world_.Mark(EncodeThreadBegun(commit));
    const absl::StatusOr<Lsn> lsn = CommitThoughItExpires(commit, durability, way, random);
    if (!lsn.ok()) return Fail("commit", lsn.status());
    if (durability == keel::Durability::kSync) world_.Mark(EncodeThreadDurable(commit));
    absl::MutexLock lock(&mutex_);
    lsns_[thread].push_back(*lsn);
  }
}

absl::Status GroupCase::DoBeside() {
  switch (beside_) {
    case Beside::kNothing:
      return absl::OkStatus();
    case Beside::kCheckpoint:
      return db_->Checkpoint();
    case Beside::kBackground:
      return db_->RunBackgroundWork();
    case Beside::kExpiry:
      world_.clock().Sleep(2 * kSnapshotAge);
      return db_->RunBackgroundWork();
    case Beside::kSnapshots:
      return ReadSnapshots();
  }
  return absl::OkStatus();
}

// Each shows whole commits, and at least those that had returned before it was taken, or that the one before showed.
// Which of them belong together is known only once all have returned.
absl::Status GroupCase::ReadSnapshots() {
  Held least(threads_);
  for (int n = 0; n < 6; ++n) {
    {
      absl::MutexLock lock(&mutex_);
      for (size_t thread = 0; thread < threads_; ++thread) {
        least[thread] = std::max<uint64_t>(least[thread], lsns_[thread].size());
      }
    }
    const Snapshot snapshot = db_->GetSnapshot();
    KEEL_ASSIGN_OR_RETURN(Held held, ReadHeld(snapshot, threads_));
    for (size_t thread = 0; thread < threads_; ++thread) {
      if (held[thread] < least[thread]) Fail("a snapshot misses what had been committed before it");
    }
    least = held;
    snapshots_.push_back(std::move(held));
  }
  return absl::OkStatus();
}

void GroupCase::JudgeSnapshots() {
  absl::MutexLock lock(&mutex_);
  for (const Held& held : snapshots_) {
    const std::string wrong = JudgeOrder(held, lsns_);
    if (!wrong.empty() && violation_.empty()) violation_ = "a snapshot: " + wrong;
  }
}

// All has returned, and nothing is lost: the database shows everything, the old snapshot nothing of it.
absl::Status GroupCase::JudgeTheLiving() {
  JudgeSnapshots();
  KEEL_ASSIGN_OR_RETURN(const Held held, ReadHeld(*db_, threads_));
  if (held != Held(threads_, commits_)) return absl::DataLossError("a commit is not to be seen");
  if (!old_snapshot_->status().ok()) return absl::OkStatus();
  KEEL_ASSIGN_OR_RETURN(const Held old, ReadHeld(*old_snapshot_, threads_));
  if (old != Held(threads_)) return absl::DataLossError("an old snapshot shows a later commit");
  return absl::OkStatus();
}

// Called before every I/O step. The first thread's chosen one waits until all others wait for it, or are done: so they
// are in line together when it goes on.
void GroupCase::Meet() {
  if (std::this_thread::get_id() != stopped_thread_.load()) {
    ++other_steps_;
    return;
  }
  if (steps_++ != stop_at_) return;
  go_.Notify();
  uint64_t seen = ~uint64_t{0};
  bool done = false;
  while (!done && seen != other_steps_.load()) {
    seen = other_steps_.load();
    done = others_done_.WaitForNotificationWithTimeout(kStuck);
  }
}

// The threads that commit, from the first one on, and the one beside them.
void GroupCase::Begin(std::vector<std::thread>& threads, size_t first,
                      std::atomic<size_t>* running) {
  *running = threads_ - first + 1;
  const auto add = [&](auto work) {
    threads.emplace_back([this, work, running] {
      go_.WaitForNotification();
      work();
      if (--*running == 0) others_done_.Notify();
    });
  };
  for (size_t thread = first; thread < threads_; ++thread) {
    add([this, thread, seed = random_.Next()] { Work(thread, seed); });
  }
  add([this] {
    const absl::Status status = DoBeside();
    if (!status.ok()) Fail("beside the commits", status);
  });
}

// While somebody has the writer lock.
void GroupCase::CommitInLine() {
  absl::StatusOr<Transaction> holder = db_->Begin();
  if (!holder.ok()) return Fail("begin", holder.status());
  std::vector<std::thread> threads;
  std::atomic<size_t> running;
  Begin(threads, 0, &running);
  go_.Notify();
  uint64_t waiting = 0;
  for (int look = 0; look < kLooksMax; ++look) {
    if (others_done_.WaitForNotificationWithTimeout(kStuck)) break;
    const uint64_t now = db_->Stats().commits.waiting;
    if (now > 1 && now == waiting) break;
    waiting = now;
  }
  holder->Rollback();
  for (std::thread& thread : threads) thread.join();
}

// While one of them is stopped at an I/O step.
void GroupCase::CommitBesideAStoppedOne() {
  stop_at_ = random_.Below(kStepsToStopAt);
  stopped_thread_ = std::this_thread::get_id();
  world_.set_observer([this](const Call&) { Meet(); });
  std::vector<std::thread> threads;
  std::atomic<size_t> running;
  Begin(threads, 1, &running);
  Work(0, random_.Next());
  tally_->Met("one thread was stopped while others committed", go_.HasBeenNotified());
  if (!go_.HasBeenNotified()) go_.Notify();
  for (std::thread& thread : threads) thread.join();
  world_.set_observer(nullptr);
}

void GroupCase::CommitAll() {
  if (random_.OneIn(2)) {
    CommitInLine();
  } else {
    CommitBesideAStoppedOne();
  }
}

void GroupCase::CutPowerEverywhere(const Stop& stop) {
  // A clean close made all of it durable.
  absl::StatusOr<Held> closed = Recover(world_.durability().durable());
  if (!closed.ok()) return Fail("after a clean close", closed.status());
  if (*closed != Held(threads_, commits_)) return Fail("a clean close has lost a commit");
  const fault_injection::Trace trace = world_.trace();
  Durability durability;
  GroupBounds bounds(threads_);
  for (size_t event = 0; event < trace.size() && violation().empty(); ++event) {
    durability.Replay(trace[event]);
    if (trace[event].kind == TraceEvent::Kind::kMark) DecodeThreadMark(trace[event].mark, &bounds);
    if (event < first_event_ || trace[event].kind == TraceEvent::Kind::kBarrier) continue;
    if (stop()) {
      ++tally_->cut_short;
      return;
    }
    ++tally_->crash_points;
    CutPower(durability, bounds, event);
  }
}

void GroupCase::CutPower(const Durability& durability, const GroupBounds& bounds, size_t event) {
  fault_injection::ForEachCrashChoice(durability, {}, random_, [&](const CrashChoice& choice) {
    for (const CrashProfile profile : kCrashProfiles) {
      if (!violation().empty()) return;
      const DiskImage image = BuildCrashImage(durability, Restrict(profile, durability, choice));
      const auto [place, is_new] = seen_.try_emplace(image.Hash());
      if (is_new) {
        ++tally_->images[static_cast<size_t>(choice.strategy)][static_cast<size_t>(profile)];
        ++tally_->recoveries[1];
        absl::StatusOr<Held> held = Recover(image);
        if (!held.ok()) {
          return Fail(
              absl::StrFormat("recovery, event %d, strategy %s, profile %s", event,
                              CrashStrategyName(choice.strategy), CrashProfileName(profile)),
              held.status());
        }
        place->second = *std::move(held);
      }
      absl::MutexLock lock(&mutex_);
      const std::string wrong = Judge(place->second, lsns_, bounds);
      if (wrong.empty()) continue;
      violation_ =
          absl::StrFormat("event %d, strategy %s, profile %s: %s", event,
                          CrashStrategyName(choice.strategy), CrashProfileName(profile), wrong);
    }
  });
}

// It works again, too.
absl::StatusOr<Held> GroupCase::Recover(const DiskImage& image) {
  SimFileSystem world({.seed = random_.Next(), .keep_trace = false}, image);
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Database> db,
                        Database::Open("/db", TinyShape().Options(&world)));
  KEEL_ASSIGN_OR_RETURN(Held held, ReadHeld(*db, threads_));
  KEEL_RETURN_IF_ERROR(db->Put("after", "1"));
  KEEL_RETURN_IF_ERROR(db->Checkpoint());
  KEEL_ASSIGN_OR_RETURN(const CheckReport report, db->Check());
  if (!report.ok()) return absl::DataLossError("check: the database is not sound");
  KEEL_RETURN_IF_ERROR(db->Close());
  return held;
}

std::string GroupCase::Run(const Stop& stop) {
  Open();
  if (violation().empty()) CommitAll();
  if (!violation().empty()) return violation();
  const absl::Status living = JudgeTheLiving();
  if (!living.ok()) return "all have returned: " + living.ToString();
  const DatabaseStats stats = db_->Stats();
  tally_->operations += threads_ * commits_;
  tally_->Met("several commits in one group", stats.commits.grouped > stats.commits.groups);
  tally_->Met("a checkpoint beside them", beside_ == Beside::kCheckpoint);
  tally_->Met("snapshots expired beside them", !old_snapshot_->status().ok());
  old_snapshot_.reset();
  const absl::Status closed = db_->Close();
  if (!closed.ok()) return "close: " + closed.ToString();
  db_.reset();
  CutPowerEverywhere(stop);
  return violation();
}

}  // namespace

std::string RunGroups(uint64_t seed, Tally* tally, const Stop& stop) {
  return GroupCase(seed, tally).Run(stop);
}

}  // namespace keel::torture
