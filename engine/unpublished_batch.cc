// Database::Impl: commits of many keys that no version holds until somebody looks (engine/unpublished_commits.cc).
//
// What may fail comes first and changes nothing that can be read: page by page the paths to all keys are copied into the
// current epoch, where pages stay in memory and may be changed in place; pages for all that can come to be split are set
// aside. What follows, under the latch, reads nothing from disk and copies nothing, and cannot fail: the record goes to
// the log, and the changes are made. If the epoch was raised meanwhile, by somebody who looked, it begins anew.
//
// Whoever looks while the changes are made waits for all of them. So it is done only while nobody has looked since the
// batch before, nor waited for a look for some commits: what a reader can meet is rare, and bounded by the size of such a
// batch.

#include <algorithm>
#include <span>

#include "base/check.h"
#include "base/status.h"
#include "engine/database_impl.h"
#include "io/latch.h"

namespace keel {

using recovery::Operation;
using recovery::OperationKind;

namespace {

// Commits without a look under the latch, or for a version, before batches stay unpublished.
constexpr uint32_t kQuietCommits = 16;
// Of the frames, for the pages that a batch sets aside.
constexpr size_t kFrameShareOfBatch = 8;
// Higher trees would not fit on any disk; with so many levels in hand no batch can reach the limit.
constexpr uint8_t kLevelMax = btree::kMaxLevel / 2;
constexpr size_t kChangesMax = 4096;
constexpr int kAttempts = 3;

}  // namespace

bool Database::Impl::MayStayUnpublished(const engine::CommitQueue::Member& batch) {
  if (!batch.puts_only()) return false;
  if (working_roots_.TakeLooked()) quiet_commits_.store(0, std::memory_order_relaxed);
  return quiet_commits_.load(std::memory_order_relaxed) >= kQuietCommits;
}

absl::Status Database::Impl::GatherUnpublished(const Operation& operation) {
  if (operation.kind != OperationKind::kPut || unpublished_changes_.size() == kChangesMax ||
      !CanBeLoggedInMemory(operation)) {
    return absl::CancelledError();
  }
  unpublished_changes_.push_back(operation);
  return transaction_log_->Add(operation);
}

absl::Status Database::Impl::CommitGathered() {
  KEEL_RETURN_IF_ERROR(PrepareUnpublished());
  KEEL_RETURN_IF_ERROR(transaction_log_->ReserveCommit());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MakeRoomForMutable();
    const Epoch epoch = storage_->session->current_epoch();
    KEEL_RETURN_IF_ERROR(MakeGatheredWritable());
    const io::LatchLock latch(&unpublished_latch_);
    if (unpublished_ended_) return absl::CancelledError();
    if (storage_->session->current_epoch() != epoch) continue;
    KEEL_ASSIGN_OR_RETURN(const Lsn lsn, transaction_log_->Commit());
    ApplyGathered();
    has_puts_ = true;
    NoteUnpublished(lsn);
    return absl::OkStatus();
  }
  return absl::CancelledError();
}

void Database::Impl::ApplyGathered() {
  working_roots_.Clear();  // so that all of it is seen, or nothing: who looks waits at the latch
  const pager::WriteSession::InPlace in_place(storage_->session.get());
  for (std::span<const Operation> left = unpublished_changes_; !left.empty();) {
    const absl::StatusOr<size_t> put = applier_.PutNeighbours(left);
    KEEL_CHECK(put.ok());
    left = left.subspan(*put);
  }
}

absl::Status Database::Impl::MakeGatheredWritable() {
  uint8_t level = 0;
  for (size_t next = 0; (next = FirstNotWritable(next)) < unpublished_changes_.size(); ++next) {
    const Operation& operation = unpublished_changes_[next];
    KEEL_ASSIGN_OR_RETURN(const bool writable, MakeWritable(operation));
    if (!writable) return absl::CancelledError();
  }
  for (const Operation& operation : unpublished_changes_) {
    level = std::max(level, working_.roots.Get(operation.keyspace).level);
  }
  // Each change can split every node on its path, and the root, which makes the next path longer.
  const size_t pages = (unpublished_changes_.size() + 2) * (level + size_t{4});
  if (level > kLevelMax || pages > storage_->cache->frames() / kFrameShareOfBatch) {
    return absl::CancelledError();
  }
  MakeRoomForMutable();
  applier_.ReserveForPuts();
  return storage_->session->Reserve(pages);
}

// From `next` on; how many there are, if there is none.
size_t Database::Impl::FirstNotWritable(size_t next) {
  const io::LatchLock latch(&unpublished_latch_);
  const pager::WriteSession::InPlace in_place(storage_->session.get());
  for (std::span<const Operation> left = unpublished_changes_; next < left.size();) {
    const size_t writable = applier_.CountWritable(left.subspan(next));
    if (writable == 0) break;
    next += writable;
  }
  return next;
}

}  // namespace keel
