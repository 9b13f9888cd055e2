#include "wal/segment.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "wal/block_window.h"

namespace keel::wal {
namespace {

constexpr std::string_view kNamePrefix = "segment-";
constexpr size_t kZeroPieceBytes = size_t{1} << 20;
constexpr absl::Duration kLockPause = absl::Milliseconds(2);

absl::Status Lock(io::File* file, const SegmentAccess& access, io::Clock* clock) {
  const absl::Duration begin = clock->Now();
  while (true) {
    absl::Status status = file->TryLock(access.lock);
    if (!absl::IsFailedPrecondition(status)) return status;
    if (clock->Now() - begin >= access.lock_timeout) return status;
    clock->Sleep(kLockPause);
  }
}

absl::StatusOr<std::unique_ptr<io::File>> OpenLocked(io::FileSystem* file_system,
                                                     const std::filesystem::path& path,
                                                     const SegmentAccess& access, bool create) {
  io::FileOptions options;
  options.read_only = access.lock == io::LockMode::kShared;
  options.create = create;
  options.direct = access.direct_io;
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file, file_system->Open(path, options));
  KEEL_RETURN_IF_ERROR(Lock(file.get(), access, &file_system->clock()));
  return file;
}

// Heads read at a time.
constexpr size_t kHeadsMax = 16;

// Whole blocks only: what a file has besides belongs to nothing.
size_t HeadBytes(const SegmentFile& segment, size_t wanted = kSegmentHeadBytes) {
  const uint64_t whole = segment.bytes / kLogBlockBytes * kLogBlockBytes;
  return static_cast<size_t>(std::min<uint64_t>(whole, wanted));
}

// Whether the block in which the first frame begins is part of a head of so many bytes.
bool HoldsFirstFrame(const SegmentFile& segment, size_t head_bytes) {
  return head_bytes == HeadBytes(segment) ||
         (segment.has_header() && segment.header.block_bytes < head_bytes);
}

void DecodeHead(std::span<const std::byte> head, SegmentFile* segment) {
  segment->claims.clear();
  segment->header_problem = LoadSegmentHeader(head.first(kLogBlockBytes), &segment->header);
  const uint64_t size =
      std::min(segment->bytes, kSegmentBytesMax) / kLogBlockBytes * kLogBlockBytes;
  for (uint64_t offset = kLogBlockBytes; offset < head.size(); offset += kLogBlockBytes) {
    const FrameHeader header = LoadFrameHeader(head.subspan(offset, kLogBlockBytes));
    if (!FrameHeaderProblem(header, offset, size - offset).empty()) continue;
    segment->claims.push_back({offset, header});
  }
}

absl::Status ReadHeadAlone(SegmentFile* segment) {
  const size_t bytes = HeadBytes(*segment);
  if (bytes == 0) {
    segment->header_problem = "shorter than a header";
    return absl::OkStatus();
  }
  BlockWindow window(segment->file.get(), bytes);
  KEEL_ASSIGN_OR_RETURN(const auto head, window.Get(0, bytes));
  DecodeHead(head, segment);
  const std::vector<uint64_t>& unreadable = window.unreadable();
  if (!unreadable.empty() && unreadable.front() == 0) {
    segment->header_problem = "segment header: unreadable block";
  }
  return absl::OkStatus();
}

// Reads the heads of some side by side, so many bytes of each, into `buffer`; those that come whole, and with the first
// frame in them, are decoded. Which these are. A queue that failed is destroyed, which waits for what may still be
// written into the buffer.
std::vector<bool> ReadTogether(std::unique_ptr<io::IoQueue>& queue, std::span<std::byte> buffer,
                               size_t wanted, std::span<SegmentFile> segments) {
  std::vector<bool> done(segments.size());
  std::vector<io::IoRequest> requests;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (HeadBytes(segments[i]) == 0) continue;
    requests.push_back({.kind = io::IoRequest::Kind::kRead,
                        .file = segments[i].file.get(),
                        .offset = 0,
                        .data = buffer.data() + i * wanted,
                        .length = HeadBytes(segments[i], wanted),
                        .tag = i});
  }
  std::vector<io::IoCompletion> completions;
  absl::Status status = queue->Submit(requests);
  if (status.ok()) status = queue->Wait(requests.size(), &completions);
  if (!status.ok()) {
    queue.reset();
    return done;
  }
  for (const io::IoCompletion& completion : completions) {
    SegmentFile& segment = segments[completion.tag];
    if (!completion.status.ok() || completion.bytes != HeadBytes(segment, wanted)) continue;
    DecodeHead(buffer.subspan(completion.tag * wanted, completion.bytes), &segment);
    done[completion.tag] = HoldsFirstFrame(segment, completion.bytes);
  }
  return done;
}

// What cannot be read together is read alone, with the retries of any other read.
absl::Status ReadHeads(io::FileSystem* file_system, size_t wanted,
                       std::span<SegmentFile> segments) {
  const size_t together = std::min(segments.size(), kHeadsMax);
  AlignedBuffer buffer;
  std::unique_ptr<io::IoQueue> queue;
  if (together > 1) {
    buffer = AlignedBuffer::Allocate(together * wanted);
    auto made = file_system->NewQueue(together);
    if (made.ok() && !buffer.empty()) queue = *std::move(made);
  }
  for (size_t begin = 0; begin < segments.size(); begin += kHeadsMax) {
    const std::span<SegmentFile> some =
        segments.subspan(begin, std::min(kHeadsMax, segments.size() - begin));
    std::vector<bool> done(some.size());
    if (queue != nullptr) done = ReadTogether(queue, buffer.span(), wanted, some);
    for (size_t i = 0; i < some.size(); ++i) {
      if (!done[i]) KEEL_RETURN_IF_ERROR(ReadHeadAlone(&some[i]));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteZeros(io::File* file, uint64_t bytes) {
  AlignedBuffer zeros = AlignedBuffer::Allocate(std::min<uint64_t>(kZeroPieceBytes, bytes));
  if (zeros.empty()) return absl::ResourceExhaustedError("no memory for a block of zeros");
  std::memset(zeros.data(), 0, zeros.size());
  for (uint64_t offset = 0; offset < bytes; offset += zeros.size()) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(zeros.size(), bytes - offset));
    KEEL_RETURN_IF_ERROR(file->Write(offset, zeros.span().first(count)));
  }
  return absl::OkStatus();
}

absl::Status WriteUnusedHeader(io::File* file, const SegmentHeader& header) {
  AlignedBuffer block = AlignedBuffer::Allocate(kLogBlockBytes);
  if (block.empty()) return absl::ResourceExhaustedError("no memory for a segment header");
  SealSegmentHeader(header, block.span());
  return file->Write(0, block.span());
}

// What a crash left of a frame in a file that is made anew must not become whole by zeros over a part of it.
absl::Status Empty(io::File* file) {
  KEEL_ASSIGN_OR_RETURN(const uint64_t bytes, file->Size());
  if (bytes == 0) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(file->Truncate(0));
  return file->Sync(io::SyncPurpose::kLogSegment);
}

// The header comes last, so that it proves the zeros and that the name is durable.
absl::Status FillSegment(io::FileSystem* file_system, const std::filesystem::path& directory,
                         SegmentFile* segment) {
  io::File* const file = segment->file.get();
  KEEL_RETURN_IF_ERROR(Empty(file));
  KEEL_RETURN_IF_ERROR(file->Truncate(segment->bytes));
  KEEL_RETURN_IF_ERROR(WriteZeros(file, segment->bytes));
  KEEL_RETURN_IF_ERROR(file->Sync(io::SyncPurpose::kLogSegment));
  KEEL_RETURN_IF_ERROR(file_system->SyncDirectory(directory, io::SyncPurpose::kLogDirectory));
  KEEL_RETURN_IF_ERROR(WriteUnusedHeader(file, segment->header));
  return file->Sync(io::SyncPurpose::kLogSegment);
}

}  // namespace

std::string SegmentName(uint32_t slot) { return absl::StrFormat("%s%04d", kNamePrefix, slot); }

std::optional<uint32_t> SegmentSlot(std::string_view name) {
  if (!name.starts_with(kNamePrefix) || name.size() > kNamePrefix.size() + 5) return std::nullopt;
  uint32_t slot = 0;
  for (const char c : name.substr(kNamePrefix.size())) {
    if (c < '0' || c > '9') return std::nullopt;
    slot = slot * 10 + static_cast<uint32_t>(c - '0');
  }
  if (slot == 0 || slot > kSegmentSlotsMax || SegmentName(slot) != name) return std::nullopt;
  return slot;
}

absl::StatusOr<std::vector<SegmentFile>> OpenSegments(io::FileSystem* file_system,
                                                      const std::filesystem::path& directory,
                                                      const SegmentAccess& access) {
  KEEL_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system->List(directory));
  std::vector<SegmentFile> segments;
  for (const std::string& name : names) {
    const std::optional<uint32_t> slot = SegmentSlot(name);
    if (!slot.has_value()) continue;
    SegmentFile segment;
    segment.slot = *slot;
    KEEL_ASSIGN_OR_RETURN(segment.file,
                          OpenLocked(file_system, directory / name, access, /*create=*/false));
    KEEL_ASSIGN_OR_RETURN(segment.bytes, segment.file->Size());
    segments.push_back(std::move(segment));
  }
  std::ranges::sort(segments, {}, &SegmentFile::slot);
  KEEL_RETURN_IF_ERROR(
      ReadHeads(file_system, access.clean ? kShortHeadBytes : kSegmentHeadBytes, segments));
  return segments;
}

absl::StatusOr<SegmentFile> MakeSegment(io::FileSystem* file_system,
                                        const std::filesystem::path& directory, uint32_t slot,
                                        uint64_t bytes, const DatabaseId& database,
                                        const SegmentAccess& access) {
  const std::filesystem::path path = directory / SegmentName(slot);
  SegmentFile segment;
  segment.slot = slot;
  segment.bytes = bytes;
  segment.header.block_bytes = kLogBlockBytes;
  segment.header.segment_bytes = bytes;
  segment.header.database_high = database.high;
  segment.header.database_low = database.low;
  KEEL_ASSIGN_OR_RETURN(segment.file, OpenLocked(file_system, path, access, /*create=*/true));
  const absl::Status status = FillSegment(file_system, directory, &segment);
  if (status.ok()) return segment;
  // Gives its space back; if even that fails, the file is made anew next time.
  segment.file->Truncate(0).IgnoreError();
  segment.file.reset();
  file_system->Remove(path).IgnoreError();
  return WithContext(status, "making a log segment");
}

}  // namespace keel::wal
