#include "wal/flush_probe.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/status.h"

namespace keel::wal {
namespace {

constexpr int kRounds = 7;
// A method has to be faster by this share to be preferred over the plain one.
constexpr double kClearly = 0.95;

struct Candidate {
  io::FlushMethod method;
  std::vector<absl::Duration> times;

  absl::Duration Median() {
    std::ranges::nth_element(times, times.begin() + static_cast<ptrdiff_t>(times.size() / 2));
    return times[times.size() / 2];
  }
};

std::vector<Candidate> Candidates(bool linked_requests) {
  std::vector<Candidate> candidates;
  candidates.push_back({io::FlushMethod::kWriteThenSync, {}});
  candidates.push_back({io::FlushMethod::kDataSyncWrite, {}});
  if (linked_requests) candidates.push_back({io::FlushMethod::kLinkedRequests, {}});
  return candidates;
}

// Noise, then zeros, over the first blocks.
absl::Status Clear(io::File* file, io::Random* random, const FlushProbeOptions& options,
                   uint64_t blocks, std::span<std::byte> block) {
  for (const bool noise : {true, false}) {
    for (uint64_t i = 0; i < blocks; ++i) {
      for (size_t at = 0; at < block.size(); at += sizeof(uint64_t)) {
        const uint64_t bits = noise ? random->Next64() : 0;
        std::memcpy(&block[at], &bits, sizeof(bits));
      }
      KEEL_RETURN_IF_ERROR(file->Write(options.offset + i * block.size(), block));
    }
    KEEL_RETURN_IF_ERROR(file->Sync(io::SyncPurpose::kLogSegment));
  }
  return absl::OkStatus();
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

}  // namespace

absl::StatusOr<io::FlushMethod> ProbeFlushMethod(io::File* file, io::Clock* clock,
                                                 io::Random* random,
                                                 const FlushProbeOptions& options) {
  KEEL_CHECK(options.bytes >= options.block_bytes);
  AlignedBuffer block = AlignedBuffer::Allocate(options.block_bytes);
  if (block.empty()) return absl::ResourceExhaustedError("no memory for the flush probe");
  std::vector<Candidate> candidates = Candidates(options.linked_requests);
  const uint64_t blocks =
      std::min<uint64_t>(options.bytes / options.block_bytes, kRounds * candidates.size());
  KEEL_RETURN_IF_ERROR(Clear(file, random, options, blocks, block.span()));
  const absl::Duration begin = clock->Now();
  uint64_t offset = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (round > 0 && clock->Now() - begin >= options.time_limit) break;
    for (Candidate& candidate : candidates) {
      const absl::Duration before = clock->Now();
      const io::FlushOutcome outcome = file->WriteThenSync(
          options.offset + offset, block.span(), io::SyncPurpose::kLogSegment, candidate.method);
      KEEL_RETURN_IF_ERROR(outcome.write);
      KEEL_RETURN_IF_ERROR(outcome.sync);
      candidate.times.push_back(clock->Now() - before);
      offset = (offset + options.block_bytes) % (blocks * options.block_bytes);
    }
  }
  return Fastest(&candidates);
}

}  // namespace keel::wal
