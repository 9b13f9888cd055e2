#include "wal/segment_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"

namespace keel::wal {
namespace {

// Files of the first size, before sizes begin to double: the one in use and two spares.
constexpr size_t kFirstFiles = 3;

absl::Status OfAnotherDatabase(const SegmentFile& file) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "%s: belongs to the log of another database", file.file->path().string());
}

void SetContents(Segment* segment, uint64_t begin, uint64_t end, uint64_t salt) {
  segment->state = Segment::State::kHeld;
  segment->begin = Lsn{begin};
  segment->end = Lsn{end};
  segment->salt = salt;
}

// Whether the file has a size that a segment can have, and the one it was made with.
bool FitForUse(const SegmentFile& file, uint64_t bytes_min) {
  return file.bytes % kLogBlockBytes == 0 && file.bytes >= bytes_min &&
         file.bytes <= kSegmentBytesMax &&
         (!file.has_header() || file.header.segment_bytes == file.bytes);
}

// The salt of the log that `position` lies in.
std::optional<uint64_t> SaltAt(const std::vector<std::unique_ptr<Segment>>& segments,
                               Lsn position) {
  for (const auto& segment : segments) {
    if (segment->state == Segment::State::kHeld && segment->begin <= position &&
        position < segment->end) {
      return segment->salt;
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentPool>> SegmentPool::Open(io::FileSystem* file_system,
                                                               std::filesystem::path directory,
                                                               Lsn keep_from,
                                                               const SegmentPoolOptions& options) {
  KEEL_ASSIGN_OR_RETURN(std::vector<SegmentFile> files,
                        OpenSegments(file_system, directory, options.access));
  return Open(file_system, std::move(directory), std::move(files), keep_from, options);
}

absl::StatusOr<std::unique_ptr<SegmentPool>> SegmentPool::Open(io::FileSystem* file_system,
                                                               std::filesystem::path directory,
                                                               std::vector<SegmentFile> files,
                                                               Lsn keep_from,
                                                               const SegmentPoolOptions& options) {
  std::unique_ptr<SegmentPool> pool(new SegmentPool(file_system, std::move(directory), options));
  KEEL_RETURN_IF_ERROR(pool->Adopt(std::move(files), keep_from));
  return pool;
}

absl::Status SegmentPool::Adopt(std::vector<SegmentFile> files, Lsn keep_from) {
  absl::MutexLock lock(&mutex_);
  uint64_t unknown_bytes = 0;
  uint64_t unknown_files = 0;
  for (SegmentFile& file : files) {
    auto segment = std::make_unique<Segment>();
    segment->file = std::move(file);
    KEEL_ASSIGN_OR_RETURN(const bool whole, FindContents(segment.get()));
    end_at_open_ = std::max(end_at_open_, segment->end);
    last_number_at_open_ = std::max(last_number_at_open_, segment->file.header.segment);
    if (whole) {
      segments_.push_back(std::move(segment));
    } else {  // half made: its slot is free, and the file is made anew when the slot is taken
      unknown_bytes += segment->file.bytes;
      ++unknown_files;
    }
  }
  end_at_open_.value += unknown_bytes;
  last_number_at_open_ += unknown_files;

  const std::optional<uint64_t> kept_salt = SaltAt(segments_, keep_from);
  for (const auto& segment : segments_) {
    const bool other_log = kept_salt.has_value() && segment->salt != *kept_salt;
    if (segment->end <= keep_from || other_log) segment->state = Segment::State::kSpare;
  }
  DropUnfit();
  CountSpares();
  return absl::OkStatus();
}

// Finds out what a file holds. False if it shows neither header nor frame.
//
// A valid header may be that of an earlier use: a crash can lose the newer header and keep the frames
// written along with it, which a reader believes. They begin with the segment's first frame, so with
// a valid header it is enough to look at where that can be, and of these at what claims to be of a later use.
absl::StatusOr<bool> SegmentPool::FindContents(Segment* segment) {
  SegmentFile& file = segment->file;
  FoundFrame frame;
  FrameScanner scanner(file.file.get(), file.bytes, options_.database);
  if (file.has_header()) {
    if (file.header.database() != options_.database) return OfAnotherDatabase(file);
    if (file.header.segment != 0) {
      SetContents(segment, file.header.first_lsn, file.header.end(), file.header.salt);
    }
    // Made with zeros and this header, the file has never been another's: what is, is in somebody's value.
    for (const FrameClaim& claim : file.claims) {
      if (claim.header.segment <= file.header.segment) continue;
      KEEL_ASSIGN_OR_RETURN(const std::string_view problem, scanner.At(claim.offset, &frame));
      if (problem.empty()) NoteContents(segment, frame);
    }
    return true;
  }
  file.header = SegmentHeader();
  bool found_any = false;
  while (true) {
    KEEL_ASSIGN_OR_RETURN(const bool found, scanner.Next(&frame));
    if (!found) break;
    found_any = true;
    NoteContents(segment, frame);
  }
  if (found_any) return true;
  FrameScanner of_anybody(file.file.get(), file.bytes);
  KEEL_ASSIGN_OR_RETURN(const bool found, of_anybody.Next(&frame));
  if (found) return OfAnotherDatabase(file);
  return false;
}

// The newest use counts.
void SegmentPool::NoteContents(Segment* segment, const FoundFrame& frame) {
  SegmentFile& file = segment->file;
  if (frame.header.segment <= file.header.segment) return;
  file.header.segment = frame.header.segment;
  SetContents(segment, frame.base().value, frame.base().value + file.bytes, frame.header.salt);
}

absl::StatusOr<Segment*> SegmentPool::Take() {
  while (true) {
    if (Segment* const spare = PickSpare(); spare != nullptr) return spare;
    KEEL_RETURN_IF_ERROR(MakeSpares(1));
  }
}

// The largest, so that small ones fall out of use.
Segment* SegmentPool::PickSpare() {
  absl::MutexLock lock(&mutex_);
  Segment* best = nullptr;
  for (const auto& segment : segments_) {
    if (segment->state != Segment::State::kSpare) continue;
    if (best == nullptr || segment->file.bytes > best->file.bytes) best = segment.get();
  }
  if (best != nullptr) best->state = Segment::State::kActive;
  CountSpares();
  return best;
}

void SegmentPool::Return(Segment* segment) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(segment->state == Segment::State::kActive);
  segment->state = Segment::State::kSpare;
  CountSpares();
}

void SegmentPool::Hold(Segment* segment) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(segment->state == Segment::State::kActive);
  segment->state = Segment::State::kHeld;
}

void SegmentPool::Release(Lsn lsn) {
  absl::MutexLock lock(&mutex_);
  for (const auto& segment : segments_) {
    if (segment->state == Segment::State::kHeld && segment->end <= lsn) {
      segment->state = Segment::State::kSpare;
    }
  }
  DropUnfit();
  CountSpares();
}

// Files that are of no use are closed; their slots are free, and they are made anew when one is taken.
void SegmentPool::DropUnfit() {
  std::erase_if(segments_, [this](const auto& segment) {
    return segment->state == Segment::State::kSpare &&
           !FitForUse(segment->file, options_.segment_bytes_min);
  });
}

absl::Status SegmentPool::MakeSpares(size_t count) {
  absl::MutexLock making(&making_);
  while (spares() < count) KEEL_RETURN_IF_ERROR(MakeOne());
  return absl::OkStatus();
}

absl::Status SegmentPool::MakeOne() {
  uint32_t slot = 0;
  uint64_t bytes = 0;
  {
    absl::MutexLock lock(&mutex_);
    slot = FreeSlot();
    bytes = NextBytes();
  }
  // Asked first, so that a full disk costs one question, not a file of zeros.
  KEEL_ASSIGN_OR_RETURN(const uint64_t free_bytes, file_system_->FreeSpace(directory_));
  if (slot > kSegmentSlotsMax || free_bytes < bytes) {
    return MarkDiskFull(MakeStatus(absl::StatusCode::kResourceExhausted,
                                   "%s: no room for a log segment of %d bytes (%d free)",
                                   directory_.string(), bytes, free_bytes));
  }
  auto segment = std::make_unique<Segment>();
  KEEL_ASSIGN_OR_RETURN(segment->file, MakeSegment(file_system_, directory_, slot, bytes,
                                                   options_.database, options_.access));
  absl::MutexLock lock(&mutex_);
  segments_.push_back(std::move(segment));
  CountSpares();
  return absl::OkStatus();
}

uint32_t SegmentPool::FreeSlot() const {
  for (uint32_t slot = 1;; ++slot) {
    const bool used = std::ranges::any_of(
        segments_, [slot](const auto& segment) { return segment->file.slot == slot; });
    if (!used) return slot;
  }
}

uint64_t SegmentPool::NextBytes() const {
  if (segments_.size() < kFirstFiles) return options_.first_segment_bytes;
  uint64_t largest = options_.first_segment_bytes;
  for (const auto& segment : segments_) largest = std::max(largest, segment->file.bytes);
  return std::min(2 * largest, options_.segment_bytes);
}

void SegmentPool::CountSpares() {
  spares_ = static_cast<size_t>(std::ranges::count_if(
      segments_, [](const auto& segment) { return segment->state == Segment::State::kSpare; }));
}

uint64_t SegmentPool::smallest_bytes() const {
  absl::MutexLock lock(&mutex_);
  uint64_t smallest = options_.first_segment_bytes;
  for (const auto& segment : segments_) {
    if (!FitForUse(segment->file, options_.segment_bytes_min)) continue;
    smallest = std::min(smallest, segment->file.bytes);
  }
  return smallest;
}

SegmentPoolCounts SegmentPool::counts() const {
  absl::MutexLock lock(&mutex_);
  SegmentPoolCounts counts;
  for (const auto& segment : segments_) {
    ++counts.files;
    counts.bytes += segment->file.bytes;
    if (segment->state == Segment::State::kSpare) ++counts.spares;
    if (segment->state == Segment::State::kHeld) ++counts.held;
  }
  return counts;
}

}  // namespace keel::wal
