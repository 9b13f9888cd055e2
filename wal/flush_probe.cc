#include "wal/flush_probe.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "wal/frame_format.h"

namespace keel::wal {
namespace {

constexpr int kRounds = 7;
// A method has to be faster by this share to be preferred over the plain one: where data-sync writes are really better
// they save a round trip, and what is less may be the noise of so few samples.
constexpr double kClearly = 0.85;
// After so many rounds a method whose best time is as many times the best of all is tried no more.
constexpr int kRoundsToJudge = 2;
constexpr double kHopeless = 2.0;

struct Candidate {
  io::FlushMethod method;
  std::vector<absl::Duration> times;
  bool hopeless = false;

  // Of two the lower: what disturbs makes slower, never faster.
  absl::Duration Median() {
    const size_t middle = (times.size() - 1) / 2;
    std::ranges::nth_element(times, times.begin() + static_cast<ptrdiff_t>(middle));
    return times[middle];
  }
  absl::Duration Best() const { return std::ranges::min(times); }
};

std::vector<Candidate> Candidates(bool linked_requests) {
  std::vector<Candidate> candidates;
  candidates.push_back({io::FlushMethod::kWriteThenSync, {}});
  candidates.push_back({io::FlushMethod::kDataSyncWrite, {}});
  if (linked_requests) candidates.push_back({io::FlushMethod::kLinkedRequests, {}});
  return candidates;
}

// Bits that no log holds (SplitMix64).
void FillWithNoise(uint64_t seed, std::span<std::byte> bytes) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    seed += 0x9e3779b97f4a7c15U;
    uint64_t bits = seed;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
    bits ^= bits >> 31;
    std::memcpy(&bytes[at], &bits, sizeof(bits));
  }
}

// Noise over `block`, durable before the zeros that follow. Its bytes end as zeros.
absl::Status Clear(io::File* file, io::Random* random, uint64_t offset,
                   std::span<std::byte> block) {
  FillWithNoise(random->Next64(), block);
  KEEL_RETURN_IF_ERROR(file->Write(offset, block));
  KEEL_RETURN_IF_ERROR(file->Sync(io::SyncPurpose::kLogSegment));
  std::memset(block.data(), 0, block.size());
  KEEL_RETURN_IF_ERROR(file->Write(offset, block));
  return file->Sync(io::SyncPurpose::kLogSegment);
}

// Gives up those that are far behind. How many are left.
ptrdiff_t Sift(std::vector<Candidate>* candidates) {
  absl::Duration best = absl::InfiniteDuration();
  for (const Candidate& candidate : *candidates) best = std::min(best, candidate.Best());
  for (Candidate& candidate : *candidates) {
    candidate.hopeless |= candidate.Best() > best * kHopeless;
  }
  return std::ranges::count(*candidates, false, &Candidate::hopeless);
}

io::FlushMethod Fastest(std::vector<Candidate>* candidates) {
  io::FlushMethod best = candidates->front().method;
  absl::Duration limit = candidates->front().Median() * kClearly;
  for (Candidate& candidate : *candidates) {
    const absl::Duration median = candidate.Median();
    if (median >= limit) continue;
    best = candidate.method;
    limit = median;
  }
  return best;
}

// Whether there is to be no further round.
bool Enough(int rounds, absl::Duration taken, const FlushProbeOptions& options) {
  if (rounds == 0) return false;
  return rounds == kRounds ||
         taken >= (rounds < kRoundsToJudge ? options.time_limit_of_one : options.time_limit);
}

}  // namespace

absl::StatusOr<io::FlushMethod> ProbeFlushMethod(io::File* file, io::Clock* clock,
                                                 io::Random* random,
                                                 const FlushProbeOptions& options) {
  AlignedBuffer zeros = AlignedBuffer::Allocate(options.block_bytes);
  if (zeros.empty()) return absl::ResourceExhaustedError("no memory for the flush probe");
  std::memset(zeros.data(), 0, zeros.size());
  const uint64_t offset = options.offset + options.bytes;
  if (options.block_bytes > kLogBlockBytes) {
    KEEL_RETURN_IF_ERROR(Clear(file, random, offset, zeros.span()));
  }
  std::vector<Candidate> candidates = Candidates(options.linked_requests);
  const absl::Duration begin = clock->Now();
  for (int rounds = 0; !Enough(rounds, clock->Now() - begin, options); ++rounds) {
    if (rounds >= kRoundsToJudge && Sift(&candidates) == 1) break;
    for (Candidate& candidate : candidates) {
      if (candidate.hopeless) continue;
      const absl::Duration before = clock->Now();
      const io::FlushOutcome outcome =
          file->WriteThenSync(offset, zeros.span(), io::SyncPurpose::kLogSegment, candidate.method);
      KEEL_RETURN_IF_ERROR(outcome.write);
      KEEL_RETURN_IF_ERROR(outcome.sync);
      candidate.times.push_back(clock->Now() - before);
    }
  }
  return Fastest(&candidates);
}

}  // namespace keel::wal
