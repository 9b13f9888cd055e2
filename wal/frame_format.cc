#include "wal/frame_format.h"

#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace keel::wal {
namespace {

constexpr size_t kChecksumBytes = sizeof(uint64_t);

uint64_t ChecksumBehindField(std::span<const std::byte> bytes, const DatabaseId& database,
                             uint64_t place) {
  return Checksum(bytes.subspan(kChecksumBytes), ChecksumSeed(database, place));
}

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool RecordsFill(const FrameHeader& header, std::span<const std::byte> frame) {
  RecordWalker records(Lsn{header.lsn},
                       Text(frame.subspan(kFrameHeaderBytes, header.payload_bytes)));
  uint64_t count = 0;
  while (records.Next()) ++count;
  return records.ok() && count == header.records;
}

}  // namespace

uint64_t SealFrame(FrameHeader header, std::span<std::byte> frame) {
  KEEL_CHECK(frame.size() == header.padded_bytes);
  std::memcpy(frame.data(), &header, sizeof(header));
  header.checksum = ChecksumBehindField(frame, header.database(), header.lsn);
  Store<uint64_t>(frame.data(), header.checksum);
  return header.checksum;
}

FrameHeader LoadFrameHeader(std::span<const std::byte> block) {
  KEEL_CHECK(block.size() >= sizeof(FrameHeader));
  FrameHeader header;
  std::memcpy(&header, block.data(), sizeof(header));
  return header;
}

std::string_view FrameHeaderProblem(const FrameHeader& header, uint64_t offset,
                                    uint64_t bytes_left) {
  if (header.magic != kFrameMagic) return "no frame begins here";
  if (header.version != kLogVersion) return "unknown format version";
  if (header.header_bytes != kFrameHeaderBytes) return "wrong header size";
  if (header.flags != 0) return "unknown flags";
  if (header.padded_bytes == 0 || header.padded_bytes % kLogBlockBytes != 0) {
    return "length is not in whole blocks";
  }
  if (header.padded_bytes > bytes_left) return "longer than the file";
  if (header.padded_bytes > kFrameBytesMax) return "longer than any frame";
  if (header.payload_bytes > header.padded_bytes - kFrameHeaderBytes) {
    return "payload longer than the frame";
  }
  if (header.records > header.payload_bytes) return "more records than bytes";
  if (header.lsn > kLsnMax || header.lsn % kLogBlockBytes != 0 || header.lsn < offset) {
    return "impossible LSN";
  }
  if (header.durable_mark > header.lsn) return "durable mark beyond the frame";
  return {};
}

std::string_view FrameProblem(const FrameHeader& header, std::span<const std::byte> frame) {
  KEEL_CHECK(frame.size() == header.padded_bytes);
  if (ChecksumBehindField(frame, header.database(), header.lsn) != header.checksum) {
    return "checksum does not match";
  }
  if (!RecordsFill(header, frame)) return "records do not fill the payload";
  return {};
}

void SealSegmentHeader(SegmentHeader header, std::span<std::byte> block) {
  KEEL_CHECK(block.size() >= kLogBlockBytes);
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data(), &header, sizeof(header));
  Store<uint64_t>(block.data(), ChecksumBehindField(block.first(kLogBlockBytes), header.database(),
                                                    header.first_lsn));
}

std::string_view LoadSegmentHeader(std::span<const std::byte> block, SegmentHeader* header) {
  if (block.size() < kLogBlockBytes) return "shorter than a header";
  std::memcpy(header, block.data(), sizeof(*header));
  if (header->magic != kSegmentMagic) return "no segment header";
  if (ChecksumBehindField(block.first(kLogBlockBytes), header->database(), header->first_lsn) !=
      header->checksum) {
    return "segment header: checksum does not match";
  }
  if (header->version != kLogVersion || header->header_bytes != sizeof(SegmentHeader)) {
    return "segment header: unknown format version";
  }
  if (header->block_bytes == 0 || header->block_bytes % kLogBlockBytes != 0) {
    return "segment header: impossible block size";
  }
  if (header->first_lsn > kLsnMax || header->first_lsn % kLogBlockBytes != 0 ||
      header->segment_bytes > kSegmentBytesMax || header->segment_bytes % kLogBlockBytes != 0) {
    return "segment header: impossible range";
  }
  return {};
}

bool RecordWalker::Next() {
  if (!ok_ || used_ == payload_.size()) return false;
  uint64_t length = 0;
  const size_t prefix = LoadVarint(payload_.data() + used_, payload_.size() - used_, &length);
  if (prefix == 0 || length > payload_.size() - used_ - prefix) {
    ok_ = false;
    return false;
  }
  bytes_ = payload_.substr(used_ + prefix, length);
  used_ += prefix + length;
  return true;
}

}  // namespace keel::wal
