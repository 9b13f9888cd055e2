#include "fault_injection/block_map.h"

#include <utility>

namespace keel::fault_injection {

BlockRef BlockMap::Get(uint64_t number) const {
  const auto group = groups_.find(number / kGroupBlocks);
  return group == groups_.end() ? nullptr : group->second->blocks[number % kGroupBlocks];
}

BlockRef BlockMap::Set(uint64_t number, BlockRef block) {
  if (block == nullptr && Get(number) == nullptr) return nullptr;
  const auto place = groups_.try_emplace(number / kGroupBlocks).first;
  Group* group = place->second.Mutable();
  BlockRef before = std::exchange(group->blocks[number % kGroupBlocks], std::move(block));
  if (before == nullptr) ++group->count;
  if (group->blocks[number % kGroupBlocks] == nullptr) --group->count;
  if (group->count == 0) groups_.erase(place);
  return before;
}

uint64_t BlockMap::last() const {
  const auto& [number, group] = *groups_.rbegin();
  size_t at = kGroupBlocks - 1;
  while (group->blocks[at] == nullptr) --at;
  return number * kGroupBlocks + at;
}

}  // namespace keel::fault_injection
