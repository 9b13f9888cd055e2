// Decides where a log ends, and whether what stands there is a torn tail or damage (R11).
//
// One pass over all blocks of all segments finds every frame that is valid by itself. Frames of this
// log that follow each other in a file, in place and by chain, form a *run*. Runs are linked into the
// log from its start on; x, the end of the last one linked, is where the log may end. Then evidence:
//
//   E1  A frame of this log at or above x, or a segment header of this log, carries a durable mark above
//       x: what stood at x was acknowledged. (Every frame or header of a later segment carries a mark at
//       or above the end of the segment before, since that was synced first. So a frame in a later
//       segment needs no rule of its own: its mark either proves a loss, or proves that there is none.)
//   E2  A frame of this log stands exactly at x (or at the start) and names another predecessor.
//   E3  The start lies within a frame, so that frame was durable, but it is not valid.
//   E4  A frame or header of this database carries a newer generation or incarnation than the
//       superblock: a newer superblock was lost.
//   E5  No segment holds the start.
//   E6  A block that may belong to this log at or above x cannot be read.
//
// Any of these is DataLoss; otherwise x is the end. What stands at x is read a second time before x is
// believed.

#ifndef KEEL_WAL_LOG_SURVEY_H_
#define KEEL_WAL_LOG_SURVEY_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wal/frame_scanner.h"
#include "wal/log_reader.h"
#include "wal/log_types.h"
#include "wal/segment.h"

namespace keel::wal {

// Frames that follow each other in one file.
struct FrameRun {
  size_t file = 0;       // index of the segment file
  uint64_t segment = 0;  // number
  Lsn base;              // LSN of file offset 0
  Lsn begin;
  Lsn first_end;  // behind the first frame
  Lsn end;
  uint64_t previous = 0;       // named by the first frame
  uint64_t last_checksum = 0;  // of the last frame
  Lsn durable_mark;            // highest
  uint64_t frames = 0;
  uint64_t records = 0;  // behind the start of the log
  Lsn last_record;       // end of the last of these

  uint64_t begin_offset() const { return begin.value - base.value; }
  uint64_t end_offset() const { return end.value - base.value; }
};

class LogSurvey {
 public:
  // `segments` outlive the survey.
  LogSurvey(std::vector<SegmentFile>* segments, const DatabaseId& database, const LogStart& start,
            const LogReaderOptions& options);

  // Reads and judges. OK: runs() and end() hold.
  absl::Status Run();

  // The log, in order.
  const std::vector<FrameRun>& runs() const { return log_; }
  const LogEnd& end() const { return end_; }

 private:
  // The highest number of its kind, and where it was seen.
  struct Highest {
    uint64_t value = 0;
    std::string place;
  };
  struct BadBlock {
    size_t file;
    uint64_t offset;
  };

  absl::Status Search();
  absl::Status SearchFile(size_t index);
  bool MayProveLoss(const SegmentFile& segment, uint64_t offset) const;
  absl::Status NoteHeader(const SegmentFile& segment);
  absl::Status NoteFrame(size_t index, const FoundFrame& frame);
  void NoteOrigin(const std::string& place, uint64_t generation, uint64_t incarnation);
  void NoteRange(Lsn begin, uint64_t bytes);
  absl::Status AddToRuns(size_t index, const FoundFrame& frame);

  void Link();
  const FrameRun* FindFirst() const;
  const FrameRun* FindNext(const FrameRun& run) const;
  absl::StatusOr<bool> EndIsStable();
  absl::StatusOr<bool> Continues(size_t index, uint64_t offset);

  absl::Status Judge() const;
  absl::Status JudgeOrigin() const;
  absl::Status JudgeMarks() const;
  absl::Status JudgeNeighbours() const;
  absl::Status JudgeUnreadable() const;
  bool MayHoldEnd(const BadBlock& block) const;
  void Describe();
  absl::Status Lost(Lsn to, const std::string& proof) const;
  std::string PlaceOf(Lsn lsn) const;
  std::string Name(size_t index) const;

  std::vector<SegmentFile>* const segments_;
  const DatabaseId database_;
  const LogStart start_;
  const LogReaderOptions options_;

  std::vector<FrameRun> found_;  // of this log, from the start on; sorted by segment and begin
  std::vector<FrameRun> log_;
  std::vector<BadBlock> unreadable_;
  bool start_held_ = false;  // some segment holds the start
  Lsn header_mark_;          // highest durable mark in a segment header of this log
  Highest generation_;
  Highest incarnation_;
  std::string problem_at_end_;
  uint64_t torn_frame_bytes_ = 0;  // of a frame that begins at the end and is not valid
  LogEnd end_;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_LOG_SURVEY_H_
