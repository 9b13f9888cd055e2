// The lookup without pins: the database's Get for what is in memory.
//
//   pager::ReadGuard guard(guards);
//   const auto result = btree::Lookup([&](PageId id) { return cache.Find(id); }, keyspace, root, key);
//   if (result.outcome == btree::LookupOutcome::kFound) { copy result.value before the guard is left }
//
// No allocation, no virtual call, nothing shared is written. On kMiss and kMismatch the caller leaves the
// guard and goes the long way (btree::Find), which loads what is missing and says what is damaged.

#ifndef KEEL_BTREE_LOOKUP_H_
#define KEEL_BTREE_LOOKUP_H_

#include <cstdint>
#include <string_view>

#include "base/types.h"
#include "btree/node_view.h"
#include "pager/page_format.h"
#include "pager/reference.h"

namespace keel::btree {

enum class LookupOutcome : uint8_t {
  kFound,
  kAbsent,
  kMiss,      // a page is not in memory
  kMismatch,  // a page is not what its reference says
};

struct LookupResult {
  LookupOutcome outcome;
  ValueSlot value;  // kFound; lies in the page
};

// Whether a page is what its reference says, on this level of this tree: compared on every step down.
inline bool IsWanted(const pager::PageHeader& header, PageId id, Epoch birth, KeyspaceId keyspace,
                     uint8_t level) {
  const auto kind = level == 0 ? pager::PageKind::kLeaf : pager::PageKind::kInternal;
  return ((header.page_id ^ id.value) | (header.birth ^ birth.value) |
          (header.keyspace ^ uint64_t{keyspace.value}) | (header.level ^ uint64_t{level}) |
          (header.kind ^ static_cast<uint64_t>(kind))) == 0;
}

// `find_resident_page` takes a PageId and returns the page's bytes, or null if it is not in memory.
// REQUIRES: a read guard, and a root of a published version that the guard protects.
template <typename Resident>
LookupResult Lookup(Resident&& find_resident_page, KeyspaceId keyspace, const pager::TreeRoot& root,
                    std::string_view key) {
  if (root.empty()) return {LookupOutcome::kAbsent, {}};
  PageId id = root.reference.id;
  Epoch birth = root.reference.birth;
  for (uint8_t level = root.level;; --level) {
    const std::byte* const page = find_resident_page(id);
    if (page == nullptr) [[unlikely]]
      return {LookupOutcome::kMiss, {}};
    const NodeView node(page);
    if (!IsWanted(node.header(), id, birth, keyspace, level)) [[unlikely]] {
      return {LookupOutcome::kMismatch, {}};
    }
    if (level == 0) {
      bool found = false;
      const size_t position = node.LowerBound(key, &found);
      if (!found) return {LookupOutcome::kAbsent, {}};
      return {LookupOutcome::kFound, node.value(position)};
    }
    const size_t child = node.ChildFor(key);
    const Slot& slot = node.slots()[child];
    const std::byte* const reference = page + slot.offset + slot.key_bytes();
    id = PageId{Load48(reference)};
    birth = Epoch{Load<uint64_t>(reference + 6)};
  }
}

}  // namespace keel::btree

#endif  // KEEL_BTREE_LOOKUP_H_
