// Database::Impl: lookups in commits that no version holds (engine/unpublished_commits.cc), past the latch and under it.
//
// The pages of the working state are those of the last version, which stay as they are, and those born since, which the
// writer changes in place. A lookup reads the first kind as ever. One of the second it copies, and looks whether it was
// changed meanwhile, or whatever led to it was; only then is the copy read (pager::Frame::changes, base/sequence.h).
//
//   L1  At the moment at which a page was copied it belonged to the working state, for nothing on the way from the root to
//       it had changed since that was copied. So what is found there was so at a moment of this call. A guard alone would
//       not do: a page is dropped a moment before what leads to it is marked, and who enters a guard in between may meet
//       another page at its id, of the same epoch perhaps. The second look at the way tells; of a page that is of an
//       older epoch its birth does.
//   L2  Only what a change has ended is found: all pages that it changes in place are marked until its end, and until then
//       nothing but these leads to what it has made. While a batch is applied no root is shown, so that it is seen whole.
//   L3  A root is shown only while commits are unpublished (WR1): what it leads to was answered or is about to be (U1). If
//       they are published meanwhile, all pages on the way freeze as they were.
//   L4  It waits for nobody. Where it would have to, it gives up, and looks under the latch; the first lookup there has the
//       root shown to those that follow.
//
// Pages larger than WayAmongChanges::kPageMax, and keyspaces of which no root is shown, are looked at under the latch.

#include <memory>

#include "btree/lookup.h"
#include "engine/access.h"
#include "engine/answers.h"
#include "engine/database_impl.h"
#include "engine/way_among_changes.h"
#include "engine/working_roots.h"
#include "io/latch.h"
#include "pager/guard.h"

namespace keel {

using engine::WayAmongChanges;
using engine::WorkingRoots;

namespace {

// Times that a lookup finds a change under way before it waits at the latch.
constexpr int kAttempts = 4;

}  // namespace

Database::Impl::Resident Database::Impl::LookAmongChanges(Keyspace keyspace, std::string_view key,
                                                          absl::StatusOr<PinnedValue>* value,
                                                          btree::Found* pinned) {
  const std::optional<KeyspaceId> id = CopiedKeyspace(keyspace);
  if (!id) return Resident::kMoved;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Resident found = LookOnceAmongChanges(*id, key, value, pinned);
    if (found != Resident::kMoved) return found;
    io::PauseProcessor();
  }
  return Resident::kMoved;
}

// Nothing: its pages are not copied, or it is another database's.
std::optional<KeyspaceId> Database::Impl::CopiedKeyspace(Keyspace keyspace) const {
  const uint64_t database = KeyspaceAccess::Database(keyspace);
  if (database != 0 && database != tag_) return std::nullopt;
  if (storage_->cache->page_bytes() > WayAmongChanges::kPageMax) return std::nullopt;
  return KeyspaceAccess::Id(keyspace);
}

Database::Impl::Resident Database::Impl::LookOnceAmongChanges(KeyspaceId id, std::string_view key,
                                                              absl::StatusOr<PinnedValue>* value,
                                                              btree::Found* pinned) {
  WayAmongChanges pages(*storage_->cache);
  btree::LookupWay way;
  {
    const pager::ReadGuard guard(*storage_->guards);
    const std::optional<WorkingRoots::Seen> root = working_roots_.Look(id);
    if (!root) return Resident::kMoved;
    if (root->root.empty()) {
      *value = engine::Absent();
      return Resident::kAnswered;
    }
    pages.Begin(*root);
    way.Begin(root->root, key);
    const auto find = [&](PageId page) { return pages.Page(page, way.result().birth); };
    const btree::LookupResult& found = way.GoDown(find, id);
    const bool known = found.outcome == btree::LookupOutcome::kFound ||
                       found.outcome == btree::LookupOutcome::kAbsent;
    if (!known) return pages.moved() ? Resident::kMoved : Resident::kNo;
    if (found.outcome == btree::LookupOutcome::kAbsent || !pages.copied(found.value.bytes.data())) {
      return Take(found, id, value, pinned);
    }
  }
  return TakeCopy(way.result().value, value, pinned != nullptr);
}

// Outside guards, for it may allocate: a value of more than kInlineBytes, if the caller wants one.
Database::Impl::Resident Database::Impl::TakeCopy(const btree::ValueSlot& found,
                                                  absl::StatusOr<PinnedValue>* value,
                                                  bool wants_long) {
  if (found.large) return Resident::kNo;
  if (found.bytes.size() <= PinnedValueAccess::kInlineBytes) {
    PinnedValueAccess::SetCopy(&value->emplace(), found.bytes);
    return Resident::kAnswered;
  }
  if (!wants_long) return Resident::kNo;
  const std::shared_ptr<char[]> bytes(new (std::nothrow) char[found.bytes.size()]);
  if (bytes == nullptr) return Resident::kNo;
  found.bytes.copy(bytes.get(), found.bytes.size());
  PinnedValueAccess::SetOwned(&value->emplace(), {bytes.get(), found.bytes.size()}, bytes);
  return Resident::kAnswered;
}

// Nobody may pin the pages, which are the writer's.
Database::Impl::Resident Database::Impl::LookInUnpublished(Keyspace keyspace, std::string_view key,
                                                           absl::StatusOr<PinnedValue>* value) {
  const io::LatchLock lock(&unpublished_latch_);
  if (!MayLookUnpublished()) return Resident::kMoved;
  latched_lookups_.fetch_add(1, std::memory_order_relaxed);
  const std::optional<KeyspaceId> id = CopiedKeyspace(keyspace);
  if (id && working_.names->Exists(*id)) {
    working_roots_.Show(*id, working_.roots.Get(*id), storage_->session->current_epoch());
  }
  const pager::ReadGuard guard(*storage_->guards);
  return LookInKeyspace(working_, keyspace, key, value, nullptr);
}

}  // namespace keel
