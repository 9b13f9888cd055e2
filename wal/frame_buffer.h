// Frames under construction: one contiguous piece of a segment, gathered in memory that is handed to
// the device as it is.
//
// Records are copied once, to where they will be written from. A frame is open while records join it,
// then closed; the writer seals closed frames when it writes them out, because only then the checksum
// before them, the durable mark and the generation are known.

#ifndef KEEL_WAL_FRAME_BUFFER_H_
#define KEEL_WAL_FRAME_BUFFER_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/aligned_buffer.h"
#include "wal/frame_format.h"

namespace keel::wal {

class FrameBuffer {
 public:
  // Makes memory for `bytes`, in whole blocks of `block_bytes`. ResourceExhausted if there is none.
  absl::Status Allocate(size_t bytes, size_t block_bytes);

  // Empties it; what is gathered next belongs at `file_offset`.
  void Begin(uint64_t file_offset);
  // Begins a segment: puts its header in front. REQUIRES: just begun at offset 0.
  void PutSegmentHeader(const SegmentHeader& header);

  // Bytes that a record takes in a frame.
  static size_t RecordBytes(size_t length);

  // Whether the open frame can take `record_bytes` and stay within `frame_max` bytes and below file
  // offset `offset_max`; false if none is open.
  bool CanExtend(size_t record_bytes, size_t frame_max, uint64_t offset_max) const;
  // Whether a frame with `record_bytes` can be opened behind the closed ones.
  bool CanOpen(size_t record_bytes, uint64_t offset_max) const;
  // REQUIRES: CanOpen. The open frame, if any, is closed before.
  void Open();
  // REQUIRES: CanExtend.
  void Append(std::string_view record);
  // Pads the open frame to whole blocks; nothing if none is open.
  void Close();

  // No frames, open or closed.
  bool empty() const { return fill_ == first_frame_ && !open_; }
  // File offset of the first byte, and behind the last.
  uint64_t file_offset() const { return file_offset_; }
  uint64_t end_offset() const { return file_offset_ + fill_; }
  // Where the next frame would begin, were the open one closed now.
  uint64_t next_frame_offset() const;
  size_t capacity() const { return memory_.size(); }

  // All that is to be written. REQUIRES: no open frame.
  std::span<std::byte> bytes() { return memory_.span().first(fill_); }
  // Index in bytes() of the first frame; behind the segment header if there is one.
  size_t first_frame() const { return first_frame_; }

 private:
  AlignedBuffer memory_;
  size_t block_bytes_ = 0;
  uint64_t file_offset_ = 0;
  size_t first_frame_ = 0;
  size_t fill_ = 0;        // used bytes; in whole blocks unless a frame is open
  size_t open_frame_ = 0;  // where the open frame begins
  uint32_t records_ = 0;   // in the open frame
  bool open_ = false;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_FRAME_BUFFER_H_
