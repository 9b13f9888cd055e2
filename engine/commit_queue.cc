#include "engine/commit_queue.h"

#include "base/check.h"

namespace keel::engine {

CommitQueue::Turn CommitQueue::Enter(Member* member, absl::Duration deadline) {
  {
    absl::MutexLock lock(&mutex_);
    parking_.Assign(&member->place_, RowOf(*member));
    line_.push_back(member);
    if (line_.size() == 1) LetNextLead();
  }
  if (!AwaitUntil(member, deadline)) {
    absl::MutexLock lock(&mutex_);
    if (member->state_ == Member::State::kWaiting) {
      std::erase(line_, member);
      return Turn::kTimedOut;
    }
  }
  // Once it is taken its outcome is being decided, and is waited for.
  parking_.Wait(&member->place_);
  return member->state_ == Member::State::kLeading ? Turn::kLead : Turn::kAnswered;
}

// Who enters between two groups is likely to be answered as one, if it asks for the same: who waits for the disk is not
// to be woken by those that pass meanwhile.
uint64_t CommitQueue::RowOf(const Member& member) const {
  return 2 * groups_ + (member.durability() == Durability::kSync ? 1 : 0);
}

// Until it leads or is answered. False: that has not happened yet, and the time is over.
bool CommitQueue::AwaitUntil(Member* member, absl::Duration deadline) {
  if (deadline == absl::InfiniteDuration()) return true;
  for (absl::Duration now = clock_->Now(); now < deadline; now = clock_->Now()) {
    if (parking_.WaitFor(&member->place_, deadline - now)) return true;
  }
  return member->place_.woken();
}

CommitQueue::Group CommitQueue::TakeGroup(Member* leader) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(!line_.empty() && line_.front() == leader);
  Group group{leader};
  size_t bytes = leader->bytes();
  auto stays = line_.begin();
  for (Member* const member : line_) {
    if (member == leader) continue;
    const bool room = group.size() < kMembersMax && bytes + member->bytes() <= group_bytes_max_;
    if (!room || member->durability() != leader->durability()) {
      *stays++ = member;
      continue;
    }
    bytes += member->bytes();
    member->state_ = Member::State::kTaken;
    group.push_back(member);
  }
  line_.erase(stays, line_.end());
  ++groups_;
  members_ += group.size();
  LetNextLead();
  return group;
}

void CommitQueue::Leave(Member* leader) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(!line_.empty() && line_.front() == leader);
  line_.erase(line_.begin());
  LetNextLead();
}

void CommitQueue::LetNextLead() {
  if (line_.empty()) return;
  line_.front()->state_ = Member::State::kLeading;
  parking_.Wake(&line_.front()->place_);
}

// Without the mutex: its thread waits at its place, and nobody else knows a member that was taken (Q1).
void CommitQueue::Answer(const Group& group, const Member* leader) {
  io::ParkingLot::Waking waking(&parking_);
  for (Member* const member : group) {
    if (member != leader) waking.Add(&member->place_);
  }
}

CommitQueue::Figures CommitQueue::figures() const {
  absl::MutexLock lock(&mutex_);
  const uint64_t alone = alone_.load(std::memory_order_relaxed);
  return {groups_ + alone, members_ + alone, line_.size()};
}

}  // namespace keel::engine
