#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "bench/compare/insert_counter.h"
#include "bench/compare/permutation.h"
#include "bench/compare/random.h"
#include "bench/compare/statistics.h"
#include "bench/compare/zipfian.h"
#include "tests/support/seed.h"

namespace keel::compare {
namespace {

constexpr uint64_t kDraws = 200'000;

std::vector<double> Shares(uint64_t count, auto draw) {
  std::vector<double> shares(count);
  for (uint64_t n = 0; n < kDraws; ++n) shares.at(draw()) += 1.0 / kDraws;
  return shares;
}

TEST(ZipfianTest, DrawsTheFrequentOnesAsOftenAsItShould) {
  constexpr uint64_t kCount = 1000;
  Random random(testing::TestSeed());
  const Zipfian zipfian(kCount);
  const std::vector<double> shares = Shares(kCount, [&] { return zipfian.Draw(random); });
  double zeta = 0;
  for (uint64_t k = 1; k <= kCount; ++k) {
    zeta += std::pow(static_cast<double>(k), -Zipfian::kTheta);
  }
  EXPECT_NEAR(shares[0], 1 / zeta, 0.01);
  EXPECT_NEAR(shares[1], std::pow(2, -Zipfian::kTheta) / zeta, 0.01);
  double first_tenth = 0;
  double expected = 0;
  for (uint64_t k = 1; k <= kCount / 10; ++k) {
    first_tenth += shares[k - 1];
    expected += std::pow(static_cast<double>(k), -Zipfian::kTheta) / zeta;
  }
  EXPECT_NEAR(first_tenth, expected, 0.03);
}

TEST(ZipfianTest, StaysWithinSmallRanges) {
  Random random(testing::TestSeed());
  for (const uint64_t count : {1u, 2u, 3u}) {
    const Zipfian zipfian(count);
    const ScrambledZipfian scrambled(count);
    for (int n = 0; n < 10'000; ++n) {
      EXPECT_LT(zipfian.Draw(random), count);
      EXPECT_LT(scrambled.Draw(random), count);
    }
  }
}

TEST(ZipfianTest, ScrambledHasItsFrequentOnesAnywhere) {
  constexpr uint64_t kCount = 10'000;
  Random random(testing::TestSeed());
  const ScrambledZipfian zipfian(kCount);
  const std::vector<double> shares = Shares(kCount, [&] { return zipfian.Draw(random); });
  // The most frequent of ten thousand million has 1/26.469 of all, wherever it is; halves have about half each.
  EXPECT_NEAR(*std::max_element(shares.begin(), shares.end()), 1 / 26.469, 0.005);
  double first_half = 0;
  for (uint64_t n = 0; n < kCount / 2; ++n) first_half += shares[n];
  EXPECT_NEAR(first_half, 0.5, 0.2);
}

TEST(ZipfianTest, RepeatsFromASeed) {
  const ScrambledZipfian zipfian(1000);
  Random one(7);
  Random other(7);
  for (int n = 0; n < 1000; ++n) EXPECT_EQ(zipfian.Draw(one), zipfian.Draw(other));
}

TEST(RandomTest, IsUniform) {
  constexpr uint64_t kCount = 10;
  Random random(testing::TestSeed());
  for (const double share : Shares(kCount, [&] { return random.Below(kCount); })) {
    EXPECT_NEAR(share, 1.0 / kCount, 0.01);
  }
}

TEST(PermutationTest, HasEachNumberOnce) {
  for (const uint64_t count : {1u, 2u, 3u, 64u, 65u, 1000u, 4097u}) {
    const Permutation permutation(count, testing::TestSeed());
    std::set<uint64_t> seen;
    for (uint64_t n = 0; n < count; ++n) seen.insert(permutation.At(n));
    EXPECT_EQ(seen.size(), count);
    EXPECT_EQ(*seen.rbegin(), count - 1);
  }
}

TEST(InsertCounterTest, TellsUpToWhereAllAreThere) {
  InsertCounter counter(100);
  EXPECT_EQ(counter.limit(), 100u);
  EXPECT_EQ(counter.Next(), 100u);
  EXPECT_EQ(counter.Next(), 101u);
  EXPECT_EQ(counter.Next(), 102u);
  counter.Acknowledge(101);
  EXPECT_EQ(counter.limit(), 100u);
  counter.Acknowledge(100);
  EXPECT_EQ(counter.limit(), 102u);
  counter.Acknowledge(102);
  EXPECT_EQ(counter.limit(), 103u);
}

TEST(StatisticsTest, MedianIsTheMiddle) {
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({9, 1, 2}), 2);
  EXPECT_EQ(Median({9, 1, 2, 4}), 3);
}

}  // namespace
}  // namespace keel::compare
