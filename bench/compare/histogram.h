// bench/compare: how often which latency was seen.
//
//   Histogram histogram;
//   histogram.Add(1234);
//   histogram.Percentile(99.9);
//
// Buckets are log-linear, the idea of Gil Tene's HdrHistogram: every power of two is divided into equally many, so
// that the relative error is the same from nanoseconds to minutes, and adding is a shift and an increment. The whole
// distribution is kept: percentiles of merged histograms are percentiles of all, which averages of percentiles are not.

#ifndef KEEL_BENCH_COMPARE_HISTOGRAM_H_
#define KEEL_BENCH_COMPARE_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keel::compare {

class Histogram {
 public:
  // 2^bits buckets a power of two: an answer is too large by less than 2^-bits of itself (7: under 0.8 %).
  static constexpr int kDefaultBits = 7;
  explicit Histogram(int bits = kDefaultBits);

  void Add(uint64_t value, uint64_t count = 1) {
    const size_t bucket = BucketOf(value);
    if (bucket >= counts_.size()) Grow(bucket);
    counts_[bucket] += count;
    count_ += count;
    if (value > max_) max_ = value;
  }
  // REQUIRES: other has at least as many bits.
  void Merge(const Histogram& other);
  void Clear();

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }  // exact
  // The least upper bound of a bucket that at least `percent` of all values do not exceed; 0 if there are none.
  uint64_t Percentile(double percent) const;

  struct Bucket {
    uint64_t upper = 0;  // the largest value that falls in it
    uint64_t count = 0;
  };
  // Those that are not empty, in ascending order.
  std::vector<Bucket> buckets() const;

 private:
  size_t BucketOf(uint64_t value) const;
  uint64_t UpperOf(size_t bucket) const;
  void Grow(size_t bucket);

  int bits_;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_HISTOGRAM_H_
