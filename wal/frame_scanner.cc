#include "wal/frame_scanner.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace keel::wal {

FrameScanner::FrameScanner(io::File* file, uint64_t file_bytes, std::optional<DatabaseId> database)
    : file_(file), database_(database), window_(file, std::min(file_bytes, kSegmentBytesMax)) {}

absl::StatusOr<bool> FrameScanner::Next(FoundFrame* frame) {
  while (offset_ < window_.size()) {
    KEEL_ASSIGN_OR_RETURN(const std::string_view problem, At(offset_, frame));
    if (problem.empty()) {
      offset_ += frame->header.padded_bytes;
      return true;
    }
    offset_ += kLogBlockBytes;
  }
  return false;
}

absl::StatusOr<std::string_view> FrameScanner::At(uint64_t offset, FoundFrame* frame) {
  if (offset >= window_.size()) return "behind the end of the file";
  KEEL_ASSIGN_OR_RETURN(const auto block, window_.Get(offset, kLogBlockBytes));
  frame->offset = offset;
  frame->header = LoadFrameHeader(block);
  const FrameHeader& header = frame->header;
  std::string_view problem = FrameHeaderProblem(header, offset, window_.size() - offset);
  if (!problem.empty()) return problem;
  if (database_.has_value() && header.database() != *database_) return "of another database";

  KEEL_ASSIGN_OR_RETURN(const auto bytes, window_.Get(offset, header.padded_bytes));
  problem = FrameProblem(header, bytes);
  if (problem.empty()) {
    frame->payload = {reinterpret_cast<const char*>(bytes.data()) + kFrameHeaderBytes,
                      header.payload_bytes};
    return problem;
  }
  wasted_bytes_ += header.padded_bytes;
  if (wasted_bytes_ > 4 * kFrameBytesMax + 4 * window_.size()) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: too many damaged frames, given up at offset %d", file_->path().string(),
                      offset);
  }
  return problem;
}

void FrameScanner::Restart(uint64_t offset) {
  window_.Drop();
  offset_ = offset;
}

}  // namespace keel::wal
