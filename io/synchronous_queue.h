// A queue that performs each request at once.

#ifndef KEEL_IO_SYNCHRONOUS_QUEUE_H_
#define KEEL_IO_SYNCHRONOUS_QUEUE_H_

#include <cstddef>
#include <span>
#include <vector>

#include "io/file_system.h"

namespace keel::io {

// Carries out one request at once. REQUIRES: it has a file.
IoCompletion Perform(const IoRequest& request);

// For files of every kind. Nothing is ever under way; completions wait to be reaped.
class SynchronousQueue final : public IoQueue {
 public:
  explicit SynchronousQueue(size_t depth) : depth_(depth) {}

  size_t depth() const override { return depth_; }
  size_t pending() const override { return completed_.size(); }
  absl::Status Submit(std::span<const IoRequest> requests) override;
  absl::Status Wait(size_t count, std::vector<IoCompletion>* completions) override;

 private:
  const size_t depth_;
  std::vector<IoCompletion> completed_;
};

}  // namespace keel::io

#endif  // KEEL_IO_SYNCHRONOUS_QUEUE_H_
