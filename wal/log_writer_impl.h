// The log writer's own state: shared by the sources that implement it, and by nobody else.

#ifndef KEEL_WAL_LOG_WRITER_IMPL_H_
#define KEEL_WAL_LOG_WRITER_IMPL_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "io/file_system.h"
#include "wal/flush_probe.h"
#include "wal/flush_rounds.h"
#include "wal/frame_buffer.h"
#include "wal/frame_format.h"
#include "wal/frame_table.h"
#include "wal/log_types.h"
#include "wal/log_writer.h"
#include "wal/segment_pool.h"

namespace keel::wal {

// Spares that are made ahead, and of them the one that records never take: with it a checkpoint can
// always write the frame that lets segments go (L6), however full the disk is.
inline constexpr size_t kSparesWanted = 2;
inline constexpr size_t kSparesKept = 1;

struct LogGeometry {
  size_t block_bytes = 0;
  size_t buffer_bytes = 0;  // of each of the two buffers
  size_t frame_max = 0;     // header and records of one frame
  size_t record_max = 0;
};

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
                const LogWriterOptions& options, const LogGeometry& geometry,
                std::unique_ptr<SegmentPool> pool)
      : file_system_(file_system),
        identity_(identity),
        options_(options),
        geometry_(geometry),
        pool_(std::move(pool)),
        probe_(/*linked_requests=*/file_system->backend().name == "io_uring") {}

  // Begins the log in `segment`, whose first LSN is `first`.
  absl::Status Begin(Segment* segment, Lsn first) ABSL_LOCKS_EXCLUDED(mutex_);

  LogStart start() const override { return start_; }
  void HaveSparesMade(std::function<void()> request) override {
    request_spares_ = std::move(request);
  }
  void MakeSpares() override ABSL_LOCKS_EXCLUDED(mutex_);
  size_t max_record_bytes() const override { return geometry_.record_max; }
  absl::Status Reserve(uint64_t bytes, uint64_t records) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Lsn> Append(std::string_view record) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Flush(Lsn lsn, uint32_t commits) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<bool> ProbeFlushMethod() override ABSL_LOCKS_EXCLUDED(mutex_);
  Lsn durable() const override { return Lsn{durable_seen_.load(std::memory_order_acquire)}; }
  Lsn end() const override { return Lsn{end_seen_.load(std::memory_order_acquire)}; }
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
  void MakeWantedSpares() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t SegmentsBeyondThis(uint64_t worst_bytes) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status MakeRoom(uint64_t frame_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Rotate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginSegment(Segment* segment, Lsn first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SegmentHeader HeaderOf(const Segment& segment) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The baton.
  void TakeBaton() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PassBaton() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Rounds of flushes.
  enum class Role : uint8_t { kLeader, kNextLeader, kSleeper };
  FlushRounds::Round RoundOf(Lsn lsn) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  FlushRounds::Woken Lead(bool in_company) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AwaitCompany() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  FlushRounds::Woken EndRound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Writing. REQUIRES: the baton. The lock is let go during I/O.
  absl::Status WriteGathered(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteEmptyFrame(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Job NextJob(bool sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Seal(const Job& job);
  io::FlushOutcome Perform(const Job& job);
  io::FlushOutcome PerformOnce(const Job& job, std::span<const std::byte> bytes);
  absl::Status Complete(const Job& job, const io::FlushOutcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<absl::Duration> TimeWriteInLastBlock(io::FlushMethod method,
                                                      std::span<std::byte> zeros)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetEnd(Lsn end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetDurable(Lsn durable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Fail(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OutcomeAfterFailure(Lsn lsn) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::FileSystem* const file_system_;
  const LogIdentity identity_;
  const LogWriterOptions options_;
  const LogGeometry geometry_;
  const std::unique_ptr<SegmentPool> pool_;
  LogStart start_;
  std::function<void()> request_spares_;        // empty: Reserve makes all of them
  std::atomic<bool> spares_requested_ = false;  // and not yet made

  mutable absl::Mutex mutex_;
  absl::CondVar baton_free_;
  FlushRounds rounds_ ABSL_GUARDED_BY(mutex_);
  Lsn round_end_ ABSL_GUARDED_BY(mutex_);  // what this round will make durable; 0: not settled
  bool gathers_company_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;

  std::array<FrameBuffer, 2> buffers_;
  FrameBuffer* gather_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Segment* segment_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t promised_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // reserved, not yet appended; worst case
  absl::Duration next_spares_attempt_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();

  // durable_ and end_, for those who ask without the lock, which each commit does.
  std::atomic<uint64_t> durable_seen_ = 0;
  std::atomic<uint64_t> end_seen_ = 0;

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

  // Of who measures (F1-F3).
  FlushProbe probe_;
  const Segment* cleared_ = nullptr;  // its last block holds nothing but zeros

  // Of the baton's holder.
  uint64_t chain_ = 0;  // checksum of the last sealed frame
  std::vector<SealedFrame> sealed_;
  uint64_t retries_ = 0;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_LOG_WRITER_IMPL_H_
