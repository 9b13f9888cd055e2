// Finds the frames of one segment file that are valid by themselves, in the order of the file.
//
// Looks at every block; behind a valid frame it goes on at that frame's end. So a payload that
// happens to contain a frame is not taken for one, and damage never hides what stands behind it.

#ifndef KEEL_WAL_FRAME_SCANNER_H_
#define KEEL_WAL_FRAME_SCANNER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "wal/block_window.h"
#include "wal/frame_format.h"

namespace keel::wal {

struct FoundFrame {
  uint64_t offset = 0;  // in the file
  FrameHeader header;
  std::string_view payload;  // good until the next call on the scanner

  // LSN of file offset 0 in the use of the file that wrote this frame.
  Lsn base() const { return Lsn{header.lsn - offset}; }
};

class FrameScanner {
 public:
  // With `database`, only that one's frames are valid. Others are not read: values may hold any number of blocks that
  // look like the beginning of one.
  FrameScanner(io::File* file, uint64_t file_bytes,
               std::optional<DatabaseId> database = std::nullopt);

  // The next valid frame; false at the end of the file. DataLoss if the file is so full of things that
  // look like frames and are not that checking them would take forever.
  absl::StatusOr<bool> Next(FoundFrame* frame);

  // The frame at `offset`; what is wrong there if it is not valid, nothing if it is.
  absl::StatusOr<std::string_view> At(uint64_t offset, FoundFrame* frame);

  // Goes on at `offset`, and reads anew.
  void Restart(uint64_t offset);

  uint64_t file_bytes() const { return window_.size(); }
  const std::vector<uint64_t>& unreadable() const { return window_.unreadable(); }

 private:
  io::File* file_;
  std::optional<DatabaseId> database_;
  BlockWindow window_;
  uint64_t offset_ = 0;
  uint64_t wasted_bytes_ = 0;  // checked, and found not to be frames
};

}  // namespace keel::wal

#endif  // KEEL_WAL_FRAME_SCANNER_H_
