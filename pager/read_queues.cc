#include "pager/read_queues.h"

namespace keel::pager {

std::unique_ptr<io::IoQueue> ReadQueues::Borrow() {
  if (!make_) return nullptr;
  {
    const absl::MutexLock lock(&mutex_);
    if (lent_ == kQueues) return nullptr;
    ++lent_;
    if (!idle_.empty()) {
      std::unique_ptr<io::IoQueue> queue = std::move(idle_.back());
      idle_.pop_back();
      return queue;
    }
  }
  absl::StatusOr<std::unique_ptr<io::IoQueue>> made = make_(kDepth);
  if (made.ok()) return *std::move(made);
  const absl::MutexLock lock(&mutex_);
  --lent_;
  return nullptr;
}

void ReadQueues::GiveBack(std::unique_ptr<io::IoQueue> queue) {
  const absl::MutexLock lock(&mutex_);
  --lent_;
  if (queue != nullptr) idle_.push_back(std::move(queue));
}

}  // namespace keel::pager
