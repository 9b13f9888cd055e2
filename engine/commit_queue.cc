#include "engine/commit_queue.h"

#include "base/check.h"

namespace keel::engine {

CommitQueue::Turn CommitQueue::Enter(Member* member, absl::Duration deadline) {
  {
    absl::MutexLock lock(&mutex_);
    line_.push_back(member);
    if (line_.size() == 1) LetNextLead();
  }
  if (!AwaitUntil(member, deadline)) {
    absl::MutexLock lock(&mutex_);
    if (member->state_ == Member::State::kWaiting) {
      line_.remove(member);
      return Turn::kTimedOut;
    }
  }
  // Once it is taken its outcome is being decided, and is waited for.
  member->parker_.Wait();
  return member->state_ == Member::State::kLeading ? Turn::kLead : Turn::kAnswered;
}

// Until it leads or is answered. False: that has not happened yet, and the time is over.
bool CommitQueue::AwaitUntil(Member* member, absl::Duration deadline) {
  if (deadline == absl::InfiniteDuration()) return true;
  for (absl::Duration now = clock_->Now(); now < deadline; now = clock_->Now()) {
    if (member->parker_.WaitFor(deadline - now)) return true;
  }
  return member->parker_.woken();
}

CommitQueue::Group CommitQueue::TakeGroup(Member* leader) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(!line_.empty() && line_.front() == leader);
  line_.pop_front();
  Group group{leader};
  size_t bytes = leader->bytes();
  for (auto at = line_.begin();
       at != line_.end() && group.size() < kMembersMax && bytes < group_bytes_max_;) {
    Member* const member = *at;
    const bool fits = bytes + member->bytes() <= group_bytes_max_;
    if (!fits || member->durability() != leader->durability()) {
      ++at;
      continue;
    }
    bytes += member->bytes();
    member->state_ = Member::State::kTaken;
    group.push_back(member);
    at = line_.erase(at);
  }
  ++groups_;
  members_ += group.size();
  LetNextLead();
  return group;
}

void CommitQueue::Leave(Member* leader) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(!line_.empty() && line_.front() == leader);
  line_.pop_front();
  LetNextLead();
}

void CommitQueue::LetNextLead() {
  if (line_.empty()) return;
  line_.front()->state_ = Member::State::kLeading;
  line_.front()->parker_.Wake();
}

// Without the mutex: its thread waits for the parker, and nobody else knows a member that was taken (Q1).
void CommitQueue::Answer(const Group& group, const Member* leader) {
  for (Member* const member : group) {
    if (member == leader) continue;
    member->parker_.Wake();
  }
}

CommitQueue::Figures CommitQueue::figures() const {
  absl::MutexLock lock(&mutex_);
  const uint64_t alone = alone_.load(std::memory_order_relaxed);
  return {groups_ + alone, members_ + alone, line_.size()};
}

}  // namespace keel::engine
