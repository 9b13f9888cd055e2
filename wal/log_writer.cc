#include "wal/log_writer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/status.h"
#include "io/latch.h"
#include "wal/log_writer_impl.h"

namespace keel::wal {
namespace {

// After a failed attempt to make spares ahead of need.
constexpr absl::Duration kSparesPause = absl::Seconds(1);
// Fresh logs begin at a multiple of this.
constexpr uint64_t kFreshLogUnit = uint64_t{1} << 20;

size_t BlockBytes(const LogWriterOptions& options) {
  const uint64_t wanted = std::clamp<uint64_t>(options.block_bytes, 1, kLogBlockBytesMax);
  return RoundUp(wanted, kLogBlockBytes);
}

LogGeometry ChooseGeometry(const LogWriterOptions& options, uint64_t smallest_segment) {
  LogGeometry geometry;
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

}  // namespace

// --- Beginning -------------------------------------------------------------------------------------

absl::Status LogWriterImpl::Begin(Segment* segment, Lsn first) {
  for (FrameBuffer& buffer : buffers_) {
    KEEL_RETURN_IF_ERROR(buffer.Allocate(geometry_.buffer_bytes, geometry_.block_bytes));
  }
  sealed_.reserve(geometry_.buffer_bytes / geometry_.block_bytes);
  absl::MutexLock lock(&mutex_);
  gather_ = &buffers_[0];
  segment->file.header.segment = pool_->last_number_at_open();
  segment_ = segment;
  BeginSegment(segment, first);
  start_ = LogStart{Lsn{first.value + geometry_.block_bytes}, 0, identity_.salt};
  frames_ = FrameTable(start_);
  handed_ = written_ = start_.lsn;
  SetEnd(start_.lsn);
  SetDurable(start_.lsn);
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
    const io::LatchLock lock(&mutex_);
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
// that given, sees to it that there will be kSparesWanted, but not at every call while the disk is full.
absl::Status LogWriterImpl::EnsureSpares(uint64_t worst_bytes) {
  const size_t needed = kSparesKept + SegmentsBeyondThis(worst_bytes);
  if (pool_->spares() < needed) {
    absl::Status made = pool_->MakeSpares(needed);
    if (pool_->spares() < needed) return made;  // else some were released meanwhile
  }
  if (pool_->spares() >= kSparesWanted || spares_requested_.load()) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    if (file_system_->clock().Now() < next_spares_attempt_) return absl::OkStatus();
  }
  if (request_spares_ == nullptr) {
    MakeWantedSpares();
  } else if (!spares_requested_.exchange(true)) {
    request_spares_();
  }
  return absl::OkStatus();
}

void LogWriterImpl::MakeSpares() {
  if (!spares_requested_.load() || !failure().ok()) return;
  MakeWantedSpares();
  spares_requested_ = false;
}

void LogWriterImpl::MakeWantedSpares() {
  if (!pool_->MakeSpares(kSparesWanted).ok()) {
    absl::MutexLock lock(&mutex_);
    next_spares_attempt_ = file_system_->clock().Now() + kSparesPause;
  }
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
    absl::Status status = WriteGathered(/*sync=*/true);
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
  const io::LatchLock lock(&mutex_);
  KEEL_RETURN_IF_ERROR(failure_);
  if (!gather_->CanExtend(record_bytes, geometry_.frame_max, OffsetMax())) {
    const absl::Status status =
        MakeRoom(RoundUp(kFrameHeaderBytes + record_bytes, geometry_.block_bytes));
    if (!status.ok()) return failure_.ok() ? Fail(status) : failure_;
    if (!gather_->CanExtend(record_bytes, geometry_.frame_max, OffsetMax())) gather_->Open();
  }
  gather_->Append(record);
  SetEnd(Lsn{segment_->begin.value + gather_->end_offset()});
  promised_bytes_ -= std::min(promised_bytes_, WorstBytes(record.size(), 1));
  ++stats_.records;
  return end_;
}

// --- Reports ---------------------------------------------------------------------------------------

void LogWriterImpl::SetEnd(Lsn end) {
  end_ = end;
  end_seen_.store(end.value, std::memory_order_release);
}

void LogWriterImpl::SetDurable(Lsn durable) {
  durable_ = durable;
  durable_seen_.store(durable.value, std::memory_order_release);
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

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Create(
    io::FileSystem* file_system, std::filesystem::path directory, const LogIdentity& identity,
    Lsn floor, Lsn keep_from, const LogWriterOptions& options,
    std::optional<std::vector<SegmentFile>> files) {
  const SegmentPoolOptions pool_options = PoolOptions(identity.database, options);
  if (!files.has_value()) {
    KEEL_ASSIGN_OR_RETURN(files, OpenSegments(file_system, directory, pool_options.access));
  }
  KEEL_ASSIGN_OR_RETURN(
      std::unique_ptr<SegmentPool> pool,
      SegmentPool::Open(file_system, directory, *std::move(files), keep_from, pool_options));
  const LogGeometry geometry = ChooseGeometry(options, pool->smallest_bytes());
  const Lsn old = std::max(pool->end_at_open(), floor);
  // Nobody has written that much; and frames behind kLsnMax would be read by nobody.
  if (old.value >= kLsnMax / 2) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: the log would go on behind position %d, and positions end at %d",
                      directory.string(), old.value, kLsnMax);
  }
  KEEL_ASSIGN_OR_RETURN(Segment* const segment, pool->Take());
  SegmentPool* const spares = pool.get();
  auto writer =
      std::make_unique<LogWriterImpl>(file_system, identity, options, geometry, std::move(pool));
  KEEL_RETURN_IF_ERROR(writer->Begin(segment, Lsn{RoundUp(old.value + 1, kFreshLogUnit)}));
  // What is missing Reserve makes, or tells. While an older log is needed its files are the spares to come: more beside
  // them would be what the directory never gives back.
  if (spares->counts().held == 0) spares->MakeSpares(kSparesWanted).IgnoreError();
  return writer;
}

}  // namespace keel::wal
