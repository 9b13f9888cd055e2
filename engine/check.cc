// Database::Impl::Check: every page that the visible version reaches, and the space map.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "btree/tree_check.h"
#include "engine/database_impl.h"
#include "pager/page_set.h"

namespace keel {

using engine::Version;

namespace {

// Collects what one check finds.
class Checker {
 public:
  // Pages born up to `checkpoint` must be in the durable map (R3).
  Checker(engine::Storage& storage, const Version& version, Epoch checkpoint,
          const CheckOptions& options)
      : storage_(storage), version_(version), checkpoint_(checkpoint), options_(options) {}

  absl::Status CheckKeyspaces(pager::PageSource& pages) {
    for (const auto& [id, name] : version_.state.names->names()) {
      KEEL_RETURN_IF_ERROR(CheckKeyspace(pages, KeyspaceId{id}, name));
      ++report_.keyspaces;
    }
    return absl::OkStatus();
  }

  // REQUIRES: `checkpoint` is still the last durable one; `catalogue` are its pages.
  absl::Status CheckSpace(const std::vector<PageId>& catalogue) {
    report_.space_checked = true;
    if (const absl::Status map = storage_.space->LoadAll(); !map.ok()) {
      AddDamage("space map", MessageOf(map));
      return absl::OkStatus();
    }
    KEEL_RETURN_IF_ERROR(CheckOldPagesAreInUse());
    // Only a version that is the checkpoint reaches all that its map holds, and only if no damage hides a part of it.
    return version_.epoch == checkpoint_ && whole_ ? CountLeaks(catalogue) : absl::OkStatus();
  }

  CheckReport Take() { return std::move(report_); }

 private:
  absl::Status CheckKeyspace(pager::PageSource& pages, KeyspaceId keyspace,
                             const std::string& name) {
    const auto on_page = [&](PageId first, uint64_t count, Epoch birth) {
      NotePages(first, count, birth, name);
      return absl::OkStatus();
    };
    const btree::TreeCheckOptions options{.read_extents = options_.read_values,
                                          .max_damages = options_.max_damages,
                                          .on_page = on_page};
    btree::TreeCheckReport tree;
    KEEL_RETURN_IF_ERROR(
        btree::CheckTree(pages, keyspace, version_.state.roots.Get(keyspace), options, &tree));
    report_.entries += tree.entries;
    report_.internal_pages += tree.internal_pages;
    report_.leaf_pages += tree.leaf_pages;
    report_.value_pages += tree.extent_pages;
    report_.pages_checked += tree.internal_pages + tree.leaf_pages + tree.extent_pages;
    for (btree::TreeDamage& damage : tree.damages) AddTreeDamage(name, std::move(damage));
    return absl::OkStatus();
  }

  void NotePages(PageId first, uint64_t count, Epoch birth, const std::string& keyspace) {
    for (uint64_t i = 0; i < count; ++i) {
      const PageId id{first.value + i};
      if (!reached_.Insert(id)) {
        AddDamage(absl::StrFormat("page %d", id.value),
                  absl::StrFormat("reached twice, again from keyspace \"%s\"", keyspace));
      }
      if (birth <= checkpoint_) old_.Insert(id);
    }
  }

  absl::Status CheckOldPagesAreInUse() {
    absl::Status status;
    old_.ForEach([&](PageId id) {
      if (!status.ok()) return;
      const absl::StatusOr<bool> used = storage_.space->InPersistedMap(id);
      status = used.status();
      if (used.ok() && !*used) {
        AddDamage(absl::StrFormat("page %d", id.value),
                  "in use by a tree, but free in the space map");
      }
    });
    return status;
  }

  absl::Status CountLeaks(const std::vector<PageId>& catalogue) {
    pager::PageSet known = reached_;
    for (const PageId id : catalogue) known.Insert(id);
    const uint32_t page_bytes = storage_.cache->page_bytes();
    for (const PageId id : pager::SuperblockPages(page_bytes)) known.Insert(id);
    // Beyond the last group nothing is in use, however many pages a hostile superblock claims.
    const pager::SpaceStats space = storage_.space->stats();
    const uint64_t pages =
        std::min(space.page_count, space.groups * pager::PagesPerGroup(page_bytes));
    for (uint64_t group = 0; group * pager::PagesPerGroup(page_bytes) < pages; ++group) {
      known.Insert(pager::BitmapSlot(page_bytes, group, 0));
      known.Insert(pager::BitmapSlot(page_bytes, group, 1));
    }
    for (uint64_t page = 0; page < pages; ++page) {
      KEEL_ASSIGN_OR_RETURN(const bool used, storage_.space->InPersistedMap(PageId{page}));
      if (used && !known.Contains(PageId{page})) ++report_.leaked_pages;
    }
    return absl::OkStatus();
  }

  void AddDamage(std::string_view place, std::string_view problem) {
    if (report_.damages.size() >= options_.max_damages) return;
    Damage damage;
    damage.place = absl::StrFormat("%s, %s", storage_.data_file->path().native(), place);
    damage.problem = problem;
    report_.damages.push_back(std::move(damage));
  }

  void AddTreeDamage(const std::string& keyspace, btree::TreeDamage&& found) {
    whole_ = false;
    if (report_.damages.size() >= options_.max_damages) return;
    Damage damage;
    damage.place =
        absl::StrFormat("%s, page %d", storage_.data_file->path().native(), found.page.value);
    damage.keyspace = keyspace;
    damage.problem = std::move(found.problem);
    damage.key_begin = std::move(found.key_begin);
    damage.key_end = std::move(found.key_end);
    damage.has_key_range = true;
    damage.has_key_end = found.has_key_end;
    report_.damages.push_back(std::move(damage));
  }

  engine::Storage& storage_;
  const Version& version_;
  const Epoch checkpoint_;
  const CheckOptions& options_;
  bool whole_ = true;  // the trees could be walked to every end
  pager::PageSet reached_;
  pager::PageSet old_;  // of these, born up to the checkpoint
  CheckReport report_;
};

}  // namespace

absl::StatusOr<CheckReport> Database::Impl::Check(const CheckOptions& options) {
  const Call call(this);
  KEEL_RETURN_IF_ERROR(call.status());
  // In this order: the version is the checkpoint's or a later one (R3), but for the moment in which a commit by checkpoint
  // is durable and not yet visible. Then, as when the next checkpoint has come, the map is another version's.
  const Epoch checkpoint = checkpointer_.epoch();
  const engine::VersionKeeper version = KeepVisible();
  Checker checker(*storage_, *version, checkpoint, options);
  KEEL_RETURN_IF_ERROR(checker.CheckKeyspaces(gated_pages_));
  KEEL_RETURN_IF_ERROR(
      checkpointer_.Inspect([&](Epoch epoch, const std::vector<PageId>& catalogue) {
        const bool same = epoch == checkpoint && checkpoint <= version->epoch;
        return same ? checker.CheckSpace(catalogue) : absl::OkStatus();
      }));
  return checker.Take();
}

}  // namespace keel
