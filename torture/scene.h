// Two threads of campaign F (torture/schedule.h): what they do, and how they meet.

#ifndef KEEL_TORTURE_SCENE_H_
#define KEEL_TORTURE_SCENE_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>
#include <keel/keel.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "fault_injection/disk_image.h"
#include "fault_injection/mix.h"
#include "fault_injection/sim_file_system.h"
#include "torture/history.h"
#include "torture/ledger.h"
#include "torture/shape.h"
#include "torture/tally.h"

namespace keel::torture {

// What one of the threads does.
enum class Act : uint8_t {
  kCommitSync,
  kCommitNone,
  kOptimistic,   // through the queue of commits
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
inline constexpr std::array kActs = {Act::kCommitSync, Act::kCommitNone,  Act::kOptimistic,
                                     Act::kHugeCommit, Act::kManyCommits, Act::kDeleteAll,
                                     Act::kCheckpoint, Act::kBackground,  Act::kLateSync,
                                     Act::kSnapshot,   Act::kEndSnapshot, Act::kExpire};
inline constexpr std::array<std::string_view, kActs.size()> kActNames = {
    "a durable commit",      "a commit",
    "an optimistic commit",  "a huge commit",
    "many commits",          "a delete of everything",
    "a checkpoint",          "background",
    "a late sync",           "a new snapshot",
    "the end of a snapshot", "expiry of snapshots",
};

inline std::string_view ActName(Act act) { return kActNames[static_cast<size_t>(act)]; }

// How long a snapshot may live: longer, in the world's time, than a case without expiry takes.
inline constexpr absl::Duration kSnapshotAge = absl::Hours(1);

class Scene {
 public:
  Scene(uint64_t seed, Act carrier, Act intruder, Tally* tally);

  // The carrier alone: how many steps it has.
  absl::StatusOr<uint64_t> Rehearse();
  // The same, with the intruder at this step of it.
  std::string Run(uint64_t step);

 private:
  void OpenAndFill();
  void Carry();
  void Perform(Act act, uint64_t seed);
  enum class What : uint8_t { kFew, kHuge, kDeleteAll };
  Ledger::Changes MakeChanges(fault_injection::SeededRandom& random, uint64_t number,
                              What what) const;
  void Commit(fault_injection::SeededRandom& random, Durability durability, What what);
  void CommitOptimistically(fault_injection::SeededRandom& random);
  void ReadSnapshot(const Snapshot& snapshot);
  void Meet(const fault_injection::Call& call);
  void CutPower();
  void Recover(fault_injection::DiskImage image, const History& history, uint64_t seed);
  void Fail(std::string_view what, const absl::Status& status = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  // Either thread may have met it.
  void Met(const std::string& rare_state, bool met) ABSL_LOCKS_EXCLUDED(mutex_);
  std::string violation() ABSL_LOCKS_EXCLUDED(mutex_);

  fault_injection::SeededRandom random_;
  const Shape shape_;
  const Act carrier_;
  const Act intruder_;
  std::optional<uint64_t> step_;  // at which the carrier is stopped
  Tally* const tally_;            // its rare states by way of Met
  fault_injection::SimFileSystem world_;
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

}  // namespace keel::torture

#endif  // KEEL_TORTURE_SCENE_H_
