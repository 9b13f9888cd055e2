#include "tests/soak/resident_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace keel::testing {
namespace {

uint64_t Median(std::vector<uint64_t> samples) {
  const auto middle = samples.begin() + static_cast<ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

}  // namespace

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    uint64_t kibibytes = 0;
    if (word == "VmRSS:" && file >> kibibytes) return kibibytes << 10;
  }
  return 0;
}

uint64_t MemoryTrend::peak() const {
  return samples_.empty() ? 0 : *std::max_element(samples_.begin(), samples_.end());
}

bool MemoryTrend::Tells() const {
  return samples_.size() >= 2 * kParts && std::ranges::find(samples_, 0U) == samples_.end();
}

double MemoryTrend::SpreadOfSecondHalf() const {
  const size_t part = samples_.size() / 2 / kParts;
  std::vector<uint64_t> medians;
  medians.reserve(kParts);
  for (size_t n = 0; n < kParts; ++n) {
    const auto begin = samples_.end() - static_cast<ptrdiff_t>((kParts - n) * part);
    medians.push_back(Median({begin, begin + static_cast<ptrdiff_t>(part)}));
  }
  const auto [least, most] = std::minmax_element(medians.begin(), medians.end());
  return static_cast<double>(*most) / static_cast<double>(*least) - 1;
}

}  // namespace keel::testing
