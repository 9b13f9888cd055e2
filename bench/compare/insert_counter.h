// bench/compare: which rows are there while several threads insert.

#ifndef KEEL_BENCH_COMPARE_INSERT_COUNTER_H_
#define KEEL_BENCH_COMPARE_INSERT_COUNTER_H_

#include <array>
#include <atomic>
#include <cstdint>

namespace keel::compare {

// Hands out the numbers of rows to insert, and tells up to which all have been: what is read must be there, though the
// threads do not finish in order (as YCSB's AcknowledgedCounterGenerator). Thread-safe, without a lock.
class InsertCounter {
 public:
  explicit InsertCounter(uint64_t first) : next_(first), limit_(first) {}

  uint64_t Next() { return next_.fetch_add(1, std::memory_order_relaxed); }

  // Row n is there. REQUIRES: fewer than kWindow rows are under way.
  void Acknowledge(uint64_t n) {
    done_[n % kWindow].store(n + 1, std::memory_order_seq_cst);
    uint64_t limit = limit_.load(std::memory_order_seq_cst);
    while (done_[limit % kWindow].load(std::memory_order_seq_cst) == limit + 1) {
      if (limit_.compare_exchange_strong(limit, limit + 1)) ++limit;
    }
  }

  // All rows before this one are there.
  uint64_t limit() const { return limit_.load(std::memory_order_acquire); }

 private:
  static constexpr uint64_t kWindow = uint64_t{1} << 14;

  std::atomic<uint64_t> next_;
  std::atomic<uint64_t> limit_;
  std::array<std::atomic<uint64_t>, kWindow> done_ = {};  // n + 1 at n % kWindow
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_INSERT_COUNTER_H_
