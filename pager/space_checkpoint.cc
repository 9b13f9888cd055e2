// The space map's part in a checkpoint, and the end of damage.

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "pager/grouped_space_map.h"

namespace keel::pager {
namespace {

// The part of a set that lies in one group, as a bitmap.
void AddPagesOf(const SpaceLayout& layout, uint64_t group, const PageSet& pages, Bitmap* map) {
  pages.ForEachWord([&](uint64_t index, uint64_t bits) {
    const PageId first{index * 64};
    if (layout.GroupOf(first) == group) map->words()[layout.IndexInGroup(first) / 64] |= bits;
  });
}

}  // namespace

uint64_t GroupedSpaceMap::DirectoryEntries(const PageSet& born) const {
  const absl::MutexLock lock(&mutex_);
  return EntriesFor(born);
}

uint64_t GroupedSpaceMap::EntriesFor(const PageSet& born) const {
  if (born.empty()) return directory_entries_;
  return std::max(directory_entries_, layout_.GroupOf(born.Highest()) + 1);
}

absl::StatusOr<std::vector<GroupEntry>> GroupedSpaceMap::WriteCheckpoint(Generation generation,
                                                                         const PageSet& born,
                                                                         const PageSet& died) {
  if (options_.read_only) return absl::FailedPreconditionError("the database is open for reading");
  Changes changes;
  {
    const absl::MutexLock lock(&mutex_);
    KEEL_CHECK(!attempt_.has_value());
    KEEL_ASSIGN_OR_RETURN(changes, PrepareChanges(born, died));
  }
  for (auto& [group, change] : changes) {
    KEEL_ASSIGN_OR_RETURN(change.entry,
                          WriteSlot(context_, group, change.slot, generation, *change.map));
  }
  const absl::MutexLock lock(&mutex_);
  std::vector<GroupEntry> directory;
  for (uint64_t g = 0; g < EntriesFor(born); ++g) {
    const auto changed = changes.find(g);
    directory.push_back(changed != changes.end() ? changed->second.entry : *groups_[g]->entry());
  }
  attempt_ = std::move(changes);
  return directory;
}

absl::StatusOr<GroupedSpaceMap::Changes> GroupedSpaceMap::PrepareChanges(const PageSet& born,
                                                                         const PageSet& died) {
  Changes changes;
  absl::Status status;
  died.ForEachWord([&](uint64_t index, uint64_t bits) {
    mutex_.AssertHeld();
    if (status.ok()) status = RemoveDied(changes, index, bits);
  });
  born.ForEachWord([&](uint64_t index, uint64_t bits) {
    mutex_.AssertHeld();
    if (status.ok()) status = AddBorn(changes, index, bits);
  });
  KEEL_RETURN_IF_ERROR(status);
  for (uint64_t g = 0; g < EntriesFor(born); ++g) {
    if (groups_[g]->entry().has_value() && !groups_[g]->rebuilt()) continue;
    KEEL_RETURN_IF_ERROR(ChangeOf(changes, g).status());
  }
  return changes;
}

absl::StatusOr<GroupedSpaceMap::Change*> GroupedSpaceMap::ChangeOf(Changes& changes,
                                                                   uint64_t number) {
  if (const auto begun = changes.find(number); begun != changes.end()) return &begun->second;
  SpaceGroup& group = *groups_[number];
  const absl::Status loaded = Load(group);
  if (absl::IsDataLoss(loaded)) return nullptr;
  KEEL_RETURN_IF_ERROR(loaded);
  Change& change = changes[number];
  // M3: not into the slot that the last durable directory names.
  change.slot = group.entry().has_value() ? 1 - group.entry()->slot : 0;
  change.map = std::make_shared<Bitmap>(group.persisted());
  return &change;
}

absl::Status GroupedSpaceMap::AddBorn(Changes& changes, uint64_t index, uint64_t bits) {
  const PageId first{index * 64};
  const uint64_t g = layout_.GroupOf(first);
  const uint64_t word = layout_.IndexInGroup(first) / 64;
  if (g >= groups_.size()) return Contradiction(index, bits, "born beyond the end of the file");
  KEEL_ASSIGN_OR_RETURN(Change* const change, ChangeOf(changes, g));
  if (change == nullptr) return Contradiction(index, bits, "born in a group with a damaged map");
  uint64_t& in_use = change->map->words()[word];
  if ((in_use & bits) != 0) return Contradiction(index, bits & in_use, "born, and there already");
  const uint64_t live = groups_[g]->live().words()[word];
  if ((bits & ~live) != 0) return Contradiction(index, bits & ~live, "born, but handed to nobody");
  in_use |= bits;
  return absl::OkStatus();
}

absl::Status GroupedSpaceMap::RemoveDied(Changes& changes, uint64_t index, uint64_t bits) {
  const PageId first{index * 64};
  const uint64_t g = layout_.GroupOf(first);
  if (g >= groups_.size()) return Contradiction(index, bits, "died beyond the end of the file");
  KEEL_ASSIGN_OR_RETURN(Change* const change, ChangeOf(changes, g));
  if (change == nullptr) return absl::OkStatus();  // M5: it stays in use
  const uint64_t word = layout_.IndexInGroup(first) / 64;
  uint64_t& in_use = change->map->words()[word];
  const uint64_t removable = in_use & ~FixedBits(layout_, g, word);
  if ((bits & ~removable) != 0) {
    return Contradiction(index, bits & ~removable, "died, but was not in use");
  }
  in_use &= ~bits;
  return absl::OkStatus();
}

absl::Status GroupedSpaceMap::Contradiction(uint64_t index, uint64_t bits,
                                            std::string_view what) const {
  return MakeStatus(absl::StatusCode::kDataLoss,
                    "%s: trees and map of the last checkpoint contradict each other: page %d %s",
                    context_.file->path().native(),
                    index * 64 + static_cast<uint64_t>(std::countr_zero(bits)), what);
}

void GroupedSpaceMap::FinishCheckpoint(bool durable) {
  const absl::MutexLock lock(&mutex_);
  if (!attempt_.has_value()) return;
  if (durable) {
    for (auto& [g, change] : *attempt_) {
      groups_[g]->Persist(std::move(change.map), change.entry);
      directory_entries_ = std::max(directory_entries_, g + 1);
    }
    search_.Restart();
  }
  attempt_.reset();
}

void GroupedSpaceMap::Rebuild(const PageSet& reachable, const PageSet& held) {
  const absl::MutexLock lock(&mutex_);
  for (const auto& group : groups_) {
    if (group->status().ok()) continue;
    Bitmap persisted = EmptyGroup(layout_, group->number());
    AddPagesOf(layout_, group->number(), reachable, &persisted);
    Bitmap live = persisted;
    AddPagesOf(layout_, group->number(), held, &live);
    Account(*group, [&](SpaceGroup& g) { g.Rebuild(std::move(persisted), std::move(live)); });
  }
  stray_ = absl::OkStatus();
  search_.Restart();
}

}  // namespace keel::pager
