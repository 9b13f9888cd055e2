// Database::Impl: transactions that the log cannot take. They are not logged; their commit is a checkpoint of their
// own version (docs/decisions/0007-large-transactions-commit-by-checkpoint.md).
//
// The order, and why no step may move:
//   1  flush the log; what is published becomes visible       the checkpoint holds every commit before this one
//   2  seal what was built                                    a frozen page never changes
//   3  checkpoint it: the superblock's sync is the commit     until then no persisted map or root knows its pages
//   4  log a record of it, flush                              readers of the log see that commits have no gap
//   5  publish, move the visible version                      only what is durable is seen, under every Durability
//   6  answer; the caller releases the writer lock
//
// A failure before the superblock is written is a rollback. One while it is written leaves the outcome unknown.

#include <algorithm>
#include <memory>
#include <optional>

#include "base/disk_full.h"
#include "base/status.h"
#include "engine/database_impl.h"

namespace keel {

using engine::CommitEnding;
using engine::Version;

uint64_t Database::Impl::log_room() const {
  const uint64_t bytes = log_bytes_since_checkpoint();
  return log_bytes_max() - std::min(bytes, log_bytes_max());
}

absl::Status Database::Impl::MakeLoggable(const recovery::Operation& operation) {
  if (transaction_log_->TakesUnlogged(operation)) [[likely]]
    return absl::OkStatus();
  if (transaction_log_->Takes(operation, log_room())) return absl::OkStatus();
  return StopLogging();
}

absl::Status Database::Impl::StopLogging() {
  KEEL_ASSIGN_OR_RETURN(const std::optional<Lsn> end, transaction_log_->StopLogging());
  if (!end.has_value()) return absl::OkStatus();
  // The version that it began on once more, behind what it has streamed: so a checkpoint can cut that off. The epoch
  // stays the same, because pages made so far must be younger than any checkpoint before the transaction's own (R3).
  const std::shared_ptr<const Version> base = registry_.Newest();
  working_lsn_ = *end;
  registry_.Publish(
      std::make_shared<const Version>(base->epoch, working_lsn_, base->number, base->state), {});
  if (!FlushThrough(working_lsn_).ok()) return CheckRunning();
  if (options_.background == Background::kThreads) background_->RequestCheckpoint();
  return absl::OkStatus();
}

// Steps 1 and 2; the version that is to be committed.
absl::StatusOr<std::shared_ptr<const Version>> Database::Impl::SealWorking() {
  KEEL_RETURN_IF_ERROR(CheckRunning());
  // Else what it has streamed may have no end in the log, and nothing could be read behind the checkpoint.
  KEEL_RETURN_IF_ERROR(transaction_log_->failure());
  KEEL_RETURN_IF_ERROR(storage_->space->failed_sync());
  if (!FlushThrough(registry_.Newest()->lsn).ok()) return CheckRunning();
  if constexpr (kParanoid) KEEL_RETURN_IF_ERROR(ParanoidCheck());
  const CommitNumber number{working_number_.value + 1};
  return std::make_shared<const Version>(storage_->session->Seal(), working_lsn_, number, working_);
}

absl::StatusOr<Lsn> Database::Impl::CommitByCheckpoint() {
  const absl::StatusOr<std::shared_ptr<const Version>> version = SealWorking();
  if (!version.ok()) {
    const absl::Status explained = ExplainFailure(version.status());
    AbandonWriter();
    return explained;
  }
  CommitEnding ending = CommitEnding::kNotCommitted;
  Lsn record_end;
  const auto attempt = [&](bool* fatal) {
    absl::Status status = checkpointer_.Commit(*version, &ending, &record_end);
    *fatal = !status.ok() && ending != CommitEnding::kNotCommitted;
    return status;
  };
  absl::Status status = PerformCheckpoint(attempt);
  if (ending == CommitEnding::kNotCommitted && IsDiskFull(status) && MakeRoomForCheckpoint()) {
    status = PerformCheckpoint(attempt);
  }
  // One that does not fit says nothing about those of the visible version.
  if (ending != CommitEnding::kNotCommitted) NoteCheckpoint(status);
  if (ending == CommitEnding::kCommitted) return PublishCheckpoint(record_end);
  if (ending == CommitEnding::kNotCommitted) status = ExplainFailure(status);
  AbandonWriter();
  if (ending == CommitEnding::kStopped) return CheckRunning();
  if (ending == CommitEnding::kNotCommitted) return status;
  return MakeStatus(absl::StatusCode::kUnknown,
                    "whether this transaction is committed is unknown until the database is "
                    "reopened: its superblock could not be made durable (%s)",
                    MessageOf(status));
}

// Step 5. If the log has failed since, it is durable nonetheless; the record may be missing.
Lsn Database::Impl::PublishCheckpoint(Lsn record_end) {
  ++working_number_.value;
  working_lsn_ = std::max(working_lsn_, record_end);
  const Lsn lsn = working_lsn_;
  PublishWorking();
  registry_.AdvanceVisible(lsn);
  NotePutsTaken();
  NoteDurable();
  background_->NoteCommit();
  return lsn;
}

}  // namespace keel
