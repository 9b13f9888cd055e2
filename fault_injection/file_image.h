// The bytes of one simulated file, cheap to copy: blocks are shared.

#ifndef KEEL_FAULT_INJECTION_FILE_IMAGE_H_
#define KEEL_FAULT_INJECTION_FILE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "fault_injection/block.h"
#include "fault_injection/block_map.h"

namespace keel::fault_injection {

class FileImage {
 public:
  uint64_t size() const { return size_; }
  // Two images with equal bytes have equal hashes. Blocks beyond the size count too.
  uint64_t hash() const { return hash_; }
  // By block number; those of zeros are left out.
  const BlockMap& blocks() const { return blocks_; }

  BlockRef GetBlock(uint64_t number) const { return blocks_.Get(number); }
  void SetBlock(uint64_t number, BlockRef block);

  // Blocks and size are apart, as they are on a disk: SetSize grows or shrinks what readers see,
  // Cut also forgets what lies beyond.
  void SetSize(uint64_t size);
  void Cut(uint64_t size);

  // Up to the size; returns how many bytes.
  size_t Read(uint64_t offset, std::span<std::byte> out) const;
  // Changes bytes in place and extends the size where needed.
  void Write(uint64_t offset, std::span<const std::byte> data);

 private:
  uint64_t size_ = 0;
  uint64_t hash_ = 0;
  BlockMap blocks_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_FILE_IMAGE_H_
