// Which effects are durable, and which are still in the hands of chance.

#ifndef KEEL_FAULT_INJECTION_DURABILITY_H_
#define KEEL_FAULT_INJECTION_DURABILITY_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fault_injection/disk_image.h"
#include "fault_injection/effect.h"

namespace keel::fault_injection {

// An effect that a loss of power keeps or not.
struct PendingEffect {
  EffectRef effect;
  SectorMask sectors = kAllSectors;  // those that nothing durable has overwritten since
  bool lost = false;                 // given up by a failed sync
};

class Durability {
 public:
  explicit Durability(DiskImage durable = {}) : durable_(std::move(durable)) {}

  // What survives for certain.
  const DiskImage& durable() const { return durable_; }
  // In the order of the calls.
  const std::vector<PendingEffect>& pending() const { return pending_; }

  void Add(EffectRef effect);
  // The effects become durable; older pending ones of the same sectors and names lose their chance.
  void Settle(std::span<const uint64_t> ids);
  // A failed sync gave them up: no later sync makes them durable. A crash may still find them.
  void Lose(std::span<const uint64_t> ids);
  // They are nowhere any more, not even in a cache.
  void Forget(std::span<const uint64_t> ids);
  void Replay(const TraceEvent& event);

  // Ids of the pending effects that a sync of a file, or of a directory, has to make durable.
  std::vector<uint64_t> OfFile(InodeId inode) const;
  std::vector<uint64_t> OfDirectory(const std::string& directory) const;

 private:
  bool Overtaken(const PendingEffect& older, const Effect& newer) const;

  DiskImage durable_;
  std::vector<PendingEffect> pending_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_DURABILITY_H_
