#include "pager/grouped_space_map.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"

namespace keel::pager {
namespace {

constexpr uint64_t kSlackBytesMax = uint64_t{64} << 20;
constexpr int kGrowthPause = 64;

}  // namespace

GroupedSpaceMap::GroupedSpaceMap(io::File* file, uint64_t page_count, uint64_t end,
                                 const std::vector<GroupEntry>& directory,
                                 const SpaceMapOptions& options)
    : context_{file, options.database, SpaceLayout(options.page_bytes)},
      layout_(options.page_bytes),
      options_(options),
      search_(layout_),
      directory_entries_(directory.size()),
      page_count_(page_count),
      end_(end),
      growth_(file, options) {
  const uint64_t groups = std::max<uint64_t>(directory.size(), layout_.Groups(end));
  for (uint64_t g = 0; g < groups; ++g) {
    groups_.push_back(std::make_unique<SpaceGroup>(
        layout_, g, layout_.PagesIn(g, end),
        g < directory.size() ? std::optional(directory[g]) : std::nullopt));
    free_ += groups_.back()->free_pages();
  }
}

// --- allocation ---

absl::StatusOr<PageRun> GroupedSpaceMap::Allocate(const RunSize& size, SpaceUse use) {
  // Slots and superblocks cut a group: a longer run would be grown for without end.
  const uint64_t least = std::min(size.least, layout_.pages_per_group() / 2);
  return AllocateRun({least, size.most}, Choice::kLongest, use);
}

absl::StatusOr<PageRun> GroupedSpaceMap::AllocateAny(uint64_t max_pages, SpaceUse use) {
  return AllocateRun({1, max_pages}, Choice::kNext, use);
}

absl::StatusOr<PageRun> GroupedSpaceMap::AllocateRun(const RunSize& size, Choice choice,
                                                     SpaceUse use) {
  KEEL_CHECK(size.least > 0 && size.least <= size.most);
  const absl::MutexLock lock(&mutex_);
  for (;;) {
    PageRun run = TakeAbove(SoftFloor(use), size, choice);
    if (run.count > 0) return run;
    const absl::Status grown = GrowFor(use, size, 1);
    if (grown.ok()) continue;
    KEEL_RETURN_IF_ERROR(failed_sync_);
    // Short of space, any run will do.
    run = TakeAbove(HardFloor(use), {1, size.most}, choice);
    if (run.count > 0) return run;
    return absl::IsResourceExhausted(grown) ? Full(size.most, grown) : grown;
  }
}

absl::Status GroupedSpaceMap::GrowAhead(uint64_t wanted) {
  const absl::MutexLock lock(&mutex_);
  const uint64_t pages = std::max(growth_.StepPages(end_) / 2, wanted);
  const uint64_t needed = ReservePages() + pages;
  if (options_.read_only || free_ >= needed) return absl::OkStatus();
  // All or nothing: the last room on a disk is not for what may never be needed.
  return GrowFor(SpaceUse::kOrdinary, {pages, pages}, needed - free_);
}

absl::Status GroupedSpaceMap::GrowFor(SpaceUse use, const RunSize& size, uint64_t least_growth) {
  if (use == SpaceUse::kDelete && growth_pause_ > 0) {
    --growth_pause_;
    return absl::ResourceExhaustedError("it could not just now");
  }
  const uint64_t needed = SoftFloor(use) + size.least;
  const uint64_t short_of = needed - std::min(free_, needed);
  const uint64_t step_max = options_.growth_bytes_max / options_.page_bytes;
  if (const uint64_t g = layout_.GroupOf(PageId{end_}); g < groups_.size()) {
    // A damaged last group is of no use: the file has to grow into the next one, or not at all.
    const absl::Status& status = groups_[g]->status();
    if (!status.ok()) {
      least_growth = std::max(least_growth,
                              layout_.FirstPage(g + 1).value + SpaceLayout::kShortestGroup - end_);
    }
    if (least_growth > std::max(step_max, SpaceLayout::kShortestGroup)) return status;
  }
  return Grow(least_growth, std::max({short_of, std::min(size.most, step_max), least_growth}));
}

uint64_t GroupedSpaceMap::ReservePages() const {
  const uint64_t file_bytes = end_ * options_.page_bytes;
  const uint64_t slack = std::clamp(file_bytes / 128, options_.slack_bytes_min,
                                    std::max(options_.slack_bytes_min, kSlackBytesMax));
  return checkpoint_pages_ + delete_pages_ + slack / options_.page_bytes;
}

uint64_t GroupedSpaceMap::HardFloor(SpaceUse use) const {
  switch (use) {
    case SpaceUse::kOrdinary:
      return ReservePages();
    case SpaceUse::kDelete:
      return checkpoint_pages_;
    case SpaceUse::kCheckpoint:
      return 0;
  }
  KEEL_CHECK(false);
}

uint64_t GroupedSpaceMap::SoftFloor(SpaceUse use) const {
  return use == SpaceUse::kCheckpoint ? 0 : ReservePages();
}

PageRun GroupedSpaceMap::TakeAbove(uint64_t floor, const RunSize& size, Choice choice) {
  // Loading a group can show that fewer pages are free than was thought.
  const auto ready = [this](SpaceGroup& group) {
    mutex_.AssertHeld();
    return Load(group).ok();
  };
  while (free_ >= floor + size.least) {
    const uint64_t free_before = free_;
    const uint64_t pages = std::min(size.most, free_ - floor);
    const PageRun run = choice == Choice::kNext
                            ? search_.TakeSome(groups_, pages, ready)
                            : search_.TakeRun(groups_, {size.least, pages}, ready);
    free_ -= run.count;
    if (run.count > 0 || free_ == free_before) return run;
  }
  return {};
}

// Lets go of the lock while the file grows.
absl::Status GroupedSpaceMap::Grow(uint64_t least, uint64_t wanted) {
  if (growing_) {
    const auto done = [this] {
      mutex_.AssertHeld();
      return !growing_;
    };
    mutex_.Await(absl::Condition(&done));
    return absl::OkStatus();  // the caller looks again
  }
  growing_ = true;
  const uint64_t end = end_;
  mutex_.Unlock();
  const absl::StatusOr<uint64_t> grown = growth_.Grow(end, least, wanted);
  mutex_.Lock();
  growing_ = false;
  failed_sync_ = growth_.failed_sync();
  growth_pause_ = grown.ok() ? 0 : kGrowthPause;
  KEEL_RETURN_IF_ERROR(grown.status());
  ++growths_;
  SetEnd(*grown);
  return absl::OkStatus();
}

void GroupedSpaceMap::SetEnd(uint64_t end) {
  for (uint64_t g = layout_.GroupOf(PageId{end_}); g < groups_.size(); ++g) {
    Account(*groups_[g], [&](SpaceGroup& group) { group.Extend(layout_.PagesIn(g, end)); });
  }
  while (groups_.size() < layout_.Groups(end)) {
    const uint64_t g = groups_.size();
    groups_.push_back(
        std::make_unique<SpaceGroup>(layout_, g, layout_.PagesIn(g, end), std::nullopt));
    free_ += groups_.back()->free_pages();
  }
  end_ = end;
  page_count_ = std::max(page_count_, end);
}

absl::Status GroupedSpaceMap::Full(uint64_t wanted, const absl::Status& why) const {
  return MarkDiskFull(MakeStatus(
      absl::StatusCode::kResourceExhausted,
      "%s: no space for %d more pages of %d bytes: the file has %d bytes and cannot grow (%s); %d "
      "of "
      "its pages are free, %d are kept for deletes and checkpoints. Deleting, then a checkpoint, "
      "gives pages back that no snapshot or backup holds",
      context_.file->path().native(), wanted, options_.page_bytes, end_ * options_.page_bytes,
      MessageOf(why), free_, ReservePages()));
}

void GroupedSpaceMap::Free(const PageRun& run) {
  PageSet pages;
  pages.InsertRun(run.first, run.count);
  Free(pages);
}

void GroupedSpaceMap::Free(const PageSet& pages) {
  const absl::MutexLock lock(&mutex_);
  pages.ForEachWord([&](uint64_t index, uint64_t bits) {
    mutex_.AssertHeld();
    GiveWord(index, bits);
  });
}

// Groups begin at multiples of 64 pages: a word lies in one of them.
void GroupedSpaceMap::GiveWord(uint64_t index, uint64_t bits) {
  const PageId first{index * 64};
  const uint64_t g = layout_.GroupOf(first);
  if (g >= groups_.size()) {
    stray_ = MakeStatus(absl::StatusCode::kDataLoss,
                        "%s: a page near %d was given back; the file has %d",
                        context_.file->path().native(), first.value, page_count_);
    return;
  }
  SpaceGroup& group = *groups_[g];
  const bool good_before = group.status().ok();
  Account(group, [&](SpaceGroup& to) { to.Give(layout_.IndexInGroup(first) / 64, bits); });
  if (good_before && !group.status().ok()) search_.Restart();  // it may be handing out that group
}

bool GroupedSpaceMap::BelowReserve() const {
  const absl::MutexLock lock(&mutex_);
  return free_ < ReservePages();
}

void GroupedSpaceMap::SetReserve(uint64_t checkpoint_pages, uint64_t delete_pages) {
  const absl::MutexLock lock(&mutex_);
  checkpoint_pages_ = checkpoint_pages;
  delete_pages_ = delete_pages;
}

// --- groups ---

void GroupedSpaceMap::Account(SpaceGroup& group, absl::FunctionRef<void(SpaceGroup&)> change) {
  const uint64_t before = group.free_pages();
  change(group);
  free_ += group.free_pages() - before;
}

absl::Status GroupedSpaceMap::Load(SpaceGroup& group) {
  if (group.loaded()) return absl::OkStatus();
  absl::Status status;
  Account(group, [&](SpaceGroup& unloaded) {
    mutex_.AssertHeld();
    status = unloaded.Load(context_, page_count_);
  });
  return status;
}

absl::StatusOr<SpaceGroup*> GroupedSpaceMap::LoadedGroupOf(PageId id) {
  const uint64_t g = layout_.GroupOf(id);
  if (g >= groups_.size()) return nullptr;
  KEEL_RETURN_IF_ERROR(Load(*groups_[g]));
  return groups_[g].get();
}

absl::StatusOr<bool> GroupedSpaceMap::InPersistedMap(PageId id) {
  const absl::MutexLock lock(&mutex_);
  KEEL_ASSIGN_OR_RETURN(SpaceGroup* const group, LoadedGroupOf(id));
  return group != nullptr && group->persisted().Test(layout_.IndexInGroup(id));
}

absl::StatusOr<bool> GroupedSpaceMap::InLiveMap(PageId id) {
  const absl::MutexLock lock(&mutex_);
  KEEL_ASSIGN_OR_RETURN(SpaceGroup* const group, LoadedGroupOf(id));
  return group != nullptr && group->live().Test(layout_.IndexInGroup(id));
}

uint64_t GroupedSpaceMap::page_count() const {
  const absl::MutexLock lock(&mutex_);
  return page_count_;
}

SpaceStats GroupedSpaceMap::stats() const {
  const absl::MutexLock lock(&mutex_);
  SpaceStats stats{.page_count = page_count_,
                   .free_pages = free_,
                   .reserve_pages = ReservePages(),
                   .groups = groups_.size(),
                   .growths = growths_};
  for (const auto& group : groups_) {
    stats.damaged_groups += group->status().ok() ? 0U : 1U;
    stats.memory_bytes += group->memory_bytes();
  }
  return stats;
}

absl::Status GroupedSpaceMap::failed_sync() const {
  const absl::MutexLock lock(&mutex_);
  return failed_sync_;
}

absl::Status GroupedSpaceMap::WaitForGrowth() const {
  const auto done = [this] {
    mutex_.AssertHeld();
    return !growing_;
  };
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&done));
  return failed_sync_;
}

absl::Status GroupedSpaceMap::damage() const {
  const absl::MutexLock lock(&mutex_);
  for (const auto& group : groups_) KEEL_RETURN_IF_ERROR(group->status());
  return stray_;
}

absl::Status GroupedSpaceMap::LoadAll() {
  for (uint64_t g = 0;; ++g) {
    const absl::MutexLock lock(&mutex_);  // anew for each group: others go on in between
    if (g >= groups_.size()) break;
    Account(*groups_[g], [&](SpaceGroup& group) {
      mutex_.AssertHeld();
      group.Check(context_, page_count_).IgnoreError();
    });
  }
  return damage();
}

}  // namespace keel::pager
