#include "engine/commit_queue.h"

#include "base/check.h"

namespace keel::engine {

CommitQueue::Turn CommitQueue::Enter(Member* member, absl::Duration deadline) {
  absl::MutexLock lock(&mutex_);
  line_.push_back(member);
  if (line_.size() == 1) LetNextLead();
  while (member->state_ == Member::State::kWaiting || member->state_ == Member::State::kTaken) {
    // Once it is taken its outcome is being decided, and is waited for.
    if (deadline == absl::InfiniteDuration() || member->state_ == Member::State::kTaken) {
      member->changed_.Wait(&mutex_);
      continue;
    }
    const absl::Duration now = clock_->Now();
    if (now >= deadline) {
      line_.remove(member);
      return Turn::kTimedOut;
    }
    member->changed_.WaitWithTimeout(&mutex_, deadline - now);
  }
  return member->state_ == Member::State::kLeading ? Turn::kLead : Turn::kAnswered;
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
  line_.front()->changed_.Signal();
}

void CommitQueue::Answer(const Group& group, const Member* leader) {
  absl::MutexLock lock(&mutex_);
  for (Member* const member : group) {
    if (member == leader) continue;
    member->state_ = Member::State::kAnswered;
    member->changed_.Signal();
  }
}

CommitQueue::Figures CommitQueue::figures() const {
  absl::MutexLock lock(&mutex_);
  const uint64_t alone = alone_.load(std::memory_order_relaxed);
  return {groups_ + alone, members_ + alone, line_.size()};
}

}  // namespace keel::engine
