#include "pager/space_group.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel::pager {
namespace {

// Free pages in the file, by an entry's count, which holds those beyond its end as free too.
uint64_t FreeBackedPages(const GroupEntry& entry, uint64_t pages, uint64_t backed) {
  const uint64_t beyond = pages - backed;
  return entry.free_pages <= beyond ? 0 : std::min(entry.free_pages - beyond, backed);
}

}  // namespace

SpaceGroup::SpaceGroup(const SpaceLayout& layout, uint64_t number, uint64_t backed,
                       const std::optional<GroupEntry>& entry)
    : layout_(layout), number_(number), backed_(backed), entry_(entry) {
  if (entry.has_value()) {
    free_ = FreeBackedPages(*entry, layout.pages_per_group(), backed);
  } else {
    Settle(std::make_shared<Bitmap>(EmptyGroup(layout, number)));
  }
}

size_t SpaceGroup::memory_bytes() const {
  const size_t bitmap = layout_.pages_per_group() / 8;
  const size_t bitmaps = live_ == nullptr ? 0 : live_ == persisted_ ? 1 : 2;
  return sizeof(*this) + bitmaps * bitmap;
}

absl::Status SpaceGroup::Load(const SlotContext& context, uint64_t page_count) {
  if (loaded()) return absl::OkStatus();
  if (absl::IsDataLoss(status_)) return status_;
  absl::StatusOr<Bitmap> map = ReadSlot(context, number_, *entry_, page_count);
  status_ = map.status();
  if (!map.ok()) return status_;
  Settle(std::make_shared<Bitmap>(*std::move(map)));
  return absl::OkStatus();
}

absl::Status SpaceGroup::Check(const SlotContext& context, uint64_t page_count) {
  if (loaded() || absl::IsDataLoss(status_)) return status_;
  status_ = ReadSlot(context, number_, *entry_, page_count).status();
  return status_;
}

void SpaceGroup::Settle(std::shared_ptr<Bitmap> map) {
  live_ = map;
  persisted_ = std::move(map);
  free_ = live_->CountClear(0, backed_);
  longest_ = UINT64_MAX;
}

void SpaceGroup::Extend(uint64_t backed) {
  KEEL_CHECK(backed >= backed_);
  free_ += loaded() ? live_->CountClear(backed_, backed) : backed - backed_;
  backed_ = backed;
  longest_ = UINT64_MAX;
}

IndexRun SpaceGroup::FindRun(uint64_t from, uint64_t least) {
  for (uint64_t first = live_->FindClear(from, backed_); first < backed_;) {
    const uint64_t end = live_->FindSet(first, backed_);
    if (end - first >= least) return {first, end - first};
    first = live_->FindClear(end, backed_);
  }
  if (from == 0) longest_ = std::min(longest_, least - 1);
  return {};
}

void SpaceGroup::Take(const IndexRun& run) {
  KEEL_DCHECK(live_->CountClear(run.first, run.first + run.count) == run.count);
  MutableLive().SetRun(run.first, run.count);
  free_ -= run.count;
}

void SpaceGroup::Give(uint64_t word, uint64_t bits) {
  if (damaged()) return;
  if (!CanGive(word, bits)) {
    if (!status_.ok()) return;
    const uint64_t first = layout_.FirstPage(number_).value + word * 64;
    status_ = MakeStatus(absl::StatusCode::kDataLoss,
                         "map of group %d: of pages %d to %d some were given back that were free, "
                         "that the last checkpoint reaches, or that hold a superblock or a map",
                         number_, first, first + 63);
    return;
  }
  const uint64_t end = std::clamp(backed_, word * 64, word * 64 + 64);
  free_ -= live_->CountClear(word * 64, end);
  MutableLive().words()[word] &= ~bits;
  free_ += live_->CountClear(word * 64, end);
  longest_ = UINT64_MAX;
}

// What is given back was handed out, or has died: in both cases the group was loaded then. Superblocks
// and slots are in every persisted map.
bool SpaceGroup::CanGive(uint64_t word, uint64_t bits) const {
  return loaded() && (bits & ~live_->words()[word]) == 0 && (bits & persisted_->words()[word]) == 0;
}

Bitmap& SpaceGroup::MutableLive() {
  if (live_ == persisted_) live_ = std::make_shared<Bitmap>(*persisted_);
  return *live_;
}

void SpaceGroup::Persist(std::shared_ptr<Bitmap> map, const GroupEntry& entry) {
  entry_ = entry;
  rebuilt_ = false;
  persisted_ = *map == *live_ ? live_ : std::move(map);
}

void SpaceGroup::Rebuild(Bitmap persisted, Bitmap live) {
  status_ = absl::OkStatus();
  Settle(std::make_shared<Bitmap>(std::move(live)));
  persisted_ = std::make_shared<Bitmap>(std::move(persisted));
  rebuilt_ = true;
}

}  // namespace keel::pager
