// A simulated disk: what programs see, what would survive a loss of power, how much space is left,
// and the trace of all that was done to it. Knows nothing of errors or threads; SimFileSystem does.

#ifndef KEEL_FAULT_INJECTION_SIM_DISK_H_
#define KEEL_FAULT_INJECTION_SIM_DISK_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fault_injection/disk_image.h"
#include "fault_injection/durability.h"
#include "fault_injection/effect.h"
#include "fault_injection/mix.h"

namespace keel::fault_injection {

class SimDisk {
 public:
  // A disk on which all of `image` is durable.
  explicit SimDisk(DiskImage image = {});

  // What reads see: every completed write.
  const DiskImage& current() const { return current_; }
  const Durability& durability() const { return durability_; }
  const Trace& trace() const { return trace_; }
  // Without a trace memory does not grow with the number of calls.
  void set_keep_trace(bool keep) { keep_trace_ = keep; }
  // Notes a moment in the trace.
  void Mark(uint64_t mark);

  // Names. REQUIRES: the caller has made sure that it makes sense (the parent is there, ...).
  InodeId CreateFile(const std::string& path);
  void MakeDirectory(const std::string& path);
  void Rename(const std::string& from, const std::string& to);
  void Remove(const std::string& path);

  // Contents. Write returns the ids of its effects; WritePart stops somewhere, as a write that fails.
  std::vector<uint64_t> Write(InodeId inode, uint64_t offset, std::span<const std::byte> data);
  void WritePart(InodeId inode, uint64_t offset, std::span<const std::byte> data,
                 SeededRandom& random);
  void Grow(InodeId inode, uint64_t size);
  void Cut(InodeId inode, uint64_t size);

  // Syncs.
  void SyncFile(InodeId inode, io::SyncPurpose purpose);
  void SyncDirectory(const std::string& path, io::SyncPurpose purpose);
  void SyncEffects(std::span<const uint64_t> ids, io::SyncPurpose purpose);
  // Some of what the sync was to cover became durable; what did not is lost.
  void FailSync(InodeId inode, SeededRandom& random);
  // Reads of what failed syncs lost give the old bytes again.
  void EvictLost(InodeId inode);

  // Space, in bytes. Files take it in blocks, where they were written or reserved.
  uint64_t used_bytes() const { return used_blocks_ * kBlockBytes; }
  // What [offset, offset + length) would take besides.
  uint64_t MissingBytes(InodeId inode, uint64_t offset, uint64_t length) const;
  void TakeSpace(InodeId inode, uint64_t offset, uint64_t length);

 private:
  void Do(Effect effect);
  void Note(TraceEvent event);
  void Barrier(TraceEvent::Kind kind, std::vector<uint64_t> ids, io::SyncPurpose purpose = {});
  void FreeSpace(InodeId inode, uint64_t from);

  DiskImage current_;
  Durability durability_;
  Trace trace_;
  bool keep_trace_ = true;
  uint64_t next_id_ = 1;
  InodeId next_inode_ = 1;
  std::map<InodeId, std::vector<bool>> taken_;  // by block
  uint64_t used_blocks_ = 0;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_SIM_DISK_H_
