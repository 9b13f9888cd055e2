// A file seen through a window of bounded memory, for reading it from front to back.
//
// Reads in aligned pieces, small at first and larger the longer it goes on. A piece that cannot be read is tried again, then block by block; a
// block that stays unreadable is shown as zeros and remembered.

#ifndef KEEL_WAL_BLOCK_WINDOW_H_
#define KEEL_WAL_BLOCK_WINDOW_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "io/file_system.h"

namespace keel::wal {

class BlockWindow {
 public:
  // Shows the whole blocks among the first `file_bytes` of `file`, which outlives the window.
  BlockWindow(io::File* file, uint64_t file_bytes);

  // Bytes [offset, offset + count), good until the next call. Cheap where they follow, or lie within,
  // what was shown last. Memory: the largest count asked for, and 1 MiB.
  // REQUIRES: both in whole blocks, offset + count <= size().
  absl::StatusOr<std::span<const std::byte>> Get(uint64_t offset, size_t count);

  // Forgets what was read: the next Get reads anew.
  void Drop();

  uint64_t size() const { return size_; }
  // Offsets of blocks met so far that could not be read, ascending within one pass.
  const std::vector<uint64_t>& unreadable() const { return unreadable_; }

 private:
  bool Holds(uint64_t offset, size_t count) const;
  absl::Status MakeRoom(uint64_t offset, size_t count);
  absl::Status Fill(size_t wanted);
  absl::Status ReadPiece(uint64_t offset, std::span<std::byte> piece);
  absl::Status ReadBlocks(uint64_t offset, std::span<std::byte> piece);

  io::File* file_;
  uint64_t size_;
  AlignedBuffer buffer_;
  uint64_t base_ = 0;   // file offset of the buffer's first byte
  size_t length_ = 0;   // bytes held
  size_t piece_bytes_;  // of the next read
  std::vector<uint64_t> unreadable_;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_BLOCK_WINDOW_H_
