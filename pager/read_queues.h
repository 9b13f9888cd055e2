// Queues that readers borrow to read many pages side by side.
//
// A queue belongs to one thread at a time, and costs file descriptors and memory: so there are few, made when they
// are first wanted. Who gets none reads one page after the other.

#ifndef KEEL_PAGER_READ_QUEUES_H_
#define KEEL_PAGER_READ_QUEUES_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "io/file_system.h"

namespace keel::pager {

// Thread-safe.
class ReadQueues {
 public:
  // A queue for so many requests; may be asked at any time. Empty: there are none to be had.
  using Make = std::function<absl::StatusOr<std::unique_ptr<io::IoQueue>>(size_t depth)>;

  static constexpr size_t kQueues = 4;
  static constexpr size_t kDepth = 128;

  explicit ReadQueues(Make make) : make_(std::move(make)) {}

  // Null: all are lent, or the system has none. What was lent is given back.
  std::unique_ptr<io::IoQueue> Borrow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Null: it was destroyed, since requests were lost in it. REQUIRES: nothing pending.
  void GiveBack(std::unique_ptr<io::IoQueue> queue) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Make make_;
  absl::Mutex mutex_;
  size_t lent_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<io::IoQueue>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_READ_QUEUES_H_
