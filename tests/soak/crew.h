// Many workers at a time. One whose life is over is replaced by another, so that threads come and go all the while.

#ifndef KEEL_TESTS_SOAK_CREW_H_
#define KEEL_TESTS_SOAK_CREW_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fault_injection/mix.h"
#include "tests/soak/worker.h"

namespace keel::testing {

// Used by one thread.
class Crew {
 public:
  struct Options {
    Database* database = nullptr;
    uint64_t accounts = 0;
    size_t threads = 256;
    uint64_t seed = 0;
    uint64_t life_operations = 2000;  // of a worker, on average
  };

  explicit Crew(const Options& options);
  // Workers end what they are at.
  ~Crew();

  // Replaces those that have ended. Their first error, if there was one.
  absl::Status Renew();
  // Ends all of them. DeadlineExceeded: some have not ended in time, and this must not be destroyed.
  absl::Status Stop(absl::Duration patience);

  struct Longest {
    absl::Duration time = absl::ZeroDuration();
    std::string whose;
  };
  // The longest of all operations, those under way included, and whose it is.
  Longest LongestOperation() const;
  uint64_t threads_begun() const { return threads_begun_; }
  uint64_t operations() const;
  // A line for each kind of worker.
  std::string Describe() const;

 private:
  static constexpr size_t kKinds = kWayNames.size() * kReadShares.size();

  void Begin(size_t slot);
  static std::string NameOf(size_t kind);

  const Options options_;
  fault_injection::SeededRandom random_;
  std::array<Figures, kKinds> figures_;
  std::atomic<bool> stop_{false};
  uint64_t threads_begun_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;  // last: they use all of the above
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_SOAK_CREW_H_
