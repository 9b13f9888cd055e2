#include "wal/log_survey.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace keel::wal {
namespace {

// More pieces than this is no log that any writer left behind.
constexpr size_t kRunsMax = 65536;
constexpr int kSearchesMax = 3;

// Whether `frame` follows the last frame of `run`, in place and by chain.
bool Follows(const FrameRun& run, size_t file, const FoundFrame& frame) {
  const FrameHeader& header = frame.header;
  return run.file == file && run.base == frame.base() && run.segment == header.segment &&
         run.end.value == header.lsn && run.last_checksum == header.previous;
}

}  // namespace

LogSurvey::LogSurvey(std::vector<SegmentFile>* segments, const DatabaseId& database,
                     const LogStart& start, const LogReaderOptions& options)
    : segments_(segments), database_(database), start_(start), options_(options) {}

absl::Status LogSurvey::Run() {
  for (int search = 0; search < kSearchesMax; ++search) {
    KEEL_RETURN_IF_ERROR(Search());
    Link();
    if (!options_.clean) {
      KEEL_ASSIGN_OR_RETURN(const bool stable, EndIsStable());
      if (!stable) continue;
    }
    KEEL_RETURN_IF_ERROR(Judge());
    Describe();
    return absl::OkStatus();
  }
  return MakeStatus(absl::StatusCode::kUnavailable,
                    "the log reads differently each time, near position %d", end_.lsn.value);
}

// --- Search ----------------------------------------------------------------------------------------

absl::Status LogSurvey::Search() {
  found_.clear();
  unreadable_.clear();
  for (size_t index = 0; index < segments_->size(); ++index) {
    KEEL_RETURN_IF_ERROR(SearchFile(index));
  }
  std::ranges::sort(found_, [](const FrameRun& a, const FrameRun& b) {
    return std::pair(a.segment, a.begin) < std::pair(b.segment, b.begin);
  });
  return absl::OkStatus();
}

absl::Status LogSurvey::SearchFile(size_t index) {
  const SegmentFile& segment = (*segments_)[index];
  KEEL_RETURN_IF_ERROR(NoteHeader(segment));
  FrameScanner scanner(segment.file.get(), segment.bytes, database_);
  FoundFrame frame;
  if (options_.clean) {
    const uint64_t first = segment.has_header() ? segment.header.block_bytes : kLogBlockBytes;
    if (!MayProveLoss(segment, first)) return absl::OkStatus();
    KEEL_ASSIGN_OR_RETURN(const std::string_view problem, scanner.At(first, &frame));
    return problem.empty() ? NoteFrame(index, frame) : absl::OkStatus();
  }
  while (true) {
    KEEL_ASSIGN_OR_RETURN(const bool found, scanner.Next(&frame));
    if (!found) break;
    KEEL_RETURN_IF_ERROR(NoteFrame(index, frame));
  }
  for (const uint64_t offset : scanner.unreadable()) unreadable_.push_back({index, offset});
  return absl::OkStatus();
}

// Of an empty log a frame can tell only of a newer superblock (E4). One that does not even claim to is not read.
bool LogSurvey::MayProveLoss(const SegmentFile& segment, uint64_t offset) const {
  return std::ranges::any_of(segment.claims, [&](const FrameClaim& claim) {
    return claim.offset == offset && claim.header.database() == database_ &&
           (claim.header.generation > options_.generation.value ||
            claim.header.incarnation > options_.incarnation);
  });
}

absl::Status LogSurvey::NoteHeader(const SegmentFile& segment) {
  if (!segment.has_header()) return absl::OkStatus();
  const SegmentHeader& header = segment.header;
  if (header.database() != database_) {
    return MakeStatus(absl::StatusCode::kDataLoss, "%s: belongs to the log of another database",
                      segment.file->path().string());
  }
  if (header.segment == 0) return absl::OkStatus();
  NoteOrigin(segment.file->path().string(), header.generation, header.incarnation);
  if (header.salt != start_.salt) return absl::OkStatus();
  NoteRange(Lsn{header.first_lsn}, header.segment_bytes);
  header_mark_ = std::max(header_mark_, Lsn{header.durable_mark});
  return absl::OkStatus();
}

absl::Status LogSurvey::NoteFrame(size_t index, const FoundFrame& frame) {
  const FrameHeader& header = frame.header;
  if (header.generation > options_.generation.value || header.incarnation > options_.incarnation) {
    NoteOrigin(absl::StrFormat("%s, offset %d", Name(index), frame.offset), header.generation,
               header.incarnation);
  }
  if (header.salt != start_.salt) return absl::OkStatus();
  NoteRange(frame.base(), (*segments_)[index].bytes);
  if (header.end() <= start_.lsn.value) return absl::OkStatus();
  return AddToRuns(index, frame);
}

void LogSurvey::NoteOrigin(const std::string& place, uint64_t generation, uint64_t incarnation) {
  if (generation > generation_.value) generation_ = {generation, place};
  if (incarnation > incarnation_.value) incarnation_ = {incarnation, place};
}

void LogSurvey::NoteRange(Lsn begin, uint64_t bytes) {
  if (begin <= start_.lsn && start_.lsn.value - begin.value <= bytes) start_held_ = true;
}

// The frame that contains the start begins a run, since its predecessor is the start's to name.
absl::Status LogSurvey::AddToRuns(size_t index, const FoundFrame& frame) {
  const FrameHeader& header = frame.header;
  const bool first_of_log = header.lsn <= start_.lsn.value;
  if (first_of_log || found_.empty() || !Follows(found_.back(), index, frame)) {
    if (found_.size() == kRunsMax) {
      return MakeStatus(absl::StatusCode::kDataLoss, "%s: the log is in too many pieces",
                        Name(index));
    }
    FrameRun run;
    run.file = index;
    run.segment = header.segment;
    run.base = frame.base();
    run.begin = Lsn{header.lsn};
    run.first_end = Lsn{header.end()};
    run.previous = header.previous;
    found_.push_back(run);
  }
  FrameRun& run = found_.back();
  run.end = Lsn{header.end()};
  run.last_checksum = header.checksum;
  run.durable_mark = std::max(run.durable_mark, Lsn{header.durable_mark});
  ++run.frames;
  RecordWalker records(Lsn{header.lsn}, frame.payload);
  while (records.Next()) {
    if (records.end() <= start_.lsn) continue;
    ++run.records;
    run.last_record = records.end();
  }
  return absl::OkStatus();
}

// --- Linking ---------------------------------------------------------------------------------------

void LogSurvey::Link() {
  log_.clear();
  end_ = LogEnd();
  end_.lsn = start_.lsn;
  end_.last_record = start_.lsn;
  if (options_.clean) return;
  for (const FrameRun* run = FindFirst(); run != nullptr; run = FindNext(log_.back())) {
    log_.push_back(*run);
    end_.lsn = std::max(end_.lsn, run->end);
    end_.last_record = std::max(end_.last_record, run->last_record);
    end_.frames += run->frames;
    end_.records += run->records;
    end_.bytes += run->end.value - run->begin.value;
    end_.durable_mark = std::max(end_.durable_mark, run->durable_mark);
  }
}

const FrameRun* LogSurvey::FindFirst() const {
  const FrameRun* first = nullptr;
  for (const FrameRun& run : found_) {
    if (run.previous != start_.chain) continue;
    if (run.begin <= start_.lsn && start_.lsn < run.first_end) return &run;
    if (run.begin > start_.lsn && (first == nullptr || run.begin < first->begin)) first = &run;
  }
  return first;
}

// In the same segment at the very place, else in the next segment.
const FrameRun* LogSurvey::FindNext(const FrameRun& run) const {
  const auto from = [this](uint64_t segment, Lsn begin) {
    return std::ranges::lower_bound(
        found_, std::pair(segment, begin), {},
        [](const FrameRun& other) { return std::pair(other.segment, other.begin); });
  };
  for (auto next = from(run.segment, run.end);
       next != found_.end() && next->segment == run.segment && next->begin == run.end; ++next) {
    if (next->previous == run.last_checksum) return &*next;
  }
  for (auto next = from(run.segment + 1, run.end);
       next != found_.end() && next->segment == run.segment + 1; ++next) {
    if (next->previous == run.last_checksum) return &*next;
  }
  return nullptr;
}

// Reads a second time what stands at the end: there, and where a further segment would go on. False
// if the log now continues.
absl::StatusOr<bool> LogSurvey::EndIsStable() {
  problem_at_end_ = "nothing was written behind it";
  torn_frame_bytes_ = 0;
  for (size_t index = 0; index < segments_->size(); ++index) {
    const SegmentFile& segment = (*segments_)[index];
    std::optional<Lsn> base;
    if (segment.has_header() && segment.header.salt == start_.salt && segment.header.segment != 0) {
      base = Lsn{segment.header.first_lsn};
    }
    if (!log_.empty() && log_.back().file == index) base = log_.back().base;
    if (!base.has_value()) continue;
    uint64_t offset = segment.has_header() ? segment.header.block_bytes : kLogBlockBytes;
    if (base->value + offset < end_.lsn.value) offset = end_.lsn.value - base->value;
    if (offset % kLogBlockBytes != 0 || offset >= segment.bytes) continue;
    KEEL_ASSIGN_OR_RETURN(const bool continues, Continues(index, offset));
    if (continues) return false;
  }
  return true;
}

absl::StatusOr<bool> LogSurvey::Continues(size_t index, uint64_t offset) {
  const SegmentFile& segment = (*segments_)[index];
  FrameScanner scanner(segment.file.get(), segment.bytes, database_);
  FoundFrame frame;
  KEEL_ASSIGN_OR_RETURN(const std::string_view problem, scanner.At(offset, &frame));
  const FrameHeader& header = frame.header;
  const bool of_this_log = header.magic == kFrameMagic && header.database() == database_ &&
                           header.salt == start_.salt && header.lsn >= end_.lsn.value;
  if (!of_this_log) return false;
  if (problem.empty()) {
    if (log_.empty()) return header.previous == start_.chain;
    const FrameRun& last = log_.back();
    const bool next_in_place = header.segment == last.segment && header.lsn == last.end.value;
    return header.previous == last.last_checksum &&
           (next_in_place || header.segment == last.segment + 1);
  }
  problem_at_end_ = absl::StrFormat("%s, offset %d: %s", Name(index), offset, problem);
  torn_frame_bytes_ = std::min<uint64_t>(header.padded_bytes, segment.bytes - offset);
  return false;
}

// --- Judgement -------------------------------------------------------------------------------------

absl::Status LogSurvey::Judge() const {
  KEEL_RETURN_IF_ERROR(JudgeOrigin());
  if (options_.clean) return absl::OkStatus();
  if (!start_held_ && log_.empty()) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "no log segment holds position %d, where the log begins (%d segment files "
                      "found)",
                      start_.lsn.value, segments_->size());
  }
  KEEL_RETURN_IF_ERROR(JudgeMarks());
  KEEL_RETURN_IF_ERROR(JudgeNeighbours());
  return JudgeUnreadable();
}

absl::Status LogSurvey::JudgeOrigin() const {
  if (generation_.value > options_.generation.value) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: written after checkpoint %d, but the newest superblock is that of "
                      "checkpoint %d: a newer one was lost",
                      generation_.place, generation_.value, options_.generation.value);
  }
  if (incarnation_.value > options_.incarnation) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: written by incarnation %d, but the newest superblock is of incarnation "
                      "%d: a newer one was lost",
                      incarnation_.place, incarnation_.value, options_.incarnation);
  }
  return absl::OkStatus();
}

absl::Status LogSurvey::JudgeMarks() const {
  Lsn mark = header_mark_;
  for (const FrameRun& run : found_) {
    if (run.end > end_.lsn) mark = std::max(mark, run.durable_mark);
  }
  if (mark <= end_.lsn) return absl::OkStatus();
  return Lost(
      mark, absl::StrFormat("later frames prove that everything below %d was durable", mark.value));
}

absl::Status LogSurvey::JudgeNeighbours() const {
  if (log_.empty() && start_.lsn.value % kLogBlockBytes != 0) {
    return Lost(Lsn{RoundUp(start_.lsn.value, kLogBlockBytes)},
                "the checkpoint names a position within a frame, which is not valid");
  }
  for (const FrameRun& run : found_) {
    const bool at_end = log_.empty() ? run.begin <= end_.lsn && end_.lsn < run.first_end
                                     : run.segment == log_.back().segment && run.begin == end_.lsn;
    if (at_end) return Lost(run.first_end, "the frame there names another predecessor");
  }
  return absl::OkStatus();
}

absl::Status LogSurvey::JudgeUnreadable() const {
  if (options_.unreadable_as_torn) return absl::OkStatus();
  for (const BadBlock& block : unreadable_) {
    if (!MayHoldEnd(block)) continue;
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s, offset %d: cannot be read, and may hold records behind position %d",
                      Name(block.file), block.offset, end_.lsn.value);
  }
  return absl::OkStatus();
}

// Whether the block may hold something of this log at or above the end.
bool LogSurvey::MayHoldEnd(const BadBlock& block) const {
  const SegmentFile& segment = (*segments_)[block.file];
  std::optional<Lsn> base;
  uint64_t frames_end = segment.bytes;
  if (segment.has_header() && segment.header.segment != 0 && segment.header.salt == start_.salt) {
    base = Lsn{segment.header.first_lsn};
    // No frame lies in a segment's last block; the flush probe writes there (F1).
    frames_end -= std::min<uint64_t>(frames_end, segment.header.block_bytes);
  }
  for (const FrameRun& run : found_) {
    if (run.file != block.file || (base.has_value() && run.base <= *base)) continue;
    base = run.base;
    frames_end = segment.bytes;  // it has no header that tells the size of its blocks
  }
  if (base.has_value()) {
    return block.offset < frames_end && base->value + block.offset >= end_.lsn.value;
  }
  // A valid header of another use says that nothing of this log was ever durable here; a header alone
  // that cannot be read hides nothing, since frames speak for themselves.
  return !segment.has_header() && block.offset != 0;
}

void LogSurvey::Describe() {
  end_.torn_bytes = torn_frame_bytes_;
  for (const FrameRun& run : found_) {
    if (run.begin >= end_.lsn) end_.torn_bytes += run.end.value - run.begin.value;
  }
  end_.torn = end_.torn_bytes > 0;
  if (options_.clean) {
    end_.reason = "the database was closed cleanly";
  } else {
    end_.reason = absl::StrFormat("%s: %s", PlaceOf(end_.lsn), problem_at_end_);
  }
}

absl::Status LogSurvey::Lost(Lsn to, const std::string& proof) const {
  Lsn next;
  for (const FrameRun& run : found_) {
    if (run.begin > end_.lsn && (next == Lsn{} || run.begin < next)) next = run.begin;
  }
  std::string message = absl::StrFormat("%s: log positions [%d, %d) are damaged or missing: %s",
                                        PlaceOf(end_.lsn), end_.lsn.value, to.value, proof);
  if (next != Lsn{}) {
    message += absl::StrFormat("; the next valid frame is at %d (%s)", next.value, PlaceOf(next));
  }
  return absl::DataLossError(message);
}

std::string LogSurvey::PlaceOf(Lsn lsn) const {
  for (const FrameRun& run : found_) {
    const uint64_t bytes = (*segments_)[run.file].bytes;
    if (run.base <= lsn && lsn.value - run.base.value < bytes) {
      return absl::StrFormat("%s, offset %d", Name(run.file), lsn.value - run.base.value);
    }
  }
  for (size_t index = 0; index < segments_->size(); ++index) {
    const SegmentFile& segment = (*segments_)[index];
    if (!segment.has_header() || segment.header.salt != start_.salt) continue;
    if (segment.header.first_lsn <= lsn.value && lsn.value < segment.header.end()) {
      return absl::StrFormat("%s, offset %d", Name(index), lsn.value - segment.header.first_lsn);
    }
  }
  return absl::StrFormat("log position %d", lsn.value);
}

std::string LogSurvey::Name(size_t index) const {
  return (*segments_)[index].file->path().string();
}

}  // namespace keel::wal
