// Database::Impl, the reading half.

#include <memory>
#include <utility>

#include "base/status.h"
#include "btree/lookup.h"
#include "btree/overflow.h"
#include "btree/tree.h"
#include "engine/access.h"
#include "engine/answers.h"
#include "engine/database_impl.h"
#include "engine/shared_version.h"
#include "io/latch.h"
#include "pager/guard.h"

namespace keel {

using engine::TreeState;
using engine::Version;

namespace {

// A pinned leaf, and the database whose frame it lies in.
struct PinnedLeaf {
  std::shared_ptr<Database::Impl> database;
  pager::PageHandle leaf;  // released first
};

}  // namespace

absl::StatusOr<KeyspaceId> Database::Impl::Resolve(const TreeState& state,
                                                   Keyspace keyspace) const {
  KEEL_RETURN_IF_ERROR(Usable());
  const uint64_t database = KeyspaceAccess::Database(keyspace);
  if (database != 0 && database != tag_) {
    return absl::InvalidArgumentError("the keyspace handle belongs to another database");
  }
  const KeyspaceId id = KeyspaceAccess::Id(keyspace);
  if (!state.names->Exists(id)) {
    return MakeStatus(absl::StatusCode::kNotFound,
                      "keyspace %d does not exist here: dropped, or made later", id.value);
  }
  return id;
}

pager::PageCache* Database::Impl::GatedPages::cache() {
  return impl_->usable() ? impl_->storage_->cache.get() : nullptr;  // else Pin says why not
}

engine::VersionKeeper Database::Impl::KeepVisible() {
  PublishForReading();
  engine::VersionKeeper version = registry_.KeepVisible();
  if (version) [[likely]]
    return version;
  // Commits have come in between; at the latch none does.
  quiet_commits_.store(0, std::memory_order_relaxed);
  const io::LatchLock latch(&unpublished_latch_);
  PublishCommitsLocked();
  return registry_.KeepVisible();
}

// One variable is returned on every way, so that the value is made where the caller wants it.
absl::StatusOr<PinnedValue> Database::Impl::Get(Keyspace keyspace, std::string_view key) {
  absl::StatusOr<PinnedValue> value = engine::Absent();
  if (!usable()) {
    value = Usable();
    return value;
  }
  btree::Found pinned;
  Resident found = LookInVisible(keyspace, key, &value, &pinned);
  if (found == Resident::kMoved) found = LookInUnpublished(keyspace, key, &value);
  if (found == Resident::kMoved) found = LookInVisible(keyspace, key, &value, &pinned);
  if (found == Resident::kAnswered) [[likely]]
    return value;
  if (found == Resident::kPinned) {
    value = Materialize(gated_pages_, std::move(pinned.leaf), pinned.value);
    return value;
  }
  const engine::VersionKeeper version = KeepVisible();
  value = GetAt(version->state, gated_pages_, keyspace, key);
  return value;
}

Database::Impl::Resident Database::Impl::LookInVisible(Keyspace keyspace, std::string_view key,
                                                       absl::StatusOr<PinnedValue>* value,
                                                       btree::Found* pinned) {
  {
    const pager::ReadGuard guard(*storage_->guards);
    const Version* const version = registry_.visible();
    if (version != nullptr) [[likely]]
      return LookInKeyspace(version->state, keyspace, key, value, pinned);
  }
  return LookAmongChanges(keyspace, key, value, pinned);
}

absl::StatusOr<PinnedValue> Database::Impl::GetFrom(const TreeState& state, Keyspace keyspace,
                                                    std::string_view key) {
  absl::StatusOr<PinnedValue> value = engine::Absent();
  const absl::StatusOr<KeyspaceId> id = Resolve(state, keyspace);
  if (!id.ok()) {
    value = id.status();
    return value;
  }
  btree::Found pinned;
  Resident found = Resident::kNo;
  {
    const pager::ReadGuard guard(*storage_->guards);
    found = LookIn(state, *id, key, &value, &pinned);
  }
  if (found == Resident::kPinned) {
    value = Materialize(gated_pages_, std::move(pinned.leaf), pinned.value);
  } else if (found == Resident::kNo) {
    value = GetAt(state, gated_pages_, keyspace, key);
  }
  return value;
}

Database::Impl::Resident Database::Impl::LookInKeyspace(const TreeState& state, Keyspace keyspace,
                                                        std::string_view key,
                                                        absl::StatusOr<PinnedValue>* value,
                                                        btree::Found* pinned) {
  const absl::StatusOr<KeyspaceId> id =
      keyspace == Keyspace() ? kDefaultKeyspace : Resolve(state, keyspace);
  if (id.ok()) return LookIn(state, *id, key, value, pinned);
  *value = id.status();
  return Resident::kAnswered;
}

inline Database::Impl::Resident Database::Impl::LookIn(const TreeState& state, KeyspaceId keyspace,
                                                       std::string_view key,
                                                       absl::StatusOr<PinnedValue>* value,
                                                       btree::Found* pinned) {
  const pager::TreeRoot root = state.roots.Get(keyspace);
  if (root.empty()) {
    *value = engine::Absent();
    return Resident::kAnswered;
  }
  btree::LookupWay way;
  way.Begin(root, key);
  const pager::PageCache& cache = *storage_->cache;
  const auto find = [&cache](PageId page) { return cache.Find(page); };
  return Take(way.GoDown(find, keyspace), keyspace, value, pinned);
}

Database::Impl::Resident Database::Impl::Take(const btree::LookupResult& found, KeyspaceId keyspace,
                                              absl::StatusOr<PinnedValue>* value,
                                              btree::Found* pinned) {
  if (found.outcome == btree::LookupOutcome::kAbsent) {
    *value = engine::Absent();
    return Resident::kAnswered;
  }
  if (found.outcome != btree::LookupOutcome::kFound || found.value.large) return Resident::kNo;
  if (found.value.bytes.size() <= PinnedValueAccess::kInlineBytes) {
    PinnedValueAccess::SetCopy(&value->emplace(), found.value.bytes);
    return Resident::kAnswered;
  }
  if (pinned == nullptr) return Resident::kNo;
  absl::StatusOr<pager::PageHandle> leaf =
      storage_->cache->PinResident({{found.id, found.birth}, keyspace, found.level});
  if (!leaf.ok() || !*leaf) return Resident::kNo;
  pinned->leaf = *std::move(leaf);
  pinned->value = found.value;
  return Resident::kPinned;
}

absl::StatusOr<PinnedValue> Database::Impl::GetAt(const TreeState& state, pager::PageSource& pages,
                                                  Keyspace keyspace, std::string_view key) {
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, Resolve(state, keyspace));
  KEEL_ASSIGN_OR_RETURN(btree::Found found, btree::Find(pages, id, state.roots.Get(id), key));
  if (!found) return engine::Absent();
  const btree::ValueSlot slot = found.value;
  return Materialize(pages, std::move(found.leaf), slot);
}

absl::StatusOr<PinnedValue> Database::Impl::Materialize(pager::PageSource& pages,
                                                        pager::PageHandle leaf,
                                                        const btree::ValueSlot& slot) {
  PinnedValue value;
  if (slot.large) {
    KEEL_ASSIGN_OR_RETURN(const btree::Extent extent,
                          btree::DecodeExtent(slot.bytes, pages.page_bytes()));
    const std::shared_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[extent.value_bytes]);
    if (bytes == nullptr) {
      return MakeStatus(absl::StatusCode::kResourceExhausted, "no memory for a value of %d bytes",
                        extent.value_bytes);
    }
    KEEL_RETURN_IF_ERROR(btree::ReadExtent(pages, extent, 0, {bytes.get(), extent.value_bytes}));
    PinnedValueAccess::SetOwned(
        &value, {reinterpret_cast<const char*>(bytes.get()), extent.value_bytes}, bytes);
  } else if (slot.bytes.size() <= PinnedValueAccess::kInlineBytes) {
    PinnedValueAccess::SetCopy(&value, slot.bytes);
  } else {
    auto pinned = std::make_shared<PinnedLeaf>(PinnedLeaf{shared_from_this(), std::move(leaf)});
    PinnedValueAccess::SetOwned(&value, slot.bytes, std::move(pinned));
  }
  return value;
}

void Database::Impl::PinTogether(pager::PageCache::MoreWants more,
                                 pager::PageCache::TakePage take) {
  const Call call(this);
  if (call.status().ok()) storage_->cache->PinTogether(more, take);
}

absl::StatusOr<uint64_t> Database::Impl::CountAt(const TreeState& state, pager::PageSource& pages,
                                                 Keyspace keyspace, const KeyRange& range) {
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, Resolve(state, keyspace));
  return btree::Count(pages, id, state.roots.Get(id), engine::ToRange(range));
}

std::vector<KeyspaceInfo> Database::Impl::ListKeyspaces() {
  if (!Usable().ok()) return {};
  PublishForReading();
  const std::shared_ptr<const Version> version = registry_.Visible();
  std::vector<KeyspaceInfo> list;
  for (const auto& [id, name] : version->state.names->names()) {
    const KeyspaceId keyspace{id};
    list.push_back({name, KeyspaceAccess::Make(keyspace, tag_),
                    version->state.roots.Get(keyspace).reference.entries});
  }
  return list;
}

}  // namespace keel
