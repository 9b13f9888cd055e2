// Making the data file longer: reserved and synced before a page of it is used (M4).

#ifndef KEEL_PAGER_SPACE_GROWTH_H_
#define KEEL_PAGER_SPACE_GROWTH_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>

#include "io/file_system.h"
#include "pager/space_layout.h"
#include "pager/space_map.h"

namespace keel::pager {

// Grows by an eighth of the file within the options' limits; by less when there is no room for it.
class SpaceGrowth {
 public:
  SpaceGrowth(io::File* file, const SpaceMapOptions& options);

  // Makes a file of `end` pages longer, by `wanted` pages or more if it can, by less if it must, but by
  // `least` at least. Returns the new end. ResourceExhausted: there is no room for that. Any other error
  // is the system's.
  absl::StatusOr<uint64_t> Grow(uint64_t end, uint64_t least, uint64_t wanted);

  // What a file of `end` pages grows by, if there is room.
  uint64_t StepPages(uint64_t end) const;

  // Writes zeros, unsynced, to the slots of the groups that a file of `target` pages has and one of
  // `end` pages has not.
  absl::Status ZeroSlots(uint64_t end, uint64_t target);

  // The sync that failed, if one did: nothing grows any more (G4).
  const absl::Status& failed_sync() const { return failed_sync_; }

 private:
  uint64_t Target(uint64_t end, uint64_t pages) const;
  absl::Status GrowTo(uint64_t end, uint64_t target);

  io::File* const file_;
  const SpaceMapOptions options_;
  const SpaceLayout layout_;
  const uint64_t page_count_max_;
  absl::Status failed_sync_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_SPACE_GROWTH_H_
