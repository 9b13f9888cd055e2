// A segment file told piece by piece, for `keel inspect log` and `keel check`.
//
// Shares the decoders of the reader, goes on past any damage, and never writes. Nothing here decides
// what belongs to the log; it tells what stands in one file.
//
//   absl::StatusOr<SegmentDescription> segment = DescribeSegment(file, [](const PieceDescription& piece) {
//     std::cout << PieceText(piece) << '\n';
//     return true;  // go on
//   });

#ifndef KEEL_WAL_DESCRIBE_H_
#define KEEL_WAL_DESCRIBE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_system.h"
#include "wal/frame_format.h"

namespace keel::wal {

struct SegmentDescription {
  uint64_t file_bytes = 0;
  SegmentHeader header;  // as it stands there, valid or not
  std::string problem;   // why the header is not valid; empty if it is
  uint64_t frames = 0;   // valid ones told
};

// Something that stands in a segment behind its header.
struct PieceDescription {
  enum class Kind : uint8_t {
    kFrame,         // valid by itself
    kDamagedFrame,  // begins like a frame and is not valid; goes on at the next block
    kZeros,
    kUnknown,     // blocks that are neither: the inside of a torn frame, or foreign bytes
    kUnreadable,  // blocks that cannot be read
  };

  Kind kind = Kind::kZeros;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string problem;       // of kDamagedFrame
  FrameHeader header;        // of both kinds of frame; of a damaged one, take nothing for granted
  std::string_view payload;  // of kFrame, good during the call: walk it with RecordWalker
  bool in_place = false;     // of kFrame: belongs to the use of the file that the header tells of
  bool chained = false;      // of kFrame: names the frame told before it as its predecessor
};

// Calls `tell` for each piece in the order of the file, until it returns false. An error only if the
// file cannot be read at all.
absl::StatusOr<SegmentDescription> DescribeSegment(
    io::File* file, absl::FunctionRef<bool(const PieceDescription&)> tell);

// The segment files in a directory, sorted.
absl::StatusOr<std::vector<std::filesystem::path>> ListSegments(
    io::FileSystem* file_system, const std::filesystem::path& directory);

// One line each.
std::string SegmentText(const SegmentDescription& segment);
std::string PieceText(const PieceDescription& piece);

}  // namespace keel::wal

#endif  // KEEL_WAL_DESCRIBE_H_
