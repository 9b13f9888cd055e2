// Reading, choosing and writing the four copies.

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/status.h"
#include "pager/superblock.h"
#include "pager/superblock_format.h"

namespace keel::pager {
namespace {

// The incarnation first: an open that found a generation torn went on from the one before, and said so by rewriting
// that with its own incarnation. A later write that is torn in turn can make the dead copy whole again.
using Order = std::pair<uint64_t, Generation>;  // incarnation, generation

Order OrderOf(const Superblock& superblock) {
  return {superblock.incarnation, superblock.generation};
}

// A copy as read, with what its fixed first bytes say where the rest is not known to us.
struct Found {
  SuperblockCopy copy;
  Order order;  // of a valid copy, and of one in an unknown format

  bool valid() const { return copy.status.ok(); }
  bool unknown() const { return absl::IsFailedPrecondition(copy.status); }
};

Found Decode(std::span<const std::byte> block, uint64_t offset) {
  Found found{{.offset = offset}, {}};
  absl::StatusOr<Superblock> superblock = DecodeSuperblock(block, offset);
  found.copy.status = superblock.status();
  if (superblock.ok()) {
    found.copy.superblock = *superblock;
    found.order = OrderOf(*superblock);
  } else if (found.unknown()) {
    SuperblockFields fields;
    std::memcpy(&fields, block.data(), sizeof(fields));
    found.order = {fields.incarnation, Generation{fields.generation}};
  }
  return found;
}

using Copies = std::array<Found, kSuperblockOffsets.size()>;

Found FoundBy(const absl::StatusOr<size_t>& read, uint64_t offset, std::span<std::byte> block) {
  if (!read.ok()) return Found{{.offset = offset, .status = read.status()}, {}};
  if (*read == 0) {
    return Found{{.offset = offset, .status = absl::NotFoundError("the file ends before it")}, {}};
  }
  std::fill(block.begin() + static_cast<std::ptrdiff_t>(*read), block.end(), std::byte{0});
  return Decode(block, offset);
}

std::span<std::byte> BlockOf(std::span<std::byte> buffer, size_t i) {
  return buffer.subspan(i * kSuperblockBytes, kSuperblockBytes);
}

Copies ReadOneByOne(io::File& file, std::span<std::byte> buffer) {
  Copies copies;
  for (size_t i = 0; i < copies.size(); ++i) {
    const std::span<std::byte> block = BlockOf(buffer, i);
    copies[i] = FoundBy(file.Read(kSuperblockOffsets[i], block), kSuperblockOffsets[i], block);
  }
  return copies;
}

// What fails is read again alone, with the retries of any other read. An error speaks of the queue.
absl::StatusOr<Copies> ReadTogether(io::File& file, io::IoQueue& queue,
                                    std::span<std::byte> buffer) {
  std::array<io::IoRequest, kSuperblockOffsets.size()> requests;
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i] = {.kind = io::IoRequest::Kind::kRead,
                   .file = &file,
                   .offset = kSuperblockOffsets[i],
                   .data = BlockOf(buffer, i).data(),
                   .length = kSuperblockBytes,
                   .tag = i};
  }
  KEEL_RETURN_IF_ERROR(queue.Submit(requests));
  std::vector<io::IoCompletion> completions;
  KEEL_RETURN_IF_ERROR(queue.Wait(requests.size(), &completions));
  Copies copies;
  for (const io::IoCompletion& one : completions) {
    const uint64_t offset = kSuperblockOffsets[one.tag];
    const std::span<std::byte> block = BlockOf(buffer, one.tag);
    const absl::StatusOr<size_t> read = one.status.ok() ? one.bytes : file.Read(offset, block);
    copies[one.tag] = FoundBy(read, offset, block);
  }
  return copies;
}

// A queue that failed is destroyed, which waits for what may still be written into the buffer.
Copies ReadOnce(io::File& file, std::unique_ptr<io::IoQueue>& queue, std::span<std::byte> buffer) {
  if (queue != nullptr) {
    absl::StatusOr<Copies> copies = ReadTogether(file, *queue, buffer);
    if (copies.ok()) return *std::move(copies);
    queue.reset();
  }
  return ReadOneByOne(file, buffer);
}

// Whether `a` tells more than `b`: known beats unknown beats damaged, newer beats older.
bool Better(const Found& a, const Found& b) {
  const auto rank = [](const Found& f) { return f.valid() ? 2 : f.unknown() ? 1 : 0; };
  return std::pair(rank(a), a.order) > std::pair(rank(b), b.order);
}

std::string Reasons(std::span<const Found> found) {
  std::string text;
  for (const Found& each : found) {
    absl::StrAppendFormat(&text, "%sat %d: %s", text.empty() ? "" : "; ", each.copy.offset,
                          MessageOf(each.copy.status));
  }
  return text;
}

// Why nothing can be chosen.
absl::Status NoValidCopy(const io::File& file, std::span<const Found> found) {
  bool damaged = false;
  for (const Found& each : found) {
    damaged |= absl::IsDataLoss(each.copy.status);
    const bool absent =
        absl::IsNotFound(each.copy.status) || absl::IsInvalidArgument(each.copy.status);
    if (!absent && !absl::IsDataLoss(each.copy.status)) return each.copy.status;  // a read's error
  }
  if (damaged) {
    return MakeStatus(absl::StatusCode::kDataLoss, "%s: no valid superblock: %s",
                      file.path().native(), Reasons(found));
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument, "%s is no Keel database: %s",
                    file.path().native(), Reasons(found));
}

const Found* Newest(std::span<const Found> found, bool (Found::*wanted)() const) {
  const Found* newest = nullptr;
  for (const Found& each : found) {
    if ((each.*wanted)() && (newest == nullptr || each.order > newest->order)) newest = &each;
  }
  return newest;
}

// One file, one database: copies of two mean that something overwrote it.
absl::Status CheckOneDatabase(const io::File& file, std::span<const Found> found,
                              const Superblock& chosen) {
  for (const Found& each : found) {
    const Superblock& other = each.copy.superblock;
    if (!each.valid() ||
        (other.database == chosen.database && other.page_bytes == chosen.page_bytes)) {
      continue;
    }
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: the superblock at %d is of another database than the newest one",
                      file.path().native(), each.copy.offset);
  }
  return absl::OkStatus();
}

bool IsCopyOf(const SuperblockCopy& copy, const Superblock& superblock) {
  return copy.status.ok() && OrderOf(copy.superblock) == OrderOf(superblock);
}

absl::Status WriteCopy(io::File& file, const Superblock& superblock, uint64_t offset,
                       std::span<std::byte> buffer) {
  EncodeSuperblock(superblock, offset, buffer);
  KEEL_DCHECK(DecodeSuperblock(buffer, offset).ok());
  return file.Write(offset, buffer);
}

absl::StatusOr<AlignedBuffer> NewBlocks(size_t count) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(count * kSuperblockBytes);
  if (buffer.empty()) return absl::ResourceExhaustedError("out of memory for a superblock");
  return buffer;
}

}  // namespace

absl::StatusOr<SuperblockChoice> ReadSuperblocks(io::File& file,
                                                 std::unique_ptr<io::IoQueue> queue) {
  KEEL_ASSIGN_OR_RETURN(AlignedBuffer buffer, NewBlocks(kSuperblockOffsets.size()));
  // Twice, though the first one may look good: it may be of an older write.
  Copies found = ReadOnce(file, queue, buffer.span());
  Copies again = ReadOnce(file, queue, buffer.span());
  for (size_t i = 0; i < found.size(); ++i) {
    if (Better(again[i], found[i])) found[i] = std::move(again[i]);
  }
  queue.reset();
  const Found* newest = Newest(found, &Found::valid);
  const Found* unknown = Newest(found, &Found::unknown);
  if (unknown != nullptr && (newest == nullptr || unknown->order > newest->order)) {
    return WithContext(unknown->copy.status, file.path().native());
  }
  if (newest == nullptr) return NoValidCopy(file, found);
  KEEL_RETURN_IF_ERROR(CheckOneDatabase(file, found, newest->copy.superblock));

  SuperblockChoice choice;
  choice.chosen = newest->copy.superblock;
  for (size_t i = 0; i < found.size(); ++i) choice.copies[i] = std::move(found[i].copy);
  const auto first = 2 * static_cast<size_t>(PairOf(choice));
  choice.used_copy = !IsCopyOf(choice.copies[first], choice.chosen) ||
                     !IsCopyOf(choice.copies[first + 1], choice.chosen);
  return choice;
}

int PairOf(const SuperblockChoice& choice) {
  for (size_t i = 0; i < choice.copies.size(); ++i) {
    if (IsCopyOf(choice.copies[i], choice.chosen)) return static_cast<int>(i / 2);
  }
  KEEL_CHECK(false);
}

absl::Status WriteSuperblock(io::File& file, const Superblock& superblock, int pair) {
  KEEL_CHECK(pair == 0 || pair == 1);
  KEEL_ASSIGN_OR_RETURN(AlignedBuffer buffer, NewBlocks(1));
  const auto first = 2 * static_cast<size_t>(pair);
  for (size_t i = first; i < first + 2; ++i) {
    KEEL_RETURN_IF_ERROR(WriteCopy(file, superblock, kSuperblockOffsets[i], buffer.span()));
  }
  return file.Sync(io::SyncPurpose::kSuperblock);
}

absl::Status RewriteSuperblock(io::File& file, const SuperblockChoice& choice,
                               const Superblock& superblock) {
  KEEL_CHECK(superblock.generation == choice.chosen.generation);
  KEEL_ASSIGN_OR_RETURN(AlignedBuffer buffer, NewBlocks(1));
  const auto first = 2 * static_cast<size_t>(PairOf(choice));
  // The first copy goes first only if it is no longer good.
  const size_t worse = IsCopyOf(choice.copies[first], choice.chosen) ? first + 1 : first;
  for (const size_t i : {worse, 2 * first + 1 - worse}) {
    KEEL_RETURN_IF_ERROR(WriteCopy(file, superblock, kSuperblockOffsets[i], buffer.span()));
    KEEL_RETURN_IF_ERROR(file.Sync(io::SyncPurpose::kSuperblock));
  }
  return absl::OkStatus();
}

}  // namespace keel::pager
