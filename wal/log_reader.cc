#include "wal/log_reader.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/status.h"
#include "wal/frame_scanner.h"
#include "wal/log_survey.h"
#include "wal/segment.h"

namespace keel::wal {
namespace {

constexpr int kReadAttempts = 3;

class LogReaderImpl final : public LogReader {
 public:
  LogReaderImpl(std::vector<SegmentFile> segments, bool has_directory, const LogStart& start)
      : segments_(std::move(segments)), has_directory_(has_directory), start_(start) {}

  absl::Status Survey(const DatabaseId& database, const LogReaderOptions& options) {
    LogSurvey survey(&segments_, database, start_, options);
    KEEL_RETURN_IF_ERROR(survey.Run());
    log_ = survey.runs();
    end_ = survey.end();
    return Rewind();
  }

  const LogEnd& end() const override { return end_; }

  absl::StatusOr<bool> Next(LogRecord* record) override {
    while (true) {
      while (records_.Next()) {
        if (records_.end() <= start_.lsn) continue;
        record->end = records_.end();
        record->bytes = records_.bytes();
        return true;
      }
      KEEL_ASSIGN_OR_RETURN(const bool more, NextFrame());
      if (!more) return false;
    }
  }

  absl::Status Rewind() override {
    run_ = 0;
    scanner_.reset();
    records_ = RecordWalker();
    chain_ = start_.chain;
    return absl::OkStatus();
  }

  std::optional<std::vector<SegmentFile>> TakeFiles() override {
    scanner_.reset();
    log_.clear();
    if (!has_directory_) return std::nullopt;
    return std::move(segments_);
  }

 private:
  absl::StatusOr<bool> NextFrame() {
    while (run_ < log_.size()) {
      const FrameRun& run = log_[run_];
      if (!scanner_.has_value()) {
        scanner_.emplace(segments_[run.file].file.get(), segments_[run.file].bytes);
        offset_ = run.begin_offset();
      }
      if (offset_ < run.end_offset()) {
        KEEL_RETURN_IF_ERROR(ReadFrame(run));
        return true;
      }
      scanner_.reset();
      ++run_;
    }
    return false;
  }

  // The survey found this frame valid; it is checked again, since it was read again.
  absl::Status ReadFrame(const FrameRun& run) {
    FoundFrame frame;
    std::string_view problem;
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
      KEEL_ASSIGN_OR_RETURN(problem, scanner_->At(offset_, &frame));
      if (problem.empty() && (frame.base() != run.base || frame.header.previous != chain_)) {
        problem = "another frame than before";
      }
      if (problem.empty()) {
        records_ = RecordWalker(Lsn{frame.header.lsn}, frame.payload);
        chain_ = frame.header.checksum;
        offset_ += frame.header.padded_bytes;
        return absl::OkStatus();
      }
      scanner_->Restart(offset_);
    }
    return MakeStatus(absl::StatusCode::kDataLoss, "%s, offset %d (log position %d): %s",
                      segments_[run.file].file->path().string(), offset_, run.base.value + offset_,
                      problem);
  }

  std::vector<SegmentFile> segments_;
  const bool has_directory_;
  const LogStart start_;
  std::vector<FrameRun> log_;
  LogEnd end_;

  size_t run_ = 0;  // where Next stands: this run, at this offset of its file
  uint64_t offset_ = 0;
  uint64_t chain_ = 0;
  std::optional<FrameScanner> scanner_;
  RecordWalker records_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LogReader>> LogReader::Open(io::FileSystem* file_system,
                                                           std::filesystem::path directory,
                                                           const DatabaseId& database,
                                                           const LogStart& start,
                                                           const LogReaderOptions& options) {
  SegmentAccess access;
  access.direct_io = options.direct_io;
  access.lock = options.lock;
  access.lock_timeout = options.lock_timeout;
  access.clean = options.clean;
  absl::StatusOr<std::vector<SegmentFile>> segments = OpenSegments(file_system, directory, access);
  const bool has_directory = !absl::IsNotFound(segments.status());
  if (!has_directory) {
    if (!options.clean || options.newer_may_be_lost) {
      return MakeStatus(absl::StatusCode::kDataLoss, "%s: the log is missing%s: %s",
                        directory.string(),
                        options.clean ? ", and copies of the superblock are damaged, of which it "
                                        "could tell whether they were newer ones"
                                      : "",
                        MessageOf(segments.status()));
    }
    segments = std::vector<SegmentFile>();
  }
  KEEL_RETURN_IF_ERROR(segments.status());
  auto reader = std::make_unique<LogReaderImpl>(*std::move(segments), has_directory, start);
  KEEL_RETURN_IF_ERROR(reader->Survey(database, options));
  return reader;
}

absl::StatusOr<bool> HoldsFrames(io::FileSystem* file_system,
                                 const std::filesystem::path& directory, bool direct_io) {
  SegmentAccess access;
  access.direct_io = direct_io;
  access.lock = io::LockMode::kShared;
  absl::StatusOr<std::vector<SegmentFile>> segments = OpenSegments(file_system, directory, access);
  if (absl::IsNotFound(segments.status())) return false;
  KEEL_RETURN_IF_ERROR(segments.status());
  for (const SegmentFile& segment : *segments) {
    FrameScanner scanner(segment.file.get(), segment.bytes);
    FoundFrame frame;
    KEEL_ASSIGN_OR_RETURN(const bool found, scanner.Next(&frame));
    if (found) return true;
  }
  return false;
}

}  // namespace keel::wal
