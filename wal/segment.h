// Segment files: their names, how they are opened, and how one comes into being.
//
// Names never change (`segment-0001` and so on); a file is used again by writing a new header. A
// file counts as made only once its zeros, then its name, then its first header are durable: a file
// without a valid header and without a valid frame was never used and may be half made.

#ifndef KEEL_WAL_SEGMENT_H_
#define KEEL_WAL_SEGMENT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "wal/frame_format.h"

namespace keel::wal {

inline constexpr uint32_t kSegmentSlotsMax = 10000;
// Header, two blocks of frames, and the last block, which is never used.
inline constexpr uint64_t kSegmentBlocksMin = 4;

// "segment-0001" for 1. Slots count from 1.
std::string SegmentName(uint32_t slot);
// The slot of a name; nothing if the name is not exactly that of a segment.
std::optional<uint32_t> SegmentSlot(std::string_view name);

// Where the first frame of a segment can begin: behind the header, whose block has one of these sizes.
inline constexpr size_t kSegmentHeadBytes = kLogBlockBytes + kLogBlockBytesMax;
// Header and first frame where that stands right behind.
inline constexpr size_t kShortHeadBytes = 2 * kLogBlockBytes;

struct SegmentAccess {
  bool direct_io = true;
  // Taken on the descriptor that carries the I/O, for as long as the file is open (R6). Exclusive
  // opens for writing, shared for reading only.
  io::LockMode lock = io::LockMode::kExclusive;
  // How long to wait for requests of a killed process that still hold the lock.
  absl::Duration lock_timeout = absl::ZeroDuration();
  // The log was closed cleanly: all its headers are durable, so it is known where the first frame of each segment begins,
  // and a short head will do. What older logs have lost of theirs matters no more: this one lies above them.
  bool clean = false;
};

// What a block says of itself: a plausible frame header. It is not proven until the frame is read whole; but a frame
// whose header says nothing that matters need not be.
struct FrameClaim {
  uint64_t offset = 0;
  FrameHeader header;
};

// A segment file, open and locked.
struct SegmentFile {
  uint32_t slot = 0;
  std::unique_ptr<io::File> file;
  uint64_t bytes = 0;  // size of the file
  SegmentHeader header;
  std::string_view header_problem;  // nothing: `header` is valid
  std::vector<FrameClaim> claims;   // where the first frame can begin; ascending

  bool has_header() const { return header_problem.empty(); }
};

// Opens, locks and reads the header and the claims of every segment in `directory`, in the order of slots; several
// side by side. NotFound: no such directory.
absl::StatusOr<std::vector<SegmentFile>> OpenSegments(io::FileSystem* file_system,
                                                      const std::filesystem::path& directory,
                                                      const SegmentAccess& access);

// Makes a segment file of `bytes`, or makes a half-made one anew: zeros for the whole file, sync,
// sync of the directory, header of an unused segment, sync. Whatever fails, nothing that was there
// before is touched; the half-made file is removed if possible.
absl::StatusOr<SegmentFile> MakeSegment(io::FileSystem* file_system,
                                        const std::filesystem::path& directory, uint32_t slot,
                                        uint64_t bytes, const DatabaseId& database,
                                        const SegmentAccess& access);

}  // namespace keel::wal

#endif  // KEEL_WAL_SEGMENT_H_
