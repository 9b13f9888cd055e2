// One thread of many that use a database: it reads and moves money until it is told to stop or its life is over.

#ifndef KEEL_TESTS_SOAK_WORKER_H_
#define KEEL_TESTS_SOAK_WORKER_H_

#include <absl/synchronization/notification.h>
#include <keel/keel.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "fault_injection/mix.h"

namespace keel::testing {

// How a worker writes.
enum class Way : uint8_t { kOptimistic, kExclusive, kSingle };
inline constexpr std::array<std::string_view, 3> kWayNames = {"optimistic", "exclusive", "single"};
// Percent of the operations that read.
inline constexpr std::array kReadShares = {80, 95, 50};

// What all workers of one kind have done. Each thread adds to it.
struct Figures {
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> conflicts{0};  // attempts that came to nothing
  std::atomic<int64_t> longest_ns{0};  // of the operations that have ended
};

class Worker {
 public:
  struct Task {
    Database* database = nullptr;
    uint64_t accounts = 0;
    Way way = Way::kOptimistic;
    int read_share = 0;
    uint64_t seed = 0;
    uint64_t operations = 0;  // of its life
    Figures* figures = nullptr;
    const std::atomic<bool>* stop = nullptr;
  };

  explicit Worker(const Task& task);
  ~Worker();

  // Any thread may ask.
  bool done() const { return done_.HasBeenNotified(); }
  // Whether it has ended within that time.
  bool WaitUntilDone(absl::Duration patience) const {
    return done_.WaitForNotificationWithTimeout(patience);
  }
  // How long the operation under way has taken so far; zero once it has ended.
  absl::Duration stalled() const;
  const Task& task() const { return task_; }
  // Why it ended early. REQUIRES: done().
  const absl::Status& status() const { return status_; }

 private:
  void Live();
  absl::Status Read();
  absl::Status Write();
  absl::Status Transfer(Concurrency concurrency);
  absl::Status Touch();
  uint64_t AnyAccount();

  const Task task_;
  fault_injection::SeededRandom random_;
  std::string label_;
  std::atomic<int64_t> begun_ns_;  // the operation under way
  absl::Notification done_;
  absl::Status status_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_SOAK_WORKER_H_
