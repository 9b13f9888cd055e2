// The log writer's flushes: who writes when, and what comes of it.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "wal/log_writer_impl.h"

namespace keel::wal {
namespace {

constexpr absl::Duration kFirstRetryPause = absl::Milliseconds(1);

}  // namespace

// --- Flushing --------------------------------------------------------------------------------------

absl::Status LogWriterImpl::Flush(Lsn lsn, uint32_t commits) {
  const bool in_company = commits > 0;
  while (lsn > durable()) {
    io::Parker parker;
    FlushRounds::Woken woken;
    Role role = Role::kLeader;
    {
      absl::MutexLock lock(&mutex_);
      if (lsn > end_) {
        return MakeStatus(absl::StatusCode::kInvalidArgument,
                          "log position %d is beyond the end %d", lsn.value, end_.value);
      }
      if (lsn <= durable_) break;
      if (!failure_.ok()) return OutcomeAfterFailure(lsn);
      const FlushRounds::Round round = RoundOf(lsn);
      rounds_.Join(round, std::exchange(commits, 0));
      if (writing_) {
        role = rounds_.Follow(round, &parker) ? Role::kNextLeader : Role::kSleeper;
      } else {
        woken = Lead(in_company);
      }
    }
    woken.Wake();
    if (role == Role::kNextLeader) FlushRounds::StayAwake(parker, file_system_->clock());
    if (role != Role::kLeader) parker.Wait();
  }
  return absl::OkStatus();
}

// Which round makes `lsn` durable. While its leader waits for company, whatever is appended goes with it.
FlushRounds::Round LogWriterImpl::RoundOf(Lsn lsn) const {
  const bool this_one = !writing_ || gathers_company_ || lsn <= round_end_;
  return this_one ? FlushRounds::Round::kThis : FlushRounds::Round::kNext;
}

FlushRounds::Woken LogWriterImpl::Lead(bool in_company) {
  writing_ = true;
  if (in_company) AwaitCompany();
  round_end_ = end_;
  const absl::Duration begin = file_system_->clock().Now();
  WriteGathered(/*sync=*/true).IgnoreError();  // told to everyone by failure_
  rounds_.NoteFlush(begin, file_system_->clock().Now());
  return EndRound();
}

void LogWriterImpl::AwaitCompany() {
  const std::optional<FlushRounds::Company> company = rounds_.Expected(file_system_->clock().Now());
  if (!company.has_value()) return;
  ++stats_.company_waits;
  gathers_company_ = true;
  mutex_.Unlock();
  FlushRounds::Await(*company, file_system_->clock());
  mutex_.Lock();
  gathers_company_ = false;
  rounds_.Note(*company, file_system_->clock().Now());
}

void LogWriterImpl::TakeBaton() {
  while (writing_) baton_free_.Wait(&mutex_);
  writing_ = true;
}

// A leader's round serves exactly those who wait for it; of the others one is woken to lead. After any other kind of
// writing nobody knows whom it served, so all are woken.
FlushRounds::Woken LogWriterImpl::EndRound() {
  const bool led = round_end_.value != 0 && failure_.ok();
  writing_ = false;
  round_end_ = Lsn{};
  baton_free_.SignalAll();
  return rounds_.End(/*all=*/!led);
}

void LogWriterImpl::PassBaton() { EndRound().Wake(); }

// Writes all that is gathered, in one piece, and with `sync` makes it and everything before durable.
absl::Status LogWriterImpl::WriteGathered(bool sync) {
  KEEL_DCHECK(writing_);
  KEEL_RETURN_IF_ERROR(failure_);
  gather_->Close();
  if (gather_->empty() && !(sync && unsynced_)) return absl::OkStatus();
  const Job job = NextJob(sync);
  mutex_.Unlock();
  if (job.buffer != nullptr) Seal(job);
  const io::FlushOutcome outcome = Perform(job);
  mutex_.Lock();
  return Complete(job, outcome);
}

// REQUIRES: the baton, nothing gathered, a block of room.
absl::Status LogWriterImpl::WriteEmptyFrame(bool sync) {
  KEEL_RETURN_IF_ERROR(failure_);
  gather_->Open();
  return WriteGathered(sync);
}

LogWriterImpl::Job LogWriterImpl::NextJob(bool sync) {
  Job job;
  job.file = segment_->file.file.get();
  job.sync = sync;
  // A data-sync write covers itself alone: what was written before it without a sync needs a full one.
  job.method = unsynced_ ? io::FlushMethod::kWriteThenSync : stats_.flush_method;
  job.base = segment_->begin;
  job.segment = segment_->file.header.segment;
  job.durable_mark = durable_mark_;
  job.generation = announced_;
  if (gather_->empty()) return job;
  job.buffer = gather_;
  FrameBuffer* const other = gather_ == &buffers_[0] ? &buffers_[1] : &buffers_[0];
  other->Begin(gather_->end_offset());
  gather_ = other;
  handed_ = end_;
  return job;
}

void LogWriterImpl::Seal(const Job& job) {
  sealed_.clear();
  const std::span<std::byte> bytes = job.buffer->bytes();
  size_t at = job.buffer->first_frame();
  while (at < bytes.size()) {
    FrameHeader header = LoadFrameHeader(bytes.subspan(at));
    header.lsn = job.base.value + job.buffer->file_offset() + at;
    header.segment = job.segment;
    header.database_high = identity_.database.high;
    header.database_low = identity_.database.low;
    header.incarnation = identity_.incarnation;
    header.salt = identity_.salt;
    header.durable_mark = job.durable_mark.value;
    header.generation = job.generation.value;
    header.previous = chain_;
    chain_ = SealFrame(header, bytes.subspan(at, header.padded_bytes));
    sealed_.push_back({header, chain_});
    at += header.padded_bytes;
  }
}

// The same bytes to the same place, until the write succeeds or the attempts are used up; the sync
// once (L4).
io::FlushOutcome LogWriterImpl::Perform(const Job& job) {
  if (job.buffer == nullptr) {
    return {absl::OkStatus(), job.file->Sync(io::SyncPurpose::kLogFlush)};
  }
  const std::span<const std::byte> bytes = job.buffer->bytes();
  absl::Duration pause = kFirstRetryPause;
  retries_ = 0;
  io::FlushOutcome outcome = PerformOnce(job, bytes);
  for (int attempt = 1; !outcome.write.ok() && attempt < options_.write_attempts; ++attempt) {
    file_system_->clock().Sleep(pause);
    pause *= 2;
    ++retries_;
    outcome = PerformOnce(job, bytes);
  }
  return outcome;
}

io::FlushOutcome LogWriterImpl::PerformOnce(const Job& job, std::span<const std::byte> bytes) {
  const uint64_t offset = job.buffer->file_offset();
  if (!job.sync) return {job.file->Write(offset, bytes), absl::OkStatus()};
  return job.file->WriteThenSync(offset, bytes, io::SyncPurpose::kLogFlush, job.method);
}

absl::Status LogWriterImpl::Complete(const Job& job, const io::FlushOutcome& outcome) {
  stats_.write_retries += std::exchange(retries_, 0);
  if (!outcome.write.ok()) return Fail(WithContext(outcome.write, "log write failed"));
  if (job.buffer != nullptr) {
    for (const SealedFrame& frame : sealed_) frames_.Add(frame.header, frame.checksum);
    written_ = handed_;
    written_mark_ = Lsn{sealed_.back().header.end()};
    mark_on_disk_ = job.durable_mark;
    carried_ = job.generation;
    unsynced_ = true;
    stats_.bytes_written += job.buffer->bytes().size();
    stats_.frames += sealed_.size();
  }
  if (!job.sync) return absl::OkStatus();
  if (!outcome.sync.ok()) return Fail(WithContext(outcome.sync, "log sync failed"));
  SetDurable(written_);
  durable_mark_ = written_mark_;
  durably_carried_ = carried_;
  unsynced_ = false;
  ++stats_.syncs;
  if (job.buffer != nullptr) ++stats_.flushes;
  return absl::OkStatus();
}

// Stops the log for good. Whoever waits is woken when the baton is passed.
absl::Status LogWriterImpl::Fail(const absl::Status& reason) {
  failure_ =
      MakeStatus(absl::StatusCode::kUnavailable,
                 "the log has stopped, reopen the database to recover: %s", MessageOf(reason));
  return failure_;
}

absl::Status LogWriterImpl::OutcomeAfterFailure(Lsn lsn) const {
  if (lsn > handed_) return failure_;
  return MakeStatus(absl::StatusCode::kUnknown,
                    "whether this commit is durable is unknown until the database is reopened: %s",
                    MessageOf(failure_));
}

// --- Marks, generations, release ----------------------------------------------------------------

absl::Status LogWriterImpl::WriteIdleMark() {
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(failure_);
  if (writing_ || !gather_->empty() || mark_on_disk_ >= durable_mark_) return absl::OkStatus();
  const bool room = RoomInSegment() >= geometry_.block_bytes + promised_bytes_;
  // Never takes what Reserve promised, nor the spare that is kept for checkpoints.
  if (!room && (promised_bytes_ > 0 || pool_->spares() <= kSparesKept)) return absl::OkStatus();
  writing_ = true;
  absl::Status status = room ? absl::OkStatus() : Rotate();
  // Rotate lets the lock go: if records have come meanwhile, their flush will carry the mark.
  if (status.ok() && gather_->empty()) {
    // A header that was written is durable before the log can be closed cleanly (SegmentAccess::clean).
    status = WriteEmptyFrame(/*sync=*/!room);
    if (status.ok()) ++stats_.idle_marks;
  }
  PassBaton();
  return status;
}

void LogWriterImpl::AnnounceGeneration(Generation generation) {
  absl::MutexLock lock(&mutex_);
  announced_ = std::max(announced_, generation);
}

absl::Status LogWriterImpl::FlushGeneration() {
  absl::MutexLock lock(&mutex_);
  TakeBaton();
  absl::Status status = failure_;
  if (status.ok() && durably_carried_ < announced_) {
    if (gather_->empty() && RoomInSegment() < geometry_.block_bytes) status = Rotate();
    if (status.ok()) {
      status = gather_->empty() ? WriteEmptyFrame(/*sync=*/true) : WriteGathered(/*sync=*/true);
    }
  }
  PassBaton();
  return status;
}

absl::StatusOr<LogStart> LogWriterImpl::StartAt(Lsn lsn) {
  absl::MutexLock lock(&mutex_);
  if (lsn > durable_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "log position %d is not durable: flush first", lsn.value);
  }
  return frames_.StartAt(lsn, durable_mark_);
}

absl::Status LogWriterImpl::Release(Lsn lsn) {
  absl::MutexLock lock(&mutex_);
  if (durably_carried_ < announced_) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "generation %d is announced, but no durable frame carries it yet",
                      announced_.value);
  }
  frames_.Release(lsn);
  pool_->Release(lsn);
  return absl::OkStatus();
}

}  // namespace keel::wal
