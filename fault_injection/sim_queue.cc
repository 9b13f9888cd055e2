#include "fault_injection/sim_queue.h"

#include <iterator>
#include <utility>

#include "io/synchronous_queue.h"

namespace keel::fault_injection {

SimQueue::~SimQueue() {
  while (!waiting_.empty()) CarryOutOne();
}

void SimQueue::CarryOutOne() {
  const size_t chosen = world_->Draw(waiting_.size());
  const io::IoRequest request = waiting_[chosen];
  waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(chosen));
  completed_.push_back(io::Perform(request));
}

absl::Status SimQueue::Submit(std::span<const io::IoRequest> requests) {
  for (const io::IoRequest& request : requests) {
    while (waiting_.size() >= depth_) CarryOutOne();
    waiting_.push_back(request);
  }
  return absl::OkStatus();
}

absl::Status SimQueue::Wait(size_t count, std::vector<io::IoCompletion>* completions) {
  while (completed_.size() < count && !waiting_.empty()) CarryOutOne();
  std::move(completed_.begin(), completed_.end(), std::back_inserter(*completions));
  completed_.clear();
  return absl::OkStatus();
}

}  // namespace keel::fault_injection
