#include "bench/compare/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/compare/random.h"
#include "tests/support/seed.h"

namespace keel::compare {
namespace {

// From nanoseconds to minutes, each order of magnitude as likely as the next.
std::vector<uint64_t> ManyValues() {
  Random random(testing::TestSeed());
  std::vector<uint64_t> values(100'000);
  for (uint64_t& value : values) value = static_cast<uint64_t>(std::exp2(36 * random.Unit()));
  return values;
}

TEST(HistogramTest, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Percentile(50), 0u);
  EXPECT_TRUE(histogram.buckets().empty());
}

TEST(HistogramTest, KnowsSmallValuesExactly) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Percentile(0), 1u);
  EXPECT_EQ(histogram.Percentile(50), 50u);
  EXPECT_EQ(histogram.Percentile(99), 99u);
  EXPECT_EQ(histogram.Percentile(100), 100u);
}

TEST(HistogramTest, ErrsByLessThanOnePercent) {
  std::vector<uint64_t> values = ManyValues();
  Histogram histogram;
  for (const uint64_t value : values) histogram.Add(value);
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 95.0, 99.0, 99.9, 99.99}) {
    const auto rank =
        static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto found = static_cast<double>(histogram.Percentile(percent));
    EXPECT_GE(found, exact) << percent;
    EXPECT_LE(found, exact * 1.01) << percent;
  }
  EXPECT_EQ(histogram.Percentile(100), values.back());
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(HistogramTest, TakesTheWholeRange) {
  Histogram histogram;
  histogram.Add(0);
  histogram.Add(UINT64_MAX);
  EXPECT_EQ(histogram.Percentile(50), 0u);
  EXPECT_EQ(histogram.Percentile(100), UINT64_MAX);
  ASSERT_EQ(histogram.buckets().size(), 2u);
  EXPECT_EQ(histogram.buckets()[1].upper, UINT64_MAX);
}

TEST(HistogramTest, MergedIsAsIfAddedToOne) {
  Histogram one;
  Histogram odd;
  Histogram even;
  for (const uint64_t value : ManyValues()) {
    one.Add(value);
    (value % 2 == 0 ? even : odd).Add(value);
  }
  even.Merge(odd);
  EXPECT_EQ(even.count(), one.count());
  EXPECT_EQ(even.max(), one.max());
  for (const double percent : {1.0, 50.0, 99.0, 99.9}) {
    EXPECT_EQ(even.Percentile(percent), one.Percentile(percent));
  }
}

TEST(HistogramTest, ACoarserOneKeepsCountAndMaximum) {
  Histogram fine;
  for (const uint64_t value : ManyValues()) fine.Add(value);
  Histogram coarse(4);
  coarse.Merge(fine);
  EXPECT_EQ(coarse.count(), fine.count());
  EXPECT_EQ(coarse.max(), fine.max());
  EXPECT_LT(coarse.buckets().size(), fine.buckets().size());
  EXPECT_NEAR(static_cast<double>(coarse.Percentile(50)), static_cast<double>(fine.Percentile(50)),
              0.07 * static_cast<double>(fine.Percentile(50)));
}

TEST(HistogramTest, ClearedIsEmpty) {
  Histogram histogram;
  histogram.Add(1'000'000);
  histogram.Clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_TRUE(histogram.buckets().empty());
}

}  // namespace
}  // namespace keel::compare
