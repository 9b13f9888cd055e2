#include "wal/block_window.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "wal/frame_format.h"

namespace keel::wal {
namespace {

// Of a read: little at first, since whoever opens a log that was closed looks only for the first frame of each file,
// which is in one of the blocks behind the header (kLogBlockBytesMax).
constexpr size_t kFirstPieceBytes = size_t{64} << 10;
static_assert(kFirstPieceBytes >= kLogBlockBytesMax);
constexpr size_t kPieceBytesMax = size_t{1} << 20;
constexpr int kReadAttempts = 3;
// A file with more bad blocks than this is not read on: the device is failing.
constexpr size_t kUnreadableMax = 64;

// Reads into the whole of `piece`, with zeros for what lies behind the end of the file.
absl::Status ReadWithRetries(io::File* file, uint64_t offset, std::span<std::byte> piece) {
  absl::Status status;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    absl::StatusOr<size_t> count = file->Read(offset, piece);
    if (count.ok()) {
      std::memset(piece.data() + *count, 0, piece.size() - *count);
      return absl::OkStatus();
    }
    status = std::move(count).status();
  }
  return status;
}

}  // namespace

BlockWindow::BlockWindow(io::File* file, uint64_t file_bytes)
    : file_(file),
      size_(file_bytes / kLogBlockBytes * kLogBlockBytes),
      piece_bytes_(kFirstPieceBytes) {}

absl::StatusOr<std::span<const std::byte>> BlockWindow::Get(uint64_t offset, size_t count) {
  KEEL_CHECK(offset % kLogBlockBytes == 0 && count % kLogBlockBytes == 0);
  KEEL_CHECK(offset <= size_ && count <= size_ - offset);
  if (!Holds(offset, count)) {
    KEEL_RETURN_IF_ERROR(MakeRoom(offset, count));
    KEEL_RETURN_IF_ERROR(Fill(count));
  }
  return std::span<const std::byte>(buffer_.data() + (offset - base_), count);
}

bool BlockWindow::Holds(uint64_t offset, size_t count) const {
  return offset >= base_ && offset - base_ <= length_ && count <= length_ - (offset - base_);
}

void BlockWindow::Drop() {
  length_ = 0;
  piece_bytes_ = kFirstPieceBytes;
}

// Makes `offset` the buffer's first byte, keeps what is already there from it on, and grows the
// buffer to hold `count`. Whoever reads on gets twice as much with each read, whoever jumps begins anew.
absl::Status BlockWindow::MakeRoom(uint64_t offset, size_t count) {
  const bool overlaps = offset >= base_ && offset - base_ < length_;
  const bool follows = length_ > 0 && offset >= base_ && offset - base_ <= length_;
  piece_bytes_ = follows ? std::min(2 * piece_bytes_, kPieceBytesMax) : kFirstPieceBytes;
  const size_t skip = overlaps ? static_cast<size_t>(offset - base_) : length_;
  const size_t kept = length_ - skip;
  const size_t needed = std::min<uint64_t>(std::max(count, piece_bytes_) + piece_bytes_, size_);
  if (buffer_.size() < needed) {
    AlignedBuffer larger = AlignedBuffer::Allocate(needed);
    if (larger.empty()) {
      return MakeStatus(absl::StatusCode::kResourceExhausted, "%s: no memory for %d bytes to read",
                        file_->path().string(), needed);
    }
    if (kept > 0) std::memcpy(larger.data(), buffer_.data() + skip, kept);
    buffer_ = std::move(larger);
  } else if (kept > 0 && skip > 0) {
    std::memmove(buffer_.data(), buffer_.data() + skip, kept);
  }
  base_ = offset;
  length_ = kept;
  return absl::OkStatus();
}

absl::Status BlockWindow::Fill(size_t wanted) {
  while (length_ < wanted) {
    const uint64_t left = size_ - base_ - length_;
    const size_t least = std::min(wanted - length_, kPieceBytesMax);
    const size_t piece = static_cast<size_t>(
        std::min<uint64_t>({std::max(piece_bytes_, least), left, buffer_.size() - length_}));
    KEEL_RETURN_IF_ERROR(ReadPiece(base_ + length_, {buffer_.data() + length_, piece}));
    length_ += piece;
  }
  return absl::OkStatus();
}

absl::Status BlockWindow::ReadPiece(uint64_t offset, std::span<std::byte> piece) {
  if (ReadWithRetries(file_, offset, piece).ok()) return absl::OkStatus();
  return ReadBlocks(offset, piece);
}

absl::Status BlockWindow::ReadBlocks(uint64_t offset, std::span<std::byte> piece) {
  for (size_t done = 0; done < piece.size(); done += kLogBlockBytes) {
    const std::span<std::byte> block = piece.subspan(done, kLogBlockBytes);
    const absl::Status status = ReadWithRetries(file_, offset + done, block);
    if (status.ok()) continue;
    std::memset(block.data(), 0, block.size());
    if (std::ranges::find(unreadable_, offset + done) != unreadable_.end()) continue;
    if (unreadable_.size() == kUnreadableMax) return status;
    unreadable_.push_back(offset + done);
  }
  return absl::OkStatus();
}

}  // namespace keel::wal
