// The space map as it is: groups, the search for free pages, growth, and checkpoint attempts.
//
// One lock. It is held while a bitmap is read, and let go while the file grows (one thread does
// that, those that need it wait) and while a checkpoint writes slots.

#ifndef KEEL_PAGER_GROUPED_SPACE_MAP_H_
#define KEEL_PAGER_GROUPED_SPACE_MAP_H_

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "pager/space_group.h"
#include "pager/space_growth.h"
#include "pager/space_map.h"
#include "pager/space_search.h"
#include "pager/space_slot.h"

namespace keel::pager {

class GroupedSpaceMap final : public SpaceMap {
 public:
  // `end`: pages that lie in the file, at most `page_count`.
  GroupedSpaceMap(io::File* file, uint64_t page_count, uint64_t end,
                  const std::vector<GroupEntry>& directory, const SpaceMapOptions& options);

  absl::StatusOr<PageRun> Allocate(const RunSize& size, SpaceUse use) override;
  absl::StatusOr<PageRun> AllocateAny(uint64_t max_pages, SpaceUse use) override;
  void Free(const PageRun& run) override;
  void Free(const PageSet& pages) override;
  absl::Status GrowAhead(uint64_t wanted) override;
  void SetReserve(uint64_t checkpoint_pages, uint64_t delete_pages) override;
  bool BelowReserve() const override;
  uint64_t DirectoryEntries(const PageSet& born) const override;
  absl::StatusOr<std::vector<GroupEntry>> WriteCheckpoint(Generation generation,
                                                          const PageSet& born,
                                                          const PageSet& died) override;
  void FinishCheckpoint(bool durable) override;
  absl::StatusOr<bool> InPersistedMap(PageId id) override;
  absl::StatusOr<bool> InLiveMap(PageId id) override;
  uint64_t page_count() const override;
  SpaceStats stats() const override;
  absl::Status failed_sync() const override;
  absl::Status WaitForGrowth() const override;
  absl::Status damage() const override;
  absl::Status LoadAll() override;
  void Rebuild(const PageSet& reachable, const PageSet& held) override;

 private:
  // A group's map as the attempt wants it.
  struct Change {
    uint8_t slot = 0;
    std::shared_ptr<Bitmap> map;
    GroupEntry entry;  // once it is written
  };
  using Changes = std::map<uint64_t, Change>;  // by group

  // --- allocation ---
  uint64_t ReservePages() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Free pages that stay free whatever happens, and that stay free as long as the file can grow.
  uint64_t HardFloor(SpaceUse use) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t SoftFloor(SpaceUse use) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Which run is taken, of those that are long enough: the sweep's next one, or the longest.
  enum class Choice : uint8_t { kNext, kLongest };
  absl::StatusOr<PageRun> AllocateRun(const RunSize& size, Choice choice, SpaceUse use)
      ABSL_LOCKS_EXCLUDED(mutex_);
  PageRun TakeAbove(uint64_t floor, const RunSize& size, Choice choice)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status GrowFor(SpaceUse use, const RunSize& size, uint64_t least_growth)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Grow(uint64_t least, uint64_t wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetEnd(uint64_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Full(uint64_t wanted, const absl::Status& why) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveWord(uint64_t index, uint64_t bits) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- groups ---
  // Calls change(group), and keeps account of the free pages.
  void Account(SpaceGroup& group, absl::FunctionRef<void(SpaceGroup&)> change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Load(SpaceGroup& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The page's group, loaded; null beyond the last group.
  absl::StatusOr<SpaceGroup*> LoadedGroupOf(PageId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- checkpoint ---
  absl::StatusOr<Changes> PrepareChanges(const PageSet& born, const PageSet& died)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The group's change, begun if there is none; null for a damaged group, which has none.
  absl::StatusOr<Change*> ChangeOf(Changes& changes, uint64_t group)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AddBorn(Changes& changes, uint64_t index, uint64_t bits)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RemoveDied(Changes& changes, uint64_t index, uint64_t bits)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t EntriesFor(const PageSet& born) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Contradiction(uint64_t index, uint64_t bits, std::string_view what) const;

  const SlotContext context_;
  const SpaceLayout layout_;
  const SpaceMapOptions options_;

  mutable absl::Mutex mutex_;
  SpaceSearch::Groups groups_ ABSL_GUARDED_BY(mutex_);
  SpaceSearch search_ ABSL_GUARDED_BY(mutex_);
  uint64_t directory_entries_ ABSL_GUARDED_BY(mutex_);  // groups from 0 on that have one
  uint64_t page_count_ ABSL_GUARDED_BY(mutex_);
  uint64_t end_ ABSL_GUARDED_BY(mutex_);
  uint64_t free_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t checkpoint_pages_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t delete_pages_ ABSL_GUARDED_BY(mutex_) = 0;
  bool growing_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t growths_ ABSL_GUARDED_BY(mutex_) = 0;
  // Allocations of deletes for which a full disk is not tried again.
  int growth_pause_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failed_sync_ ABSL_GUARDED_BY(mutex_);
  absl::Status stray_ ABSL_GUARDED_BY(mutex_);  // a page given back that lies in no group
  std::optional<Changes> attempt_ ABSL_GUARDED_BY(mutex_);
  SpaceGrowth growth_;  // used by the thread that set growing_
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_GROUPED_SPACE_MAP_H_
