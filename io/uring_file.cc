#include "io/uring_file.h"

#include <cerrno>
#include <utility>

#include "base/status.h"
#include "io/errors.h"

namespace keel::io {
namespace {

constexpr unsigned kLinkedRequests = 2;
constexpr uint64_t kWriteTag = 0;
constexpr uint64_t kSyncTag = 1;

}  // namespace

FlushOutcome UringFile::WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                      SyncPurpose purpose, FlushMethod method) {
  if (method != FlushMethod::kLinkedRequests || data.empty()) {
    return PosixFile::WriteThenSync(offset, data, purpose, method);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!HaveRing()) {
    return PosixFile::WriteThenSync(offset, data, purpose, FlushMethod::kWriteThenSync);
  }
  return LinkedFlush(offset, data, purpose);
}

bool UringFile::HaveRing() {
  if (ring_ != nullptr && !ring_->usable()) {
    ring_ = nullptr;
    ring_refused_ = true;
  }
  if (ring_ == nullptr && !ring_refused_) {
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Make(kLinkedRequests);
    ring_refused_ = !ring.ok();
    if (ring.ok()) ring_ = *std::move(ring);
  }
  return ring_ != nullptr;
}

FlushOutcome UringFile::LinkedFlush(uint64_t offset, std::span<const std::byte> data,
                                    SyncPurpose purpose) {
  FlushOutcome outcome;
  outcome.write = CheckWrite(offset, data);
  if (!outcome.write.ok()) return outcome;

  const uint64_t mark = WriteMark();
  const LinkedResults results = Perform(offset, data);
  const bool whole = results.write >= 0 && static_cast<size_t>(results.write) == data.size();
  if (!whole) {
    NoteWriteCompleted();
    outcome.write = EndWrite(offset, data, results.write);
    const bool sync_failed = results.sync < 0 && !NotBegun(results.sync);
    if (!outcome.write.ok() && !sync_failed) return outcome;
  }
  sync_counters().Add(purpose);
  outcome.sync = EndSync(results.sync, whole);
  if (outcome.ok() && whole) NoteSynced(mark);
  if (!outcome.sync.ok()) NoteWriteCompleted();
  return outcome;
}

UringFile::LinkedResults UringFile::Perform(uint64_t offset, std::span<const std::byte> data) {
  ring_->AddWriteThenDataSync(descriptor(), data, offset, kWriteTag, kSyncTag);
  LinkedResults results{-ECANCELED, -ECANCELED};
  for (size_t taken = ring_->Submit(); taken > 0; --taken) {
    const Ring::Result result = ring_->Wait();
    (result.tag == kWriteTag ? results.write : results.sync) = result.value;
  }
  return results;
}

absl::Status UringFile::EndWrite(uint64_t offset, std::span<const std::byte> data, int result) {
  if (result >= 0) return FinishWrite(offset, data, static_cast<size_t>(result));
  if (MayCarryOn(result)) return FinishWrite(offset, data, 0);
  return ErrnoStatus(-result, "io_uring write", path(), offset, data.size());
}

absl::Status UringFile::EndSync(int result, bool write_was_whole) {
  // A sync that was begun and failed is never repeated, whatever became of the write.
  if (result < 0 && !NotBegun(result)) return ErrnoStatus(-result, "io_uring fdatasync", path());
  if (result >= 0 && write_was_whole) return absl::OkStatus();
  return FinishSync();
}

}  // namespace keel::io
