// The bytes of the log: segment headers, frames, and the records inside frames.
//
// A segment is a file of whole blocks: one header block, then frames one behind the other, then zeros
// or the frames of an earlier use. The last block is never used, so a position behind a frame always
// lies within that frame's segment. Every place in a segment has an LSN: first_lsn + file offset.
//
// A frame describes itself. Its LSN minus its file offset is the LSN at which its segment begins, so
// the segment's header is not needed to read it. Which log a frame belongs to is told by database id
// and salt; where it stands in that log by LSN, segment number and the checksum of the frame before.
//
// Nothing here trusts a length: each is bounded by the bytes at hand before it is used.
//
// Frame header, 128 bytes, little-endian (records follow, then zeros up to padded_bytes):
//
//   offset size field
//        0    8 checksum       XXH3-64 over bytes [8, padded_bytes), seeded with database id and LSN
//        8    8 magic          "KEELFRAM"
//       16    2 version        1
//       18    2 header_bytes   128
//       20    4 flags          none yet: 0
//       24    4 payload_bytes  of the records, without header and padding
//       28    4 padded_bytes   of the whole frame: a multiple of 4096
//       32    8 lsn            where the frame begins
//       40    8 segment        number of the segment it was written to
//       48   16 database       id, high word first
//       64    8 incarnation    of the process that wrote it
//       72    8 salt           of the log
//       80    8 durable_mark   everything of this log below it was durable when the frame was written
//       88    8 generation     newest durable superblock generation at that time (R7)
//       96    8 previous       checksum of the frame before; 0 in the first frame of a log
//      104    4 records        count
//      108   20 reserved       0
//
// Segment header, 128 bytes at the start of a block whose rest is zero:
//
//        0    8 checksum       XXH3-64 over bytes [8, 4096), seeded with database id and first LSN
//        8    8 magic          "KEELSEGM"
//       16    2 version        1
//       18    2 header_bytes   128
//       20    4 block_bytes    offset of the first frame
//       24    8 segment        number, +1 for each use of a file; 0: made, not yet used
//       32    8 first_lsn      LSN of file offset 0
//       40    8 segment_bytes  size of the file
//       48   16 database       id, high word first
//       64    8 incarnation    of the process that wrote it
//       72    8 salt           of the log
//       80    8 durable_mark   end of the last frame before this segment, which was durable (L3)
//       88    8 generation     as in frames
//       96    8 previous       checksum of the last frame before this segment
//      104   24 reserved       0
//
// Record: its length as a varint, then its bytes.

#ifndef KEEL_WAL_FRAME_FORMAT_H_
#define KEEL_WAL_FRAME_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/types.h"

namespace keel::wal {

inline constexpr uint64_t kFrameMagic = 0x4d4152464c45454bULL;    // "KEELFRAM"
inline constexpr uint64_t kSegmentMagic = 0x4d4745534c45454bULL;  // "KEELSEGM"
inline constexpr uint16_t kLogVersion = 1;

// The step in which frames are looked for; every block size is a multiple of it.
inline constexpr size_t kLogBlockBytes = 4096;
inline constexpr size_t kLogBlockBytesMax = 65536;
inline constexpr size_t kFrameBytesMax = size_t{16} << 20;
inline constexpr uint64_t kSegmentBytesMax = uint64_t{1} << 30;
inline constexpr uint64_t kLsnMax = uint64_t{1} << 62;

struct FrameHeader {
  uint64_t checksum = 0;
  uint64_t magic = kFrameMagic;
  uint16_t version = kLogVersion;
  uint16_t header_bytes = 128;
  uint32_t flags = 0;
  uint32_t payload_bytes = 0;
  uint32_t padded_bytes = 0;
  uint64_t lsn = 0;
  uint64_t segment = 0;
  uint64_t database_high = 0;
  uint64_t database_low = 0;
  uint64_t incarnation = 0;
  uint64_t salt = 0;
  uint64_t durable_mark = 0;
  uint64_t generation = 0;
  uint64_t previous = 0;
  uint32_t records = 0;
  uint32_t reserved_a = 0;
  uint64_t reserved_b = 0;
  uint64_t reserved_c = 0;

  DatabaseId database() const { return {database_high, database_low}; }
  uint64_t end() const { return lsn + padded_bytes; }
  // Behind the last record.
  uint64_t records_end() const { return lsn + header_bytes + payload_bytes; }
};

inline constexpr size_t kFrameHeaderBytes = sizeof(FrameHeader);
static_assert(kFrameHeaderBytes == 128);
static_assert(std::has_unique_object_representations_v<FrameHeader>, "no padding");
static_assert(offsetof(FrameHeader, magic) == 8 && offsetof(FrameHeader, version) == 16);
static_assert(offsetof(FrameHeader, header_bytes) == 18 && offsetof(FrameHeader, flags) == 20);
static_assert(offsetof(FrameHeader, payload_bytes) == 24);
static_assert(offsetof(FrameHeader, padded_bytes) == 28 && offsetof(FrameHeader, lsn) == 32);
static_assert(offsetof(FrameHeader, segment) == 40 && offsetof(FrameHeader, database_high) == 48);
static_assert(offsetof(FrameHeader, incarnation) == 64 && offsetof(FrameHeader, salt) == 72);
static_assert(offsetof(FrameHeader, durable_mark) == 80 && offsetof(FrameHeader, generation) == 88);
static_assert(offsetof(FrameHeader, previous) == 96 && offsetof(FrameHeader, records) == 104);
static_assert(offsetof(FrameHeader, reserved_a) == 108);

struct SegmentHeader {
  uint64_t checksum = 0;
  uint64_t magic = kSegmentMagic;
  uint16_t version = kLogVersion;
  uint16_t header_bytes = 128;
  uint32_t block_bytes = 0;
  uint64_t segment = 0;
  uint64_t first_lsn = 0;
  uint64_t segment_bytes = 0;
  uint64_t database_high = 0;
  uint64_t database_low = 0;
  uint64_t incarnation = 0;
  uint64_t salt = 0;
  uint64_t durable_mark = 0;
  uint64_t generation = 0;
  uint64_t previous = 0;
  uint64_t reserved_a = 0;
  uint64_t reserved_b = 0;
  uint64_t reserved_c = 0;

  DatabaseId database() const { return {database_high, database_low}; }
  uint64_t end() const { return first_lsn + segment_bytes; }
};

static_assert(sizeof(SegmentHeader) == 128);
static_assert(std::has_unique_object_representations_v<SegmentHeader>, "no padding");
static_assert(offsetof(SegmentHeader, magic) == 8 && offsetof(SegmentHeader, version) == 16);
static_assert(offsetof(SegmentHeader, block_bytes) == 20 && offsetof(SegmentHeader, segment) == 24);
static_assert(offsetof(SegmentHeader, first_lsn) == 32);
static_assert(offsetof(SegmentHeader, segment_bytes) == 40);
static_assert(offsetof(SegmentHeader, database_high) == 48);
static_assert(offsetof(SegmentHeader, incarnation) == 64 && offsetof(SegmentHeader, salt) == 72);
static_assert(offsetof(SegmentHeader, durable_mark) == 80);
static_assert(offsetof(SegmentHeader, generation) == 88);
static_assert(offsetof(SegmentHeader, previous) == 96);

// Completes a frame in place: `frame` is padded_bytes long, with the records behind the header's place
// and zeros behind the records; all fields of `header` but the checksum are set. Writes the header
// and returns the checksum.
uint64_t SealFrame(FrameHeader header, std::span<std::byte> frame);

// The header in the first 128 bytes of `block`.
FrameHeader LoadFrameHeader(std::span<const std::byte> block);

// What is wrong with a frame header, nothing if it is plausible: fields in range, and at most
// `bytes_left` long from file offset `offset` on. Says nothing about the checksum.
std::string_view FrameHeaderProblem(const FrameHeader& header, uint64_t offset,
                                    uint64_t bytes_left);

// What is wrong with a whole frame whose header is plausible (frame.size() == padded_bytes): the
// checksum, or records that do not fill the payload exactly.
std::string_view FrameProblem(const FrameHeader& header, std::span<const std::byte> frame);

// Writes a segment header into `block` (4096 bytes or more) and zeros behind it.
void SealSegmentHeader(SegmentHeader header, std::span<std::byte> block);

// Reads a segment header from a block; what is wrong with it, nothing if it is valid.
std::string_view LoadSegmentHeader(std::span<const std::byte> block, SegmentHeader* header);

// Walks the records of a payload.
//
//   RecordWalker records(frame_lsn, payload);
//   while (records.Next()) Use(records.bytes(), records.end());
//   if (!records.ok()) ...  // the payload is malformed
class RecordWalker {
 public:
  RecordWalker() = default;
  RecordWalker(Lsn frame, std::string_view payload)
      : payload_(payload), first_(frame.value + kFrameHeaderBytes) {}

  bool Next();
  // False once a record does not fit into the payload.
  bool ok() const { return ok_; }
  std::string_view bytes() const { return bytes_; }
  // Position behind the record.
  Lsn end() const { return Lsn{first_ + used_}; }

 private:
  std::string_view payload_;
  std::string_view bytes_;
  uint64_t first_ = 0;
  size_t used_ = 0;
  bool ok_ = true;
};

// `bytes` rounded up to a multiple of `unit`.
constexpr uint64_t RoundUp(uint64_t bytes, uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace keel::wal

#endif  // KEEL_WAL_FRAME_FORMAT_H_
