#include "wal/log_writer.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/codec.h"
#include "base/status.h"
#include "wal/flush_probe.h"
#include "wal/frame_buffer.h"
#include "wal/frame_table.h"
#include "wal/segment_pool.h"

namespace keel::wal {
namespace {

// Spares that are made ahead, and of them the one that records never take: with it a checkpoint can
// always write the frame that lets segments go (L6), however full the disk is.
constexpr size_t kSparesWanted = 2;
constexpr size_t kSparesKept = 1;
// After a failed attempt to make spares ahead of need.
constexpr absl::Duration kSparesPause = absl::Seconds(1);
constexpr absl::Duration kFirstRetryPause = absl::Milliseconds(1);
// Fresh logs begin at a multiple of this.
constexpr uint64_t kFreshLogUnit = uint64_t{1} << 20;

struct Geometry {
  size_t block_bytes = 0;
  size_t buffer_bytes = 0;  // of each of the two buffers
  size_t frame_max = 0;     // header and records of one frame
  size_t record_max = 0;
};

size_t BlockBytes(const LogWriterOptions& options) {
  const uint64_t wanted = std::clamp<uint64_t>(options.block_bytes, 1, kLogBlockBytesMax);
  return RoundUp(wanted, kLogBlockBytes);
}

Geometry ChooseGeometry(const LogWriterOptions& options, uint64_t smallest_segment) {
  Geometry geometry;
  geometry.block_bytes = BlockBytes(options);
  const uint64_t quarter = smallest_segment / 4;
  const size_t half = options.buffer_bytes / 2;
  const size_t wanted =
      std::min<uint64_t>({options.max_frame_bytes, quarter, half, kFrameBytesMax});
  const size_t block = geometry.block_bytes;
  geometry.frame_max = std::max(wanted / block * block, block);
  geometry.buffer_bytes = std::max(half / block * block, geometry.frame_max + block);
  geometry.record_max = geometry.frame_max - kFrameHeaderBytes - VarintBytes(geometry.frame_max);
  KEEL_CHECK(smallest_segment >= geometry.frame_max + 2 * block);
  return geometry;
}

SegmentPoolOptions PoolOptions(const DatabaseId& database, const LogWriterOptions& options) {
  const uint64_t block = BlockBytes(options);
  const uint64_t least = kSegmentBlocksMin * block;
  SegmentPoolOptions pool;
  pool.database = database;
  pool.segment_bytes_min = least;
  pool.segment_bytes =
      std::clamp(options.segment_bytes / block * block, least, kSegmentBytesMax / block * block);
  pool.first_segment_bytes =
      std::clamp(options.first_segment_bytes / block * block, least, pool.segment_bytes);
  pool.access.direct_io = options.direct_io;
  pool.access.lock_timeout = options.lock_timeout;
  return pool;
}

// State. Three roles use it: the appender (Reserve and Append: one thread at a time, by contract),
// any number of threads in Flush, and whoever holds the *baton*: `writing_` is true while somebody
// writes to the log, and only that thread touches the files, the chain and the buffer being written.
//
//   gathering: buffers_[0] or [1] takes records   --Flush, or full-->   being written, by the baton's
//   holder, while the other one gathers           --synced-->           empty, gathers next
//
// A buffer holds frames of one segment only, so each flush lies within one (L2); the switch to the
// next segment happens under the baton after everything before it was synced (L3).
class LogWriterImpl final : public LogWriter {
 public:
  LogWriterImpl(io::FileSystem* file_system, const LogIdentity& identity,
                const LogWriterOptions& options, const Geometry& geometry,
                std::unique_ptr<SegmentPool> pool)
      : file_system_(file_system),
        identity_(identity),
        options_(options),
        geometry_(geometry),
        pool_(std::move(pool)) {}

  // Begins the log in `segment`, whose first LSN is `first`.
  absl::Status Begin(Segment* segment, Lsn first) ABSL_LOCKS_EXCLUDED(mutex_);

  LogStart start() const override { return start_; }
  size_t max_record_bytes() const override { return geometry_.record_max; }
  absl::Status Reserve(uint64_t bytes, uint64_t records) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Lsn> Append(std::string_view record) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Flush(Lsn lsn) override ABSL_LOCKS_EXCLUDED(mutex_);
  Lsn durable() const override ABSL_LOCKS_EXCLUDED(mutex_);
  Lsn end() const override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WriteIdleMark() override ABSL_LOCKS_EXCLUDED(mutex_);
  void AnnounceGeneration(Generation generation) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FlushGeneration() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<LogStart> StartAt(Lsn lsn) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Release(Lsn lsn) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status failure() const override ABSL_LOCKS_EXCLUDED(mutex_);
  LogStats stats() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A piece of one segment to be written, and whether it is to be made durable.
  struct Job {
    io::File* file = nullptr;
    FrameBuffer* buffer = nullptr;
    bool sync = false;
    io::FlushMethod method = io::FlushMethod::kWriteThenSync;
    Lsn base;  // LSN of the segment's offset 0
    uint64_t segment = 0;
    Lsn durable_mark;
    Generation generation;
  };
  struct SealedFrame {
    FrameHeader header;
    uint64_t checksum;
  };

  // Room.
  uint64_t WorstBytes(uint64_t bytes, uint64_t records) const;
  uint64_t OffsetMax() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t RoomInSegment() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status EnsureSpares(uint64_t worst_bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t SegmentsBeyondThis(uint64_t worst_bytes) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status MakeRoom(uint64_t frame_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Rotate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginSegment(Segment* segment, Lsn first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SegmentHeader HeaderOf(const Segment& segment) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The baton.
  void TakeBaton() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PassBaton() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Follow(Lsn lsn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Writing. REQUIRES: the baton. The lock is let go during I/O.
  absl::Status WriteGathered(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteEmptyFrame(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Job NextJob(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Seal(const Job& job);
  io::FlushOutcome Perform(const Job& job);
  io::FlushOutcome PerformOnce(const Job& job, std::span<const std::byte> bytes);
  absl::Status Complete(const Job& job, const io::FlushOutcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Fail(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OutcomeAfterFailure(Lsn lsn) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::FileSystem* const file_system_;
  const LogIdentity identity_;
  const LogWriterOptions options_;
  const Geometry geometry_;
  const std::unique_ptr<SegmentPool> pool_;
  LogStart start_;

  mutable absl::Mutex mutex_;
  absl::CondVar baton_free_;
  // Followers wait by the round that serves them, so that a finished flush wakes those whom it served
  // and one more, to lead the next.
  std::array<absl::CondVar, 2> served_;
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;  // under way, or the next one
  Lsn round_end_ ABSL_GUARDED_BY(mutex_);       // what it will make durable; 0: not settled
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;

  std::array<FrameBuffer, 2> buffers_;
  FrameBuffer* gather_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Segment* segment_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t promised_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // reserved, not yet appended; worst case
  absl::Duration next_spares_attempt_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();

  // Positions: ends of records, but for the two marks, which are ends of frames.
  Lsn end_ ABSL_GUARDED_BY(mutex_);
  Lsn handed_ ABSL_GUARDED_BY(mutex_);   // given to the file system
  Lsn written_ ABSL_GUARDED_BY(mutex_);  // taken by it
  Lsn durable_ ABSL_GUARDED_BY(mutex_);
  Lsn written_mark_ ABSL_GUARDED_BY(mutex_);
  Lsn durable_mark_ ABSL_GUARDED_BY(mutex_);
  Lsn mark_on_disk_ ABSL_GUARDED_BY(mutex_);       // highest durable mark in a written frame
  bool unsynced_ ABSL_GUARDED_BY(mutex_) = false;  // something written waits for a sync

  Generation announced_ ABSL_GUARDED_BY(mutex_);
  Generation carried_ ABSL_GUARDED_BY(mutex_);  // by a written frame
  Generation durably_carried_ ABSL_GUARDED_BY(mutex_);

  FrameTable frames_ ABSL_GUARDED_BY(mutex_){LogStart{}};
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  LogStats stats_ ABSL_GUARDED_BY(mutex_);

  // Of the baton's holder.
  uint64_t chain_ = 0;  // checksum of the last sealed frame
  std::vector<SealedFrame> sealed_;
  uint64_t retries_ = 0;
};

// --- Beginning -------------------------------------------------------------------------------------

absl::Status LogWriterImpl::Begin(Segment* segment, Lsn first) {
  for (FrameBuffer& buffer : buffers_) {
    KEEL_RETURN_IF_ERROR(buffer.Allocate(geometry_.buffer_bytes, geometry_.block_bytes));
  }
  sealed_.reserve(geometry_.buffer_bytes / geometry_.block_bytes);
  absl::MutexLock lock(&mutex_);
  gather_ = &buffers_[0];
  if (options_.probe_flush_method) {
    FlushProbeOptions probe;
    probe.offset = geometry_.block_bytes;
    probe.bytes = segment->file.bytes - 2 * geometry_.block_bytes;
    probe.block_bytes = geometry_.block_bytes;
    probe.linked_requests = file_system_->backend().name == "io_uring";
    KEEL_ASSIGN_OR_RETURN(stats_.flush_method, ProbeFlushMethod(segment->file.file.get(),
                                                                &file_system_->clock(), probe));
  }
  segment->file.header.segment = pool_->last_number_at_open();
  segment_ = segment;
  BeginSegment(segment, first);
  start_ = LogStart{Lsn{first.value + geometry_.block_bytes}, 0, identity_.salt};
  frames_ = FrameTable(start_);
  end_ = handed_ = written_ = durable_ = start_.lsn;
  written_mark_ = durable_mark_ = mark_on_disk_ = start_.lsn;

  Job job;
  job.file = segment->file.file.get();
  job.buffer = gather_;
  job.sync = true;
  const io::FlushOutcome outcome = Perform(job);
  KEEL_RETURN_IF_ERROR(outcome.write);
  KEEL_RETURN_IF_ERROR(outcome.sync);
  gather_->Begin(geometry_.block_bytes);
  return absl::OkStatus();
}

// Gathering goes on at the beginning of `segment`. REQUIRES: all that was gathered is durable.
void LogWriterImpl::BeginSegment(Segment* segment, Lsn first) {
  const uint64_t number = segment_->file.header.segment + 1;
  segment_ = segment;
  segment->begin = first;
  segment->end = Lsn{first.value + segment->file.bytes};
  segment->salt = identity_.salt;
  SegmentHeader& header = segment->file.header;
  header = HeaderOf(*segment);
  header.segment = number;
  segment->file.header_problem = {};
  gather_->Begin(0);
  gather_->PutSegmentHeader(header);
}

SegmentHeader LogWriterImpl::HeaderOf(const Segment& segment) const {
  SegmentHeader header;
  header.block_bytes = static_cast<uint32_t>(geometry_.block_bytes);
  header.first_lsn = segment.begin.value;
  header.segment_bytes = segment.file.bytes;
  header.database_high = identity_.database.high;
  header.database_low = identity_.database.low;
  header.incarnation = identity_.incarnation;
  header.salt = identity_.salt;
  header.durable_mark = durable_mark_.value;
  header.generation = announced_.value;
  header.previous = chain_;
  return header;
}

// --- Room (L5) -------------------------------------------------------------------------------------

// Log that records can need at most: each alone in a frame, because a flush may come between any two.
uint64_t LogWriterImpl::WorstBytes(uint64_t bytes, uint64_t records) const {
  constexpr uint64_t kRecordExtra = kFrameHeaderBytes + kMaxVarintBytes;
  if (records == 1) return RoundUp(bytes + kRecordExtra, geometry_.block_bytes);
  return bytes + records * (kRecordExtra + geometry_.block_bytes - 1);
}

// Frames end at or below this offset: a segment's last block stays unused, so that a position behind
// any frame lies within the frame's segment, and keeps it from being released.
uint64_t LogWriterImpl::OffsetMax() const { return segment_->file.bytes - geometry_.block_bytes; }

uint64_t LogWriterImpl::RoomInSegment() const {
  return OffsetMax() - std::min(OffsetMax(), gather_->next_frame_offset());
}

absl::Status LogWriterImpl::Reserve(uint64_t bytes, uint64_t records) {
  const uint64_t worst = WorstBytes(bytes, records);
  // Waits here rather than in Append; what does not fit in one frame gets room as it comes.
  const uint64_t block = geometry_.block_bytes;
  const uint64_t first = worst <= geometry_.frame_max ? RoundUp(worst, block) : block;
  {
    absl::MutexLock lock(&mutex_);
    KEEL_RETURN_IF_ERROR(failure_);
    promised_bytes_ = 0;
    if (worst <= RoomInSegment() && pool_->spares() >= kSparesWanted) {
      promised_bytes_ = worst;
      return MakeRoom(first);
    }
  }
  KEEL_RETURN_IF_ERROR(EnsureSpares(worst));
  absl::MutexLock lock(&mutex_);
  promised_bytes_ = worst;
  return MakeRoom(first);
}

// Makes sure that `worst_bytes` fit in the segment and its spares, with kSparesKept left over. With
// that given, tries for kSparesWanted, but not at every call while the disk is full.
absl::Status LogWriterImpl::EnsureSpares(uint64_t worst_bytes) {
  const size_t needed = kSparesKept + SegmentsBeyondThis(worst_bytes);
  if (pool_->spares() >= std::max(needed, kSparesWanted)) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    const bool enough = pool_->spares() >= needed;
    if (enough && file_system_->clock().Now() < next_spares_attempt_) return absl::OkStatus();
  }
  const absl::Status status = pool_->MakeSpares(std::max(needed, kSparesWanted));
  if (status.ok()) return status;
  if (pool_->spares() < needed) return status;
  absl::MutexLock lock(&mutex_);
  next_spares_attempt_ = file_system_->clock().Now() + kSparesPause;
  return absl::OkStatus();
}

// How many further segments `worst_bytes` may need. Of each, the header and the last block are not for
// frames, and up to one frame less a block is lost at its end.
size_t LogWriterImpl::SegmentsBeyondThis(uint64_t worst_bytes) const {
  const uint64_t lost = geometry_.frame_max - geometry_.block_bytes;
  const uint64_t usable = pool_->smallest_bytes() - 2 * geometry_.block_bytes - lost;
  absl::MutexLock lock(&mutex_);
  const uint64_t room = RoomInSegment();
  if (worst_bytes <= room) return 0;
  return static_cast<size_t>((worst_bytes - (room - std::min(room, lost)) + usable - 1) / usable);
}

// Opens the way for a frame of `frame_bytes` behind what is gathered: writes out when the buffer is
// full, goes on to the next segment when this one is. A frame already open that has as much room
// will do as well, which callers test before.
absl::Status LogWriterImpl::MakeRoom(uint64_t frame_bytes) {
  const size_t record_bytes = frame_bytes - kFrameHeaderBytes;
  while (!gather_->CanExtend(record_bytes, geometry_.frame_max, OffsetMax()) &&
         !gather_->CanOpen(record_bytes, OffsetMax())) {
    KEEL_RETURN_IF_ERROR(failure_);
    if (writing_) {
      baton_free_.Wait(&mutex_);
      continue;
    }
    writing_ = true;
    const absl::Status status =
        RoomInSegment() < frame_bytes ? Rotate() : WriteGathered(/*sync=*/false);
    PassBaton();
    KEEL_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

// Goes on in the next segment, once everything in this one is durable (L3). REQUIRES: the baton.
absl::Status LogWriterImpl::Rotate() {
  mutex_.Unlock();
  absl::StatusOr<Segment*> next = pool_->Take();
  mutex_.Lock();
  if (!next.ok()) return std::move(next).status();
  while (!gather_->empty() || unsynced_) {
    const absl::Status status = WriteGathered(/*sync=*/true);
    if (status.ok()) continue;
    pool_->Return(*next);
    return status;
  }
  pool_->Hold(segment_);
  BeginSegment(*next, segment_->end);
  return absl::OkStatus();
}

absl::StatusOr<Lsn> LogWriterImpl::Append(std::string_view record) {
  KEEL_CHECK(record.size() <= geometry_.record_max);
  const size_t record_bytes = FrameBuffer::RecordBytes(record.size());
  absl::MutexLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(failure_);
  if (!gather_->CanExtend(record_bytes, geometry_.frame_max, OffsetMax())) {
    const absl::Status status =
        MakeRoom(RoundUp(kFrameHeaderBytes + record_bytes, geometry_.block_bytes));
    if (!status.ok()) return failure_.ok() ? Fail(status) : failure_;
    if (!gather_->CanExtend(record_bytes, geometry_.frame_max, OffsetMax())) gather_->Open();
  }
  gather_->Append(record);
  end_ = Lsn{segment_->begin.value + gather_->end_offset()};
  promised_bytes_ -= std::min(promised_bytes_, WorstBytes(record.size(), 1));
  ++stats_.records;
  return end_;
}

// --- Flushing --------------------------------------------------------------------------------------

absl::Status LogWriterImpl::Flush(Lsn lsn) {
  absl::MutexLock lock(&mutex_);
  if (lsn > end_) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "log position %d is beyond the end %d",
                      lsn.value, end_.value);
  }
  while (lsn > durable_) {
    if (!failure_.ok()) return OutcomeAfterFailure(lsn);
    if (writing_) {
      Follow(lsn);
    } else {
      Lead();
    }
  }
  return absl::OkStatus();
}

void LogWriterImpl::Lead() {
  writing_ = true;
  round_end_ = end_;
  WriteGathered(/*sync=*/true).IgnoreError();  // told to everyone by failure_
  PassBaton();
}

void LogWriterImpl::Follow(Lsn lsn) {
  const uint64_t round = lsn <= round_end_ ? round_ : round_ + 1;
  served_[round % 2].Wait(&mutex_);
}

void LogWriterImpl::TakeBaton() {
  while (writing_) baton_free_.Wait(&mutex_);
  writing_ = true;
}

// Ends a round. A leader's round serves exactly those who wait for it; of the others one is woken to
// lead. After any other kind of writing nobody knows whom it served, so all are woken.
void LogWriterImpl::PassBaton() {
  writing_ = false;
  absl::CondVar& next = served_[(round_ + 1) % 2];
  if (round_end_.value != 0 && failure_.ok()) {
    next.Signal();
  } else {
    next.SignalAll();
  }
  served_[round_ % 2].SignalAll();
  baton_free_.SignalAll();
  round_end_ = Lsn{};
  ++round_;
}

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
  durable_ = written_;
  durable_mark_ = written_mark_;
  durably_carried_ = carried_;
  unsynced_ = false;
  ++stats_.syncs;
  if (job.buffer != nullptr) ++stats_.flushes;
  return absl::OkStatus();
}

absl::Status LogWriterImpl::Fail(const absl::Status& reason) {
  failure_ =
      MakeStatus(absl::StatusCode::kUnavailable,
                 "the log has stopped, reopen the database to recover: %s", MessageOf(reason));
  served_[0].SignalAll();
  served_[1].SignalAll();
  baton_free_.SignalAll();
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
    status = WriteEmptyFrame(/*sync=*/false);
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

// --- Reports ---------------------------------------------------------------------------------------

Lsn LogWriterImpl::durable() const {
  absl::MutexLock lock(&mutex_);
  return durable_;
}

Lsn LogWriterImpl::end() const {
  absl::MutexLock lock(&mutex_);
  return end_;
}

absl::Status LogWriterImpl::failure() const {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

LogStats LogWriterImpl::stats() const {
  const SegmentPoolCounts counts = pool_->counts();
  absl::MutexLock lock(&mutex_);
  LogStats stats = stats_;
  stats.segments = counts.files;
  stats.spare_segments = counts.spares;
  stats.segment_bytes = counts.bytes;
  return stats;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Create(io::FileSystem* file_system,
                                                             std::filesystem::path directory,
                                                             const LogIdentity& identity, Lsn floor,
                                                             Lsn keep_from,
                                                             const LogWriterOptions& options) {
  const SegmentPoolOptions pool_options = PoolOptions(identity.database, options);
  KEEL_ASSIGN_OR_RETURN(
      std::unique_ptr<SegmentPool> pool,
      SegmentPool::Open(file_system, std::move(directory), keep_from, pool_options));
  const Geometry geometry = ChooseGeometry(options, pool->smallest_bytes());
  const uint64_t beyond = std::max(pool->end_at_open(), floor).value + 1;
  KEEL_ASSIGN_OR_RETURN(Segment* const segment, pool->Take());
  SegmentPool* const spares = pool.get();
  auto writer =
      std::make_unique<LogWriterImpl>(file_system, identity, options, geometry, std::move(pool));
  KEEL_RETURN_IF_ERROR(writer->Begin(segment, Lsn{RoundUp(beyond, kFreshLogUnit)}));
  // Without spares the log works until its segment is full; Reserve tells then.
  spares->MakeSpares(kSparesWanted).IgnoreError();
  return writer;
}

}  // namespace keel::wal
