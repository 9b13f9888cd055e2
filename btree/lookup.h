// The lookup without pins: the database's Get and MultiGet for what is in memory.
//
//   pager::ReadGuard guard(guards);
//   const auto result = btree::Lookup([&](PageId id) { return cache.Find(id); }, keyspace, root, key);
//   if (result.outcome == btree::LookupOutcome::kFound) { copy result.value before the guard is left }
//
// No allocation, no virtual call, nothing shared is written. On kMiss and kMismatch the caller leaves the
// guard and goes the long way (btree::Find), which loads what is missing and says what is damaged.
//
// A tree is larger than the processor's cache: what a lookup costs is waiting for memory, at each level for the
// page's place, for its header and slots, and for a cell. So each of these is asked for before it is read, all
// lines of it at once; and LookupTogether does for several keys what it asks for before it reads any.

#ifndef KEEL_BTREE_LOOKUP_H_
#define KEEL_BTREE_LOOKUP_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

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
  LookupOutcome outcome = LookupOutcome::kAbsent;
  ValueSlot value;  // kFound; lies in the page
  // The page that was looked at last; kMiss: that is missing.
  PageId id;
  Epoch birth;
  uint8_t level = 0;
};

// Whether a page is what its reference says, on this level of this tree: compared on every step down.
inline bool IsWanted(const pager::PageHeader& header, PageId id, Epoch birth, KeyspaceId keyspace,
                     uint8_t level) {
  const auto kind = level == 0 ? pager::PageKind::kLeaf : pager::PageKind::kInternal;
  return ((header.page_id ^ id.value) | (header.birth ^ birth.value) |
          (header.keyspace ^ uint64_t{keyspace.value}) | (header.level ^ uint64_t{level}) |
          (header.kind ^ static_cast<uint64_t>(kind))) == 0;
}

inline constexpr size_t kCacheLine = 64;

// Fetches as many lines of a page as header, prefix and slots take, as far as that is known from outside: a leaf's
// entries are counted in its reference. It is a guess that costs little if it is wrong.
inline void PrefetchNode(const std::byte* page, uint8_t level, uint64_t entries) {
  constexpr uint64_t kMostLines = 14;
  constexpr size_t kPrefixGuess = 24;
  const uint64_t lines =
      level > 0
          ? kMostLines
          : std::min(kMostLines,
                     (kNodeHeaderBytes + kPrefixGuess + entries * sizeof(Slot)) / kCacheLine + 1);
  for (uint64_t line = 0; line < lines; ++line) __builtin_prefetch(page + line * kCacheLine);
}

// Key and value of an entry, as far as they are short.
inline void PrefetchCell(const std::byte* cell) {
  for (size_t line = 0; line < 3; ++line) __builtin_prefetch(cell + line * kCacheLine);
}

// The way of one key down a tree, in steps that read what the step before has asked for. Each step says whether
// the way goes on; if not, result() tells how it ended.
class LookupWay {
 public:
  // REQUIRES: a root that is not empty.
  void Begin(const pager::TreeRoot& root, std::string_view key) {
    key_ = key;
    result_ = {LookupOutcome::kMiss, {}, root.reference.id, root.reference.birth, root.level};
    entries_ = 0;  // everybody reads the root: it is near
  }

  // All of it.
  template <typename Resident>
  const LookupResult& GoDown(Resident&& find_resident_page, KeyspaceId keyspace) {
    while (FindPage(find_resident_page) && FindHead(keyspace) && Settle()) {
    }
    return result_;
  }

  template <typename Resident>
  bool FindPage(Resident&& find_resident_page) {
    page_ = find_resident_page(result_.id);
    if (page_ == nullptr) [[unlikely]]
      return false;
    if (entries_ != 0) PrefetchNode(page_, result_.level, entries_);
    return true;
  }

  bool FindHead(KeyspaceId keyspace) {
    const NodeView node(page_);
    if (!IsWanted(node.header(), result_.id, result_.birth, keyspace, result_.level)) [[unlikely]] {
      result_.outcome = LookupOutcome::kMismatch;
      return false;
    }
    head_ = node.FindHead(result_.level == 0 ? 0 : 1, key_);
    if (!head_.exact) {
      PrefetchCell(node.cell(head_.position));
    } else if (result_.level > 0) {
      __builtin_prefetch(node.cell(head_.position - 1));
    }
    return true;
  }

  bool Settle() {
    const NodeView node(page_);
    bool equal = false;
    const size_t position = node.Settle(head_, &equal);
    if (result_.level == 0) {
      result_.outcome = equal ? LookupOutcome::kFound : LookupOutcome::kAbsent;
      if (equal) result_.value = node.value(position);
      return false;
    }
    const pager::Reference child = node.reference(equal ? position : position - 1);
    result_.id = child.id;
    result_.birth = child.birth;
    --result_.level;
    entries_ = child.entries;
    return true;
  }

  const LookupResult& result() const { return result_; }

 private:
  std::string_view key_;
  const std::byte* page_ = nullptr;
  NodeView::HeadPosition head_{};
  uint64_t entries_ = 0;  // below the page, as its reference says
  LookupResult result_;
};

// `find_resident_page` takes a PageId and returns the page's bytes, or null if it is not in memory.
// REQUIRES: a read guard, and a root of a published version that the guard protects.
template <typename Resident>
LookupResult Lookup(Resident&& find_resident_page, KeyspaceId keyspace, const pager::TreeRoot& root,
                    std::string_view key) {
  if (root.empty()) return {};
  LookupWay way;
  way.Begin(root, key);
  return way.GoDown(find_resident_page, keyspace);
}

// Keys that are looked up side by side: enough that memory has always something to do, few enough that what was
// fetched for them stays in the processor's first cache.
inline constexpr size_t kLookupsTogether = 16;

// Does what Lookup does for each of the keys. REQUIRES: as Lookup; at most kLookupsTogether keys.
template <typename Resident>
class LookupTogether {
 public:
  LookupTogether(Resident find_resident_page, KeyspaceId keyspace, const pager::TreeRoot& root,
                 std::span<const std::string_view> keys)
      : find_resident_page_(std::move(find_resident_page)), keyspace_(keyspace) {
    if (root.empty()) return;
    for (size_t n = 0; n < keys.size(); ++n) {
      ways_[n].Begin(root, keys[n]);
      going_[n] = n;
    }
    going_count_ = keys.size();
    while (going_count_ > 0) Descend();
  }

  const LookupResult& result(size_t n) const { return ways_[n].result(); }

 private:
  // All that are still going, by one level.
  void Descend() {
    Step([this](LookupWay& way) { return way.FindPage(find_resident_page_); });
    Step([this](LookupWay& way) { return way.FindHead(keyspace_); });
    Step([](LookupWay& way) { return way.Settle(); });
  }

  template <typename Do>
  void Step(Do step) {
    size_t kept = 0;
    for (size_t at = 0; at < going_count_; ++at) {
      const size_t n = going_[at];
      going_[kept] = n;
      if (step(ways_[n])) ++kept;
    }
    going_count_ = kept;
  }

  Resident find_resident_page_;
  const KeyspaceId keyspace_;
  std::array<LookupWay, kLookupsTogether> ways_;
  std::array<size_t, kLookupsTogether> going_;  // the first `going_count_`: whose ways go on
  size_t going_count_ = 0;
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_LOOKUP_H_
