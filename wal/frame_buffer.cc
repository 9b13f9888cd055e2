#include "wal/frame_buffer.h"

#include <cstring>

#include "base/check.h"
#include "base/codec.h"
#include "base/status.h"

namespace keel::wal {

absl::Status FrameBuffer::Allocate(size_t bytes, size_t block_bytes) {
  block_bytes_ = block_bytes;
  memory_ = AlignedBuffer::Allocate(bytes / block_bytes * block_bytes);
  if (memory_.empty()) {
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      "no memory for a log buffer of %d bytes", bytes);
  }
  return absl::OkStatus();
}

void FrameBuffer::Begin(uint64_t file_offset) {
  file_offset_ = file_offset;
  first_frame_ = 0;
  fill_ = 0;
  open_ = false;
}

void FrameBuffer::PutSegmentHeader(const SegmentHeader& header) {
  KEEL_CHECK(file_offset_ == 0 && fill_ == 0 && !open_);
  SealSegmentHeader(header, memory_.span().first(block_bytes_));
  first_frame_ = block_bytes_;
  fill_ = block_bytes_;
}

size_t FrameBuffer::RecordBytes(size_t length) { return VarintBytes(length) + length; }

bool FrameBuffer::CanExtend(size_t record_bytes, size_t frame_max, uint64_t offset_max) const {
  const size_t end = fill_ + record_bytes;
  return open_ && end - open_frame_ <= frame_max && end <= memory_.size() &&
         file_offset_ + end <= offset_max;
}

bool FrameBuffer::CanOpen(size_t record_bytes, uint64_t offset_max) const {
  const uint64_t end =
      next_frame_offset() - file_offset_ + RoundUp(kFrameHeaderBytes + record_bytes, block_bytes_);
  return end <= memory_.size() && file_offset_ + end <= offset_max;
}

void FrameBuffer::Open() {
  Close();
  open_ = true;
  open_frame_ = fill_;
  fill_ += kFrameHeaderBytes;
  records_ = 0;
}

void FrameBuffer::Append(std::string_view record) {
  std::byte* const to = memory_.data() + fill_;
  const size_t prefix = StoreVarint(to, record.size());
  if (!record.empty()) std::memcpy(to + prefix, record.data(), record.size());
  fill_ += prefix + record.size();
  ++records_;
}

void FrameBuffer::Close() {
  if (!open_) return;
  const size_t end = RoundUp(fill_, block_bytes_);
  FrameHeader header;
  header.payload_bytes = static_cast<uint32_t>(fill_ - open_frame_ - kFrameHeaderBytes);
  header.padded_bytes = static_cast<uint32_t>(end - open_frame_);
  header.records = records_;
  std::memcpy(memory_.data() + open_frame_, &header, sizeof(header));
  std::memset(memory_.data() + fill_, 0, end - fill_);
  fill_ = end;
  open_ = false;
}

uint64_t FrameBuffer::next_frame_offset() const {
  return file_offset_ + RoundUp(fill_, block_bytes_);
}

}  // namespace keel::wal
