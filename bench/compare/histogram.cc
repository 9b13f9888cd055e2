#include "bench/compare/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace keel::compare {

Histogram::Histogram(int bits) : bits_(bits) { KEEL_CHECK(bits >= 1 && bits <= 16); }

// Values under 2^(bits+1) have a bucket each. Above, the value is shifted until its highest bit is that of 2^bits, and
// each shift has 2^bits buckets of its own.
size_t Histogram::BucketOf(uint64_t value) const {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - 1 - bits_);
  return (static_cast<size_t>(shift) << bits_) + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::UpperOf(size_t bucket) const {
  if (bucket < (size_t{2} << bits_)) return bucket;
  const size_t shift = (bucket >> bits_) - 1;
  const uint64_t head = bucket - (shift << bits_);
  return ((head + 1) << shift) - 1;
}

void Histogram::Grow(size_t bucket) { counts_.resize(bucket + (size_t{1} << bits_)); }

void Histogram::Merge(const Histogram& other) {
  KEEL_CHECK(other.bits_ >= bits_);
  for (const Bucket& bucket : other.buckets()) {
    Add(std::min(bucket.upper, other.max_), bucket.count);
  }
}

void Histogram::Clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  max_ = 0;
}

uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(percent / 100 * static_cast<double>(count_));
  const uint64_t rank = std::clamp(static_cast<uint64_t>(wanted), uint64_t{1}, count_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(UpperOf(bucket), max_);
  }
  return max_;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> filled;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    if (counts_[bucket] > 0) filled.push_back({UpperOf(bucket), counts_[bucket]});
  }
  return filled;
}

}  // namespace keel::compare
