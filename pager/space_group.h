// One group of the space map in memory: its live and its persisted bitmap.
//
//              Load: slot matches          Give: a page that was not to be given back
//   unloaded ----------------------> good -------------------------------------------> suspect
//       |                                                           (hands out nothing more)
//       '--- Load: it does not ---> damaged
//                                     (hands out nothing; its directory entry stays as it is)

#ifndef KEEL_PAGER_SPACE_GROUP_H_
#define KEEL_PAGER_SPACE_GROUP_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/types.h"
#include "pager/bitmap.h"
#include "pager/catalogue.h"
#include "pager/space_slot.h"

namespace keel::pager {

// Consecutive pages of a group, by index in it.
struct IndexRun {
  uint64_t first = 0;
  uint64_t count = 0;
};

// Not thread-safe.
class SpaceGroup {
 public:
  // `backed`: how many pages of the group lie in the file. Without an entry it holds nothing yet.
  SpaceGroup(const SpaceLayout& layout, uint64_t number, uint64_t backed,
             const std::optional<GroupEntry>& entry);

  uint64_t number() const { return number_; }
  const std::optional<GroupEntry>& entry() const { return entry_; }
  bool loaded() const { return live_ != nullptr; }
  // What is wrong with it: damaged or suspect.
  const absl::Status& status() const { return status_; }
  // Whether its persisted map is unknown.
  bool damaged() const { return !loaded() && !status_.ok(); }
  // Pages that it can hand out: by the directory's count while it is not loaded, none when
  // something is wrong with it.
  uint64_t free_pages() const { return status_.ok() ? free_ : 0; }
  // No run of free pages is longer. Exact enough to skip a search.
  uint64_t longest_run() const { return longest_; }
  size_t memory_bytes() const;

  // Reads the bitmap. Repeats what failed for another reason than damage.
  absl::Status Load(const SlotContext& context, uint64_t page_count);
  // The same, without keeping it.
  absl::Status Check(const SlotContext& context, uint64_t page_count);
  // More of the group lies in the file.
  void Extend(uint64_t backed);

  // The first run of at least `least` free pages at or after `from`; count 0 if there is none.
  // REQUIRES: loaded.
  IndexRun FindRun(uint64_t from, uint64_t least);
  // REQUIRES: loaded; the pages are free.
  void Take(const IndexRun& run);
  // Gives back pages 64 * word + i for each set bit i. If one of them was free, is reachable from the
  // last durable checkpoint, or holds a superblock or a map, none is, and the group is suspect. Of a
  // damaged group pages stay in use.
  void Give(uint64_t word, uint64_t bits);

  // REQUIRES: loaded.
  const Bitmap& live() const { return *live_; }
  const Bitmap& persisted() const { return *persisted_; }
  // A checkpoint that is durable named this map.
  void Persist(std::shared_ptr<Bitmap> map, const GroupEntry& entry);
  // A walk found out what the group holds: the end of damage. Its map has to be written.
  void Rebuild(Bitmap persisted, Bitmap live);
  bool rebuilt() const { return rebuilt_; }

 private:
  Bitmap& MutableLive();
  void Settle(std::shared_ptr<Bitmap> map);
  bool CanGive(uint64_t word, uint64_t bits) const;

  const SpaceLayout layout_;
  const uint64_t number_;
  uint64_t backed_;
  std::optional<GroupEntry> entry_;
  // One bitmap while they are equal.
  std::shared_ptr<Bitmap> live_;
  std::shared_ptr<Bitmap> persisted_;
  uint64_t free_ = 0;
  uint64_t longest_ = UINT64_MAX;
  bool rebuilt_ = false;
  absl::Status status_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_SPACE_GROUP_H_
