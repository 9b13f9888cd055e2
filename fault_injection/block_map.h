// The blocks of a file by their numbers, cheap to copy: they are kept in groups, and copies share these until they
// change one.

#ifndef KEEL_FAULT_INJECTION_BLOCK_MAP_H_
#define KEEL_FAULT_INJECTION_BLOCK_MAP_H_

#include <absl/container/btree_map.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "fault_injection/block.h"
#include "fault_injection/shared_value.h"

namespace keel::fault_injection {

class BlockMap {
 public:
  // Null where there is none.
  BlockRef Get(uint64_t number) const;
  // Null takes it away. What was there before.
  BlockRef Set(uint64_t number, BlockRef block);

  bool empty() const { return groups_.empty(); }
  // The highest number. REQUIRES: not empty.
  uint64_t last() const;

 private:
  static constexpr size_t kGroupBlocks = 64;
  struct Group {
    std::array<BlockRef, kGroupBlocks> blocks;
    size_t count = 0;  // of those that are not null; a group has at least one
  };

  absl::btree_map<uint64_t, SharedValue<Group>> groups_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_BLOCK_MAP_H_
