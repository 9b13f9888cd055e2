// Who applies the commits that wait for the writer lock: the first in line, for all that may go with it.
//
// A thread that commits enters the queue. The first in line leads: it alone waits for the writer lock, and when it has
// it takes along whoever waits behind it and may be committed together with it. Meanwhile the next in line leads those
// that are left. Who finds the writer lock free goes past the queue.
//
//   Q1  A member is answered exactly once, by who leads it, or leaves before it was taken.
//   Q2  While the queue has members that were not taken, the first of them leads, and no other.
//   Q3  Members of one group ask for the same durability: a group is seen as one, and a commit that waits for the disk
//       must not be seen before it is on it, nor one wait for the disk that need not.
//   Q4  Nobody is overtaken without end: who is first leads, whatever others may go together with.

#ifndef KEEL_ENGINE_COMMIT_QUEUE_H_
#define KEEL_ENGINE_COMMIT_QUEUE_H_

#include <absl/base/thread_annotations.h>
#include <absl/container/inlined_vector.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <keel/lsn.h>
#include <keel/options.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "io/clock.h"
#include "io/parking_lot.h"

namespace keel::engine {

// Thread-safe. Time is the injected clock's; waiting itself is the operating system's.
class CommitQueue {
 public:
  // A commit on its way; on its thread's stack.
  class Member {
   public:
    // `apply` makes the changes in the working state. It is called under the writer lock by whoever leads, and again,
    // on a state that has nothing of it, if the group is begun anew. `bytes`: of its records.
    // `label` names the commit to others.
    Member(absl::FunctionRef<absl::Status()> apply, Durability durability, size_t bytes,
           std::string_view label)
        : apply_(apply), durability_(durability), bytes_(bytes), label_(label) {}

    // Its `apply` changes one key at most, and that as the last thing it does.
    void set_one_change() { one_change_ = true; }
    bool one_change() const { return one_change_; }

    // Or several, only puts, without reading anything before them.
    void set_puts_only() { puts_only_ = true; }
    bool puts_only() const { return puts_only_; }

    absl::Status Apply() const { return apply_(); }
    Durability durability() const { return durability_; }
    size_t bytes() const { return bytes_; }
    std::string_view label() const { return label_; }

    // Set by who leads, between taking and answering.
    absl::StatusOr<Lsn> answer;  // Unknown until then
    bool logged = false;         // it has changed something
    bool durable = false;        // or failed: nothing is left to wait for

   private:
    friend class CommitQueue;
    enum class State : uint8_t { kWaiting, kLeading, kTaken };

    const absl::FunctionRef<absl::Status()> apply_;
    const Durability durability_;
    const size_t bytes_;
    const std::string_view label_;
    bool one_change_ = false;
    bool puts_only_ = false;
    State state_ = State::kWaiting;  // changed under the queue's mutex
    io::ParkingLot::Place place_;    // woken when it leads, or is answered
  };

  // In their order, the leader first.
  using Group = absl::InlinedVector<Member*, 16>;

  // Groups have at most `group_bytes_max` of records; a member of more is a group of its own.
  CommitQueue(io::Clock* clock, size_t group_bytes_max)
      : clock_(clock), group_bytes_max_(group_bytes_max) {}

  enum class Turn : uint8_t {
    kLead,      // TakeGroup, or Leave, has to follow
    kAnswered,  // member.answer is there
    kTimedOut,  // nobody has taken it, and nobody will
  };
  // Gets in line, and waits for one of these. `deadline` is a time of the clock.
  Turn Enter(Member* member, absl::Duration deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // The leader and those it takes along. They leave the queue; the next in line leads it from now on.
  // REQUIRES: `leader` leads, and holds the writer lock.
  Group TakeGroup(Member* leader) ABSL_LOCKS_EXCLUDED(mutex_);
  // A commit went past the queue: its thread found the writer lock free.
  void CountAlone() { alone_.fetch_add(1, std::memory_order_relaxed); }
  // The leader could not get the lock, and leaves; the next in line leads.
  void Leave(Member* leader) ABSL_LOCKS_EXCLUDED(mutex_);
  // Wakes the members, but for the leader, whose thread is the calling one. They may be gone when this returns.
  void Answer(const Group& group, const Member* leader);

  struct Figures {
    uint64_t groups = 0;
    uint64_t members = 0;  // of all groups
    uint64_t waiting = 0;  // not taken yet
  };
  Figures figures() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Members of a group at the most: bounds how long its first one waits for the others to be applied.
  static constexpr size_t kMembersMax = 1024;

  bool AwaitUntil(Member* member, absl::Duration deadline) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t RowOf(const Member& member) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LetNextLead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::Clock* const clock_;
  const size_t group_bytes_max_;
  mutable absl::Mutex mutex_;
  std::vector<Member*> line_ ABSL_GUARDED_BY(mutex_);  // not taken; the first leads (Q2)
  uint64_t groups_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t members_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<uint64_t> alone_ = 0;
  io::ParkingLot parking_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_COMMIT_QUEUE_H_
