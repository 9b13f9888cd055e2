// Database::Impl: pages that a commit is going to change are read before it takes the writer lock.
//
// With a database larger than the memory a put has to read the leaf that it changes. Under the writer lock all others
// would wait for that read, one read after the other. So it is read before, with whatever others read at the same time,
// and those of a batch side by side. What is found is of no account: by the time of the change the page may be another
// one, or have gone again, and is read then; and an error is met again there, by whom it concerns.

#include <algorithm>
#include <vector>

#include "btree/lookup.h"
#include "engine/access.h"
#include "engine/answers.h"
#include "engine/database_impl.h"
#include "engine/multi_get.h"
#include "pager/guard.h"

namespace keel {

using recovery::Operation;
using recovery::OperationKind;

namespace {

// Of the frames: more pages would drive each other out before they are used.
constexpr size_t kFrameShareOfReads = 8;

bool ChangesOneKey(const Operation& operation) {
  return operation.kind == OperationKind::kPut || operation.kind == OperationKind::kDelete;
}

}  // namespace

void Database::Impl::ReadBeforehand(std::span<const Operation> operations) {
  if (!storage_->cache->Crowded() || !CheckCommitsTaken().ok()) return;
  // The version that there is then is old: of what has changed since, it would bring back the dead pages.
  if (unpublished_.load(std::memory_order_relaxed)) return;
  if (std::ranges::none_of(operations, ChangesOneKey)) return;
  if (operations.size() == 1 && IsInMemory(operations.front())) return;
  const engine::VersionKeeper version = registry_.KeepVisible();
  if (!version) return;
  size_t left = storage_->cache->frames() / kFrameShareOfReads;
  std::vector<std::string_view> keys;
  for (auto at = operations.begin(); at != operations.end() && left > 0;) {
    const KeyspaceId keyspace = at->keyspace;
    keys.clear();
    for (; at != operations.end() && at->keyspace == keyspace && left > 0; ++at, --left) {
      if (ChangesOneKey(*at)) keys.push_back(at->key);
    }
    engine::MultiGet(*this, version->state, KeyspaceAccess::Make(keyspace, tag_), keys).ReadPages();
  }
}

// While another commit has the writer lock this one's way down the tree is taken already: then its pages are in the
// processor's caches when the turn comes, and those behind it wait for less.
void Database::Impl::FetchBeforehand(std::span<const Operation> operations, Durability durability) {
  // Who waits for the disk gets in line at once, to be taken along.
  if (operations.size() != 1 || durability == Durability::kSync) return;
  if (!ChangesOneKey(operations.front()) || !writer_lock_.HeldByCommits()) return;
  absl::StatusOr<PinnedValue> of_no_account = engine::Absent();
  LookInVisible(KeyspaceAccess::Make(operations.front().keyspace, tag_), operations.front().key,
                &of_no_account, nullptr);
}

bool Database::Impl::IsInMemory(const Operation& operation) {
  const pager::ReadGuard guard(*storage_->guards);
  const engine::Version* const version = registry_.visible();
  if (version == nullptr || !version->state.names->Exists(operation.keyspace)) return true;
  const pager::TreeRoot root = version->state.roots.Get(operation.keyspace);
  if (root.empty()) return true;
  btree::LookupWay way;
  way.Begin(root, operation.key);
  const pager::PageCache& cache = *storage_->cache;
  const auto find = [&cache](PageId page) { return cache.Find(page); };
  return way.GoDown(find, operation.keyspace).outcome != btree::LookupOutcome::kMiss;
}

}  // namespace keel
