#include "bench/compare/zipfian.h"

#include <cmath>

namespace keel::compare {
namespace {

constexpr uint64_t kScrambledRanks = 10'000'000'000;
// The sum of 1 / k^0.99 for k in [1, kScrambledRanks], which takes minutes to add up.
constexpr double kScrambledZeta = 26.46902820178302;

double Zeta(uint64_t count, double theta) {
  double sum = 0;
  for (uint64_t k = 1; k <= count; ++k) sum += std::pow(static_cast<double>(k), -theta);
  return sum;
}

uint64_t Fnv1a(uint64_t number) {
  uint64_t hash = 0xcbf29ce484222325;
  for (int byte = 0; byte < 8; ++byte) {
    hash = (hash ^ (number & 0xff)) * 0x100000001b3;
    number >>= 8;
  }
  return hash;
}

}  // namespace

Zipfian::Zipfian(uint64_t count) : Zipfian(count, Zeta(count, kTheta)) {}

Zipfian::Zipfian(uint64_t count, double zeta)
    : count_(count),
      zeta_(zeta),
      half_power_(std::pow(0.5, kTheta)),
      alpha_(1 / (1 - kTheta)),
      eta_((1 - std::pow(2 / static_cast<double>(count), 1 - kTheta)) /
           (1 - (1 + half_power_) / zeta)) {}

uint64_t Zipfian::Draw(Random& random) const {
  const double u = random.Unit();
  const double uz = u * zeta_;
  if (uz < 1) return 0;
  if (uz < 1 + half_power_) return count_ > 1 ? 1 : 0;
  const double rank = static_cast<double>(count_) * std::pow(eta_ * u - eta_ + 1, alpha_);
  const auto drawn = static_cast<uint64_t>(rank);
  return drawn < count_ ? drawn : count_ - 1;
}

ScrambledZipfian::ScrambledZipfian(uint64_t count)
    : count_(count), ranks_(kScrambledRanks, kScrambledZeta) {}

uint64_t ScrambledZipfian::Draw(Random& random) const {
  return Fnv1a(ranks_.Draw(random)) % count_;
}

}  // namespace keel::compare
