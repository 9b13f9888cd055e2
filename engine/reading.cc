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

const std::byte* Database::Impl::GatedPages::Whereabouts(PageId id) const {
  return impl_->storage_->cache->Whereabouts(id);
}

engine::VersionKeeper Database::Impl::KeepVisible(std::string_view label) {
  return registry_.KeepVisible(Now(), label);
}

absl::StatusOr<PinnedValue> Database::Impl::Get(Keyspace keyspace, std::string_view key) {
  KEEL_RETURN_IF_ERROR(Usable());
  {
    const pager::ReadGuard guard(*storage_->guards);
    const Version& version = *registry_.visible();
    KeyspaceId id = kDefaultKeyspace;
    if (keyspace != Keyspace()) {
      KEEL_ASSIGN_OR_RETURN(id, Resolve(version.state, keyspace));
    }
    const pager::PageCache& cache = *storage_->cache;
    const btree::LookupResult result = btree::Lookup(
        [&cache](PageId page) { return cache.Find(page); }, id, version.state.roots.Get(id), key);
    if (result.outcome == btree::LookupOutcome::kAbsent) return engine::Absent();
    if (result.outcome == btree::LookupOutcome::kFound && !result.value.large &&
        result.value.bytes.size() <= PinnedValueAccess::kInlineBytes) {
      absl::StatusOr<PinnedValue> value{PinnedValue()};
      PinnedValueAccess::SetCopy(&*value, result.value.bytes);
      return value;
    }
  }
  // Something is missing from memory, large, or damaged: the long way, with a snapshot, outside the guard.
  const engine::VersionKeeper version = KeepVisible();
  return GetAt(version->state, gated_pages_, keyspace, key);
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

std::vector<absl::StatusOr<PinnedValue>> Database::Impl::MultiGetAt(
    const TreeState& state, pager::PageSource& pages, Keyspace keyspace,
    std::span<const std::string_view> keys) {
  std::vector<absl::StatusOr<PinnedValue>> values;
  values.reserve(keys.size());
  for (const std::string_view key : keys) values.push_back(GetAt(state, pages, keyspace, key));
  return values;
}

absl::StatusOr<uint64_t> Database::Impl::CountAt(const TreeState& state, pager::PageSource& pages,
                                                 Keyspace keyspace, const KeyRange& range) {
  KEEL_ASSIGN_OR_RETURN(const KeyspaceId id, Resolve(state, keyspace));
  return btree::Count(pages, id, state.roots.Get(id), engine::ToRange(range));
}

std::vector<KeyspaceInfo> Database::Impl::ListKeyspaces() {
  if (!Usable().ok()) return {};
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
