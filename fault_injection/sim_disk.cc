#include "fault_injection/sim_disk.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace keel::fault_injection {
namespace {

uint64_t BlocksFor(uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes; }

// The sectors of block `number` that [offset, offset + length) touches.
SectorMask SectorsOf(uint64_t number, uint64_t offset, uint64_t length) {
  SectorMask mask = 0;
  for (size_t sector = 0; sector < kBlockSectors; ++sector) {
    const uint64_t begin = number * kBlockBytes + sector * kSectorBytes;
    if (begin < offset + length && begin + kSectorBytes > offset) {
      mask |= static_cast<SectorMask>(1U << sector);
    }
  }
  return mask;
}

}  // namespace

SimDisk::SimDisk(DiskImage image) : current_(image), durability_(std::move(image)) {
  for (const auto& [path, inode] : current_.names()) {
    next_inode_ = std::max(next_inode_, inode + 1);
    TakeSpace(inode, 0, current_.file(inode).size());
  }
}

void SimDisk::Mark(uint64_t mark) { Note({.kind = TraceEvent::Kind::kMark, .mark = mark}); }

void SimDisk::Note(TraceEvent event) {
  if (keep_trace_) trace_.push_back(std::move(event));
}

void SimDisk::Do(Effect effect) {
  effect.id = next_id_++;
  auto shared = std::make_shared<const Effect>(std::move(effect));
  current_.Apply(*shared, shared->sectors);
  durability_.Add(shared);
  Note({.kind = TraceEvent::Kind::kEffect, .effect = std::move(shared)});
}

void SimDisk::Barrier(TraceEvent::Kind kind, std::vector<uint64_t> ids, io::SyncPurpose purpose) {
  if (ids.empty()) return;
  TraceEvent event{.kind = kind, .covered = std::move(ids), .purpose = purpose};
  durability_.Replay(event);
  Note(std::move(event));
}

InodeId SimDisk::CreateFile(const std::string& path) {
  const InodeId inode = next_inode_++;
  Do({.kind = Effect::Kind::kName, .inode = inode, .path = path});
  return inode;
}

void SimDisk::MakeDirectory(const std::string& path) {
  Do({.kind = Effect::Kind::kDirectory, .path = path});
}

void SimDisk::Rename(const std::string& from, const std::string& to) {
  const InodeId inode = current_.Find(from);
  const InodeId replaced = current_.Find(to);
  const uint64_t pair = next_id_;
  Do({.kind = Effect::Kind::kName, .inode = inode, .path = to, .pair = pair});
  Do({.kind = Effect::Kind::kNoName, .path = from, .pair = pair});
  if (replaced != 0) FreeSpace(replaced, 0);
}

void SimDisk::Remove(const std::string& path) {
  const InodeId inode = current_.Find(path);
  if (inode == 0) {
    Do({.kind = Effect::Kind::kNoDirectory, .path = path});
    return;
  }
  Do({.kind = Effect::Kind::kNoName, .path = path});
  FreeSpace(inode, 0);
}

std::vector<uint64_t> SimDisk::Write(InodeId inode, uint64_t offset,
                                     std::span<const std::byte> data) {
  const uint64_t first = next_id_;
  if (!data.empty()) {
    TakeSpace(inode, offset, data.size());
    FileImage after = current_.file(inode);
    after.Write(offset, data);
    for (uint64_t number = offset / kBlockBytes; number < BlocksFor(offset + data.size());
         ++number) {
      Do({.kind = Effect::Kind::kData,
          .inode = inode,
          .block = number,
          .sectors = SectorsOf(number, offset, data.size()),
          .bytes = after.GetBlock(number)});
    }
    if (after.size() > current_.file(inode).size()) Grow(inode, after.size());
  }
  std::vector<uint64_t> ids;
  for (uint64_t id = first; id < next_id_; ++id) ids.push_back(id);
  return ids;
}

void SimDisk::WritePart(InodeId inode, uint64_t offset, std::span<const std::byte> data,
                        SeededRandom& random) {
  const uint64_t sectors = data.size() / kSectorBytes;
  const uint64_t bytes = sectors == 0 ? 0 : random.Below(sectors + 1) * kSectorBytes;
  Write(inode, offset, data.first(bytes));
}

void SimDisk::Grow(InodeId inode, uint64_t size) {
  Do({.kind = Effect::Kind::kSize, .inode = inode, .size = size});
}

void SimDisk::Cut(InodeId inode, uint64_t size) {
  Do({.kind = Effect::Kind::kCut, .inode = inode, .size = size});
  FreeSpace(inode, BlocksFor(size));
}

void SimDisk::SyncFile(InodeId inode, io::SyncPurpose purpose) {
  Barrier(TraceEvent::Kind::kBarrier, durability_.OfFile(inode), purpose);
}

void SimDisk::SyncDirectory(const std::string& path, io::SyncPurpose purpose) {
  Barrier(TraceEvent::Kind::kBarrier, durability_.OfDirectory(path), purpose);
}

void SimDisk::SyncEffects(std::span<const uint64_t> ids, io::SyncPurpose purpose) {
  Barrier(TraceEvent::Kind::kBarrier, {ids.begin(), ids.end()}, purpose);
}

void SimDisk::FailSync(InodeId inode, SeededRandom& random) {
  std::vector<uint64_t> reached;
  std::vector<uint64_t> lost;
  const uint64_t luck = random.Below(3);  // nothing, a part, or all of it reached the medium
  for (const uint64_t id : durability_.OfFile(inode)) {
    const bool reaches = luck == 2 || (luck == 1 && random.OneIn(2));
    (reaches ? reached : lost).push_back(id);
  }
  Barrier(TraceEvent::Kind::kBarrier, std::move(reached));
  Barrier(TraceEvent::Kind::kLost, std::move(lost));
}

void SimDisk::EvictLost(InodeId inode) {
  std::vector<uint64_t> gone;
  for (const PendingEffect& pending : durability_.pending()) {
    const Effect& effect = *pending.effect;
    if (pending.lost && effect.inode == inode && effect.IsData()) gone.push_back(effect.id);
  }
  if (gone.empty()) return;
  Barrier(TraceEvent::Kind::kGone, std::move(gone));
  // What is left is the durable part with what was written since, in order.
  const uint64_t size = current_.file(inode).size();
  FileImage* file = current_.MutableFile(inode);
  *file = durability_.durable().file(inode);
  for (const PendingEffect& pending : durability_.pending()) {
    if (pending.effect->IsOfFile() && pending.effect->inode == inode) {
      current_.Apply(*pending.effect, pending.sectors);
    }
  }
  current_.MutableFile(inode)->SetSize(size);
}

uint64_t SimDisk::MissingBytes(InodeId inode, uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  const auto found = taken_.find(inode);
  uint64_t missing = 0;
  for (uint64_t number = offset / kBlockBytes; number < BlocksFor(offset + length); ++number) {
    const bool taken =
        found != taken_.end() && number < found->second.size() && found->second[number];
    missing += taken ? 0 : kBlockBytes;
  }
  return missing;
}

void SimDisk::TakeSpace(InodeId inode, uint64_t offset, uint64_t length) {
  if (length == 0) return;
  std::vector<bool>& taken = taken_[inode];
  const uint64_t end = BlocksFor(offset + length);
  if (taken.size() < end) taken.resize(end);
  for (uint64_t number = offset / kBlockBytes; number < end; ++number) {
    used_blocks_ += taken[number] ? 0U : 1U;
    taken[number] = true;
  }
}

void SimDisk::FreeSpace(InodeId inode, uint64_t from) {
  std::vector<bool>& taken = taken_[inode];
  for (; taken.size() > from; taken.pop_back()) used_blocks_ -= taken.back() ? 1U : 0U;
}

}  // namespace keel::fault_injection
