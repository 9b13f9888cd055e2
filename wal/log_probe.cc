// The log writer's measurement of its device (wal/flush_probe.h), one write at a time, while the log is used.
//
//   F1  The writes go to the last block of the segment in use, where no frame of this use lies (OffsetMax).
//   F2  What a crash left of a frame may lack a piece that should be zeros; zeros over that piece alone would make
//       the frame whole, and the log longer than a recovery that is under way has found it. Where an earlier use may
//       have had frames, which is in its last block if its blocks were smaller, noise goes first, and is durable before
//       the zeros. The last block of the smallest size never held any: it has been zeros from the beginning.
//   F3  Each is made with the baton, as any other write, after what has been gathered: so who waits for a flush then
//       has it, and samples do not pay for the writes of others, but for one behind an idle mark.

#include <cstring>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "wal/log_writer_impl.h"

namespace keel::wal {
namespace {

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

io::FlushOutcome WriteDurably(io::File* file, uint64_t offset, std::span<const std::byte> block,
                              io::FlushMethod method) {
  return file->WriteThenSync(offset, block, io::SyncPurpose::kLogSegment, method);
}

// Noise over `block`, durable before the zeros that follow. Its bytes end as zeros.
io::FlushOutcome Clear(io::File* file, uint64_t seed, uint64_t offset, std::span<std::byte> block) {
  FillWithNoise(seed, block);
  const io::FlushOutcome noise = WriteDurably(file, offset, block, io::FlushMethod::kWriteThenSync);
  std::memset(block.data(), 0, block.size());
  if (!noise.ok()) return noise;
  return WriteDurably(file, offset, block, io::FlushMethod::kWriteThenSync);
}

}  // namespace

absl::StatusOr<bool> LogWriterImpl::ProbeFlushMethod() {
  const std::optional<io::FlushMethod> method = probe_.Next();
  if (!method.has_value()) return false;
  AlignedBuffer zeros = AlignedBuffer::Allocate(geometry_.block_bytes);
  if (zeros.empty()) return absl::ResourceExhaustedError("no memory for the flush probe");
  std::memset(zeros.data(), 0, zeros.size());

  absl::MutexLock lock(&mutex_);
  TakeBaton();
  absl::StatusOr<absl::Duration> took = TimeWriteInLastBlock(*method, zeros.span());
  PassBaton();
  KEEL_RETURN_IF_ERROR(took.status());
  probe_.Note(*took);
  if (probe_.Next().has_value()) return true;
  stats_.flush_method = probe_.Fastest();
  return false;
}

absl::StatusOr<absl::Duration> LogWriterImpl::TimeWriteInLastBlock(io::FlushMethod method,
                                                                   std::span<std::byte> zeros) {
  // Not what is only written: to sync an idle mark would call for the next one.
  if (!gather_->empty()) KEEL_RETURN_IF_ERROR(WriteGathered(/*sync=*/true));
  KEEL_RETURN_IF_ERROR(failure_);
  io::File* const file = segment_->file.file.get();
  const uint64_t offset = OffsetMax();
  const bool may_hold_frames = zeros.size() > kLogBlockBytes && cleared_ != segment_;
  mutex_.Unlock();
  io::FlushOutcome outcome;
  if (may_hold_frames) outcome = Clear(file, file_system_->random().Next64(), offset, zeros);
  const absl::Duration begin = file_system_->clock().Now();
  if (outcome.ok()) outcome = WriteDurably(file, offset, zeros, method);
  const absl::Duration took = file_system_->clock().Now() - begin;
  mutex_.Lock();
  if (!outcome.sync.ok()) return Fail(WithContext(outcome.sync, "log sync failed"));
  KEEL_RETURN_IF_ERROR(outcome.write);
  cleared_ = segment_;
  return took;
}

}  // namespace keel::wal
