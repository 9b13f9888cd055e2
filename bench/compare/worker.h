// bench/compare: one thread that makes the calls of a mix and takes their time.

#ifndef KEEL_BENCH_COMPARE_WORKER_H_
#define KEEL_BENCH_COMPARE_WORKER_H_

#include <absl/status/status.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/compare/histogram.h"
#include "bench/compare/key_chooser.h"
#include "bench/compare/mix.h"
#include "bench/compare/random.h"
#include "bench/compare/rows.h"
#include "bench/compare/store.h"
#include "bench/compare/timeline.h"

namespace keel::compare {

// What the workers of a run share.
struct Work {
  const Mix& mix;
  const Rows& rows;
  KeyChooser& keys;
  Store& store;
  Timeline* timeline = nullptr;  // if seconds are kept
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> begin_ns = 0;
};

class Worker {
 public:
  Worker(Work* work, std::unique_ptr<Session> session, uint64_t seed);

  // Until the work is stopped, or a call fails, which stops all.
  void Run();

  // Once it has run.
  const absl::Status& status() const { return status_; }
  uint64_t operations() const { return operations_; }
  uint64_t rows_written() const { return rows_written_; }
  const Histogram& latencies() const { return latencies_; }

 private:
  void RunTimed();
  void EndSecond(size_t next_second);
  void Fail(const absl::Status& status);

  Call NextCall() { return only_call_ ? *only_call_ : DrawCall(); }
  Call DrawCall();
  uint64_t NextSlot() { return work_->keys.Choose(random_, &place_); }
  absl::Status Make(Call call);
  absl::Status Read();
  absl::Status Update();
  absl::Status Insert();
  absl::Status Scan();
  absl::Status ReadModifyWrite();
  absl::Status ReadMany(Call call);
  absl::Status Tickets();
  void Look(uint64_t slot, std::string_view value);
  void LookClosely(uint64_t slot, std::string_view value);

  Work* const work_;
  const std::unique_ptr<Session> session_;
  Random random_;
  std::string value_;
  std::vector<uint64_t> slots_;
  std::vector<Key> keys_;
  std::vector<std::string_view> key_views_;

  absl::Status status_;
  std::optional<Call> only_call_;  // of a mix of one
  uint64_t until_timed_ = 1;       // calls
  uint64_t place_;                 // in the chooser's draws
  uint64_t operations_ = 0;
  uint64_t rows_written_ = 0;
  uint64_t reads_ = 0;
  uint64_t folded_ = 0;  // of all values that were read: their reading cannot be left out
  bool wrong_ = false;
  Histogram latencies_;

  // Of the second that runs, if there is a timeline.
  size_t second_ = 0;
  uint64_t operations_before_second_ = 0;
  Histogram second_latencies_{Timeline::kBits};
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_WORKER_H_
