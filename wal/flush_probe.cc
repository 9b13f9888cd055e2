#include "wal/flush_probe.h"

#include <algorithm>

#include "base/check.h"

namespace keel::wal {
namespace {

constexpr int kRounds = 7;
// No third round behind the one, and no second one behind the other.
constexpr absl::Duration kTimeLimit = absl::Microseconds(700);
constexpr absl::Duration kTimeLimitOfOne = absl::Milliseconds(5);
// A method has to be faster by this share to be preferred over the plain one: where data-sync writes are really better
// they save a round trip, and what is less may be the noise of so few samples.
constexpr double kClearly = 0.85;
// After so many rounds a method whose best time is as many times the best of all is tried no more.
constexpr int kRoundsToJudge = 2;
constexpr double kHopeless = 2.0;

}  // namespace

// Of two the lower: what disturbs makes slower, never faster.
absl::Duration FlushProbe::Candidate::Median() const {
  std::vector<absl::Duration> sorted = times;
  const size_t middle = (sorted.size() - 1) / 2;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<ptrdiff_t>(middle));
  return sorted[middle];
}

absl::Duration FlushProbe::Candidate::Best() const { return std::ranges::min(times); }

FlushProbe::FlushProbe(bool linked_requests) {
  candidates_.push_back({io::FlushMethod::kWriteThenSync, {}});
  candidates_.push_back({io::FlushMethod::kDataSyncWrite, {}});
  if (linked_requests) candidates_.push_back({io::FlushMethod::kLinkedRequests, {}});
}

std::optional<io::FlushMethod> FlushProbe::Next() {
  while (!over_ && next_ < candidates_.size() && candidates_[next_].hopeless) ++next_;
  if (!over_ && next_ == candidates_.size()) {
    next_ = 0;
    ++rounds_;
    over_ = Enough();
    return Next();
  }
  if (over_) return std::nullopt;
  return candidates_[next_].method;
}

void FlushProbe::Note(absl::Duration took) {
  KEEL_CHECK(next_ < candidates_.size());
  candidates_[next_++].times.push_back(took);
  taken_ += took;
}

bool FlushProbe::Enough() {
  if (rounds_ == kRounds) return true;
  if (taken_ >= (rounds_ < kRoundsToJudge ? kTimeLimitOfOne : kTimeLimit)) return true;
  return rounds_ >= kRoundsToJudge && Sift() == 1;
}

ptrdiff_t FlushProbe::Sift() {
  absl::Duration best = absl::InfiniteDuration();
  for (const Candidate& candidate : candidates_) best = std::min(best, candidate.Best());
  for (Candidate& candidate : candidates_) {
    candidate.hopeless |= candidate.Best() > best * kHopeless;
  }
  return std::ranges::count(candidates_, false, &Candidate::hopeless);
}

io::FlushMethod FlushProbe::Fastest() const {
  io::FlushMethod best = candidates_.front().method;
  if (candidates_.front().times.empty()) return best;
  absl::Duration limit = candidates_.front().Median() * kClearly;
  for (const Candidate& candidate : candidates_) {
    if (candidate.times.empty() || candidate.Median() >= limit) continue;
    best = candidate.method;
    limit = candidate.Median();
  }
  return best;
}

}  // namespace keel::wal
