// Requests of a simulated file system that are carried out one after the other, in an order drawn
// by lot.

#ifndef KEEL_FAULT_INJECTION_SIM_QUEUE_H_
#define KEEL_FAULT_INJECTION_SIM_QUEUE_H_

#include <cstddef>
#include <span>
#include <vector>

#include "fault_injection/sim_file_system.h"

namespace keel::fault_injection {

// A request begins at any time after its submission and completes at any time after that: what
// Submit was given waits until Wait asks for more than has completed. A sync covers what had been
// carried out when it is, never more than the requests before it in this order.
class SimQueue final : public io::IoQueue {
 public:
  SimQueue(SimFileSystem* world, size_t depth) : world_(world), depth_(depth) {}
  ~SimQueue() override;

  size_t depth() const override { return depth_; }
  size_t pending() const override { return waiting_.size() + completed_.size(); }
  absl::Status Submit(std::span<const io::IoRequest> requests) override;
  absl::Status Wait(size_t count, std::vector<io::IoCompletion>* completions) override;

 private:
  void CarryOutOne();

  SimFileSystem* const world_;
  const size_t depth_;
  std::vector<io::IoRequest> waiting_;
  std::vector<io::IoCompletion> completed_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_SIM_QUEUE_H_
