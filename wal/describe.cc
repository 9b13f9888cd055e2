#include "wal/describe.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "wal/block_window.h"
#include "wal/frame_scanner.h"
#include "wal/segment.h"

namespace keel::wal {
namespace {

using Kind = PieceDescription::Kind;

bool IsZero(std::span<const std::byte> block) {
  return std::ranges::all_of(block, [](std::byte byte) { return byte == std::byte{0}; });
}

bool IsFrame(Kind kind) { return kind == Kind::kFrame || kind == Kind::kDamagedFrame; }

// Goes through one file and joins neighbouring blocks of a kind.
class Teller {
 public:
  Teller(io::File* file, SegmentDescription* segment,
         absl::FunctionRef<bool(const PieceDescription&)> tell)
      : segment_(segment),
        tell_(tell),
        scanner_(file, segment->file_bytes),
        blocks_(file, scanner_.file_bytes()) {}

  absl::Status Run() {
    KEEL_RETURN_IF_ERROR(ReadHeader());
    uint64_t offset = kLogBlockBytes;
    while (going_ && offset < scanner_.file_bytes()) {
      KEEL_ASSIGN_OR_RETURN(const PieceDescription piece, PieceAt(offset));
      offset += piece.bytes;
      Add(piece);
    }
    Tell();
    return absl::OkStatus();
  }

 private:
  absl::Status ReadHeader() {
    if (blocks_.size() == 0) {
      segment_->problem = "shorter than a header";
      return absl::OkStatus();
    }
    KEEL_ASSIGN_OR_RETURN(const auto block, blocks_.Get(0, kLogBlockBytes));
    segment_->problem = LoadSegmentHeader(block, &segment_->header);
    return absl::OkStatus();
  }

  absl::StatusOr<PieceDescription> PieceAt(uint64_t offset) {
    PieceDescription piece;
    piece.offset = offset;
    piece.bytes = kLogBlockBytes;
    FoundFrame frame;
    absl::StatusOr<std::string_view> problem = scanner_.At(offset, &frame);
    // The scanner gives up on a file full of false frames; here it is told block by block.
    if (!problem.ok()) problem = std::string_view("not checked");
    if (problem->empty()) {
      FillFrame(frame, &piece);
    } else {
      KEEL_RETURN_IF_ERROR(FillOther(frame, *problem, &piece));
    }
    return piece;
  }

  void FillFrame(const FoundFrame& frame, PieceDescription* piece) {
    piece->kind = Kind::kFrame;
    piece->bytes = frame.header.padded_bytes;
    piece->header = frame.header;
    piece->payload = frame.payload;
    piece->in_place = segment_->problem.empty() &&
                      frame.header.segment == segment_->header.segment &&
                      frame.base().value == segment_->header.first_lsn;
    piece->chained = frame.header.previous == chain_;
    chain_ = frame.header.checksum;
    ++segment_->frames;
  }

  absl::Status FillOther(const FoundFrame& frame, std::string_view problem,
                         PieceDescription* piece) {
    KEEL_ASSIGN_OR_RETURN(const auto block, blocks_.Get(piece->offset, kLogBlockBytes));
    const bool unreadable =
        std::ranges::find(blocks_.unreadable(), piece->offset) != blocks_.unreadable().end();
    if (unreadable) {
      piece->kind = Kind::kUnreadable;
    } else if (LoadFrameHeader(block).magic == kFrameMagic) {
      piece->kind = Kind::kDamagedFrame;
      piece->header = frame.header;
      piece->problem = problem;
    } else {
      piece->kind = IsZero(block) ? Kind::kZeros : Kind::kUnknown;
    }
    return absl::OkStatus();
  }

  void Add(const PieceDescription& piece) {
    const bool joins = waiting_ && pending_.kind == piece.kind && !IsFrame(piece.kind);
    if (joins) {
      pending_.bytes += piece.bytes;
      return;
    }
    Tell();
    pending_ = piece;
    waiting_ = true;
    // A frame's payload lives only until the next read.
    if (IsFrame(piece.kind)) Tell();
  }

  void Tell() {
    if (waiting_ && going_) going_ = tell_(pending_);
    waiting_ = false;
  }

  SegmentDescription* segment_;
  absl::FunctionRef<bool(const PieceDescription&)> tell_;
  FrameScanner scanner_;
  BlockWindow blocks_;
  uint64_t chain_ = 0;
  PieceDescription pending_;
  bool waiting_ = false;
  bool going_ = true;
};

}  // namespace

absl::StatusOr<SegmentDescription> DescribeSegment(
    io::File* file, absl::FunctionRef<bool(const PieceDescription&)> tell) {
  SegmentDescription segment;
  KEEL_ASSIGN_OR_RETURN(segment.file_bytes, file->Size());
  KEEL_RETURN_IF_ERROR(Teller(file, &segment, tell).Run());
  return segment;
}

absl::StatusOr<std::vector<std::filesystem::path>> ListSegments(
    io::FileSystem* file_system, const std::filesystem::path& directory) {
  KEEL_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system->List(directory));
  std::vector<std::filesystem::path> paths;
  for (const std::string& name : names) {
    if (SegmentSlot(name).has_value()) paths.push_back(directory / name);
  }
  return paths;
}

std::string SegmentText(const SegmentDescription& segment) {
  const SegmentHeader& header = segment.header;
  if (!segment.problem.empty()) {
    return absl::StrFormat("segment of %d bytes: %s", segment.file_bytes, segment.problem);
  }
  if (header.segment == 0)
    return absl::StrFormat("segment of %d bytes, unused", segment.file_bytes);
  return absl::StrFormat(
      "segment %d of %d bytes, first lsn %d, salt %016x, incarnation %d, generation %d, mark %d",
      header.segment, segment.file_bytes, header.first_lsn, header.salt, header.incarnation,
      header.generation, header.durable_mark);
}

std::string PieceText(const PieceDescription& piece) {
  const FrameHeader& header = piece.header;
  const std::string place = absl::StrFormat("%10d %10d ", piece.offset, piece.bytes);
  switch (piece.kind) {
    case Kind::kFrame:
      return place + absl::StrFormat(
                         "frame lsn %d, records %d, mark %d, generation %d, checksum "
                         "%016x%s%s",
                         header.lsn, header.records, header.durable_mark, header.generation,
                         header.checksum, piece.in_place ? "" : ", of an earlier use",
                         piece.chained ? "" : ", not chained to the one above");
    case Kind::kDamagedFrame:
      return place + absl::StrFormat("damaged frame, lsn %d: %s", header.lsn, piece.problem);
    case Kind::kZeros:
      return place + "zeros";
    case Kind::kUnknown:
      return place + "neither a frame nor zeros";
    case Kind::kUnreadable:
      return place + "cannot be read";
  }
  return place;
}

}  // namespace keel::wal
