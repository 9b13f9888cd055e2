#include "tests/fuzz/log_image.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/codec.h"
#include "wal/describe.h"
#include "wal/frame_format.h"

namespace keel::fuzz {

using wal::FrameHeader;
using wal::SegmentHeader;

// Fields that both headers have at different places.
constexpr size_t kFramePrevious = offsetof(FrameHeader, previous);
constexpr size_t kSegmentPrevious = offsetof(SegmentHeader, previous);

LogLayout::LogLayout(wal::MemoryFileSystem* disk, const std::filesystem::path& directory)
    : paths_(*wal::ListSegments(disk, directory)) {
  for (size_t file = 0; file < paths_.size(); ++file) {
    const auto open = *disk->Open(paths_[file], {.read_only = true});
    const auto segment = wal::DescribeSegment(open.get(), [&](const wal::PieceDescription& piece) {
      if (piece.kind != wal::PieceDescription::Kind::kFrame) return true;
      pieces_.push_back(
          {file, piece.offset, piece.bytes, piece.header.lsn, piece.header.checksum, false});
      return true;
    });
    KEEL_CHECK(segment.ok());
    pieces_.push_back(
        {file, 0, wal::kLogBlockBytes, segment->header.first_lsn, segment->header.checksum, true});
  }
  std::ranges::sort(pieces_, {},
                    [](const Piece& piece) { return std::pair(piece.lsn, !piece.header); });
}

const LogLayout::Piece& LogLayout::Unit(size_t file, size_t unit) const {
  file %= paths_.size();
  const auto in_file = [file](const Piece& piece) { return piece.file == file; };
  const auto count = static_cast<size_t>(std::ranges::count_if(pieces_, in_file));
  size_t left = unit % count;
  for (const Piece& piece : pieces_) {
    if (in_file(piece) && left-- == 0) return piece;
  }
  KEEL_CHECK(false);
}

std::span<std::byte> LogPatcher::Bytes(const Piece& piece) {
  std::vector<std::byte>& file = disk_.Bytes(layout_.paths()[piece.file]);
  if (piece.offset >= file.size()) return {};
  return std::span(file).subspan(piece.offset, std::min(piece.bytes, file.size() - piece.offset));
}

void LogPatcher::Apply(const Patch& patch) {
  const Piece& piece = layout_.Unit(patch.file, patch.unit);
  if (patch.kind == Patch::Kind::kResize) {
    std::vector<std::byte>& file = disk_.Bytes(layout_.paths()[piece.file]);
    // Files grow by operators' mistakes too, but by little in so small a world.
    file.resize(patch.value % (file.size() + 2 * wal::kLogBlockBytes + 1));
    return;
  }
  const std::span<std::byte> bytes = Bytes(piece);
  if (patch.kind == Patch::Kind::kCopyUnit) {
    const std::span<std::byte> from = Bytes(layout_.Unit(patch.file, patch.value));
    if (!from.empty() && !bytes.empty()) {
      std::memmove(bytes.data(), from.data(), std::min(bytes.size(), from.size()));
    }
  } else {
    ApplyPatch(patch, bytes);
  }
  if (patch.seal) changed_.insert(&piece);
}

const std::map<uint64_t, uint64_t>& LogPatcher::Seal() {
  for (const Piece& piece : layout_.pieces()) {
    const std::span<std::byte> bytes = Bytes(piece);
    if (bytes.size() < wal::kLogBlockBytes) continue;
    std::byte* const previous = bytes.data() + (piece.header ? kSegmentPrevious : kFramePrevious);
    const auto replaced = replaced_.find(Load<uint64_t>(previous));
    if (replaced != replaced_.end()) Store(previous, replaced->second);
    if (replaced != replaced_.end() || changed_.contains(&piece)) SealPiece(piece);
  }
  return replaced_;
}

void LogPatcher::SealPiece(const Piece& piece) {
  const std::span<std::byte> bytes = Bytes(piece);
  if (piece.header) {
    SegmentHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    wal::SealSegmentHeader(header, bytes);
    return;
  }
  const FrameHeader header = wal::LoadFrameHeader(bytes);
  const size_t length = header.padded_bytes;
  if (length < wal::kFrameHeaderBytes || length > bytes.size()) return;
  replaced_[piece.checksum] = wal::SealFrame(header, bytes.first(length));
}

}  // namespace keel::fuzz
