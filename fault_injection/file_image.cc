#include "fault_injection/file_image.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fault_injection/mix.h"

namespace keel::fault_injection {
namespace {

// The sum of these over all blocks is the hash, so that a change costs the same in any file.
uint64_t BlockShare(uint64_t number, const BlockRef& block) {
  return block == nullptr ? 0 : Mix(Mix(number) ^ block->hash);
}

uint64_t SizeShare(uint64_t size) { return Mix(size ^ 0x5151e5151e5151e5ULL); }

}  // namespace

void FileImage::SetBlock(uint64_t number, BlockRef block) {
  hash_ += BlockShare(number, block);
  hash_ -= BlockShare(number, blocks_.Set(number, std::move(block)));
}

void FileImage::SetSize(uint64_t size) {
  hash_ += SizeShare(size) - SizeShare(size_);
  size_ = size;
}

void FileImage::Cut(uint64_t size) {
  SetSize(size);
  const uint64_t first = size / kBlockBytes;
  SetBlock(first, CutBlock(GetBlock(first), size % kBlockBytes));
  while (!blocks_.empty() && blocks_.last() > first) SetBlock(blocks_.last(), nullptr);
}

size_t FileImage::Read(uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  const size_t count = std::min<uint64_t>(out.size(), size_ - offset);
  for (size_t done = 0; done < count;) {
    const size_t within = (offset + done) % kBlockBytes;
    const size_t piece = std::min(count - done, kBlockBytes - within);
    CopyOut(GetBlock((offset + done) / kBlockBytes), within, out.subspan(done, piece));
    done += piece;
  }
  return count;
}

void FileImage::Write(uint64_t offset, std::span<const std::byte> data) {
  for (size_t done = 0; done < data.size();) {
    const uint64_t number = (offset + done) / kBlockBytes;
    const size_t within = (offset + done) % kBlockBytes;
    const size_t piece = std::min(data.size() - done, kBlockBytes - within);
    std::array<std::byte, kBlockBytes> bytes;
    CopyOut(GetBlock(number), 0, bytes);
    std::ranges::copy(data.subspan(done, piece), bytes.begin() + static_cast<ptrdiff_t>(within));
    SetBlock(number, MakeBlock(bytes));
    done += piece;
  }
  SetSize(std::max(size_, offset + data.size()));
}

}  // namespace keel::fault_injection
