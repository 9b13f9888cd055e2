// The way of a lookup from a shown root to a leaf, past the latch (engine/unpublished_reads.cc, L1).
//
// Pages of older epochs stay as they are and are read in place. One of the epoch in which pages may be changed is
// copied, and the copy is read only if neither it nor anything that led to it has changed by then.

#ifndef KEEL_ENGINE_WAY_AMONG_CHANGES_H_
#define KEEL_ENGINE_WAY_AMONG_CHANGES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/sequence.h"
#include "base/types.h"
#include "engine/working_roots.h"
#include "pager/page_cache.h"
#include "pager/page_format.h"

namespace keel::engine {

// For one lookup. REQUIRES: a guard, from before Begin until the last call.
class WayAmongChanges {
 public:
  // Pages that are larger cannot be looked at so.
  static constexpr size_t kPageMax = 16 << 10;

  // REQUIRES: the cache's pages are not larger than kPageMax.
  explicit WayAmongChanges(const pager::PageCache& cache) : cache_(cache) {}

  void Begin(const WorkingRoots::Seen& root) {
    epoch_ = root.epoch;
    seen_[0] = {root.changes, root.count};
  }

  // What can be read of a page that the way leads to; good until the next call. Null: it is not in memory, or moved()
  // tells.
  const std::byte* Page(PageId id, Epoch birth) {
    const std::byte* const page = cache_.Find(id);
    if (birth != epoch_) return OlderPage(page, birth);
    if (page == nullptr) return Moved();  // it has been dropped: such pages stay in memory
    const Sequence& changes = cache_.ChangesOf(page);
    const uint64_t count = changes.Look();
    if (Sequence::Settled(count) && seen_count_ < seen_.size()) {
      CopyWhatMayChange(copy_.data(), page, cache_.page_bytes());
      seen_[seen_count_++] = {&changes, count};
      if (AllStill()) return copy_.data();
    }
    return Moved();
  }

  // Something on the way has changed since: whatever was found is worth nothing.
  bool moved() const { return moved_ || !AllStill(); }
  // Whether `bytes` lie in a copy, and so are gone with this.
  bool copied(const char* bytes) const {
    const auto* const at = reinterpret_cast<const std::byte*>(bytes);
    return at >= copy_.data() && at < copy_.data() + copy_.size();
  }

 private:
  struct Seen {
    const Sequence* changes;
    uint64_t count;
  };

  // A page that has been dropped, and freed (U6), before the guard was entered may have given its id to one that is
  // being made. Of such a page nothing but the birth is read, which is there before others can come to it.
  const std::byte* OlderPage(const std::byte* page, Epoch birth) {
    if (page == nullptr || pager::HeaderOf(page).birth == birth.value) return page;
    return Moved();
  }
  const std::byte* Moved() {
    moved_ = true;
    return nullptr;
  }
  // From the leaf upwards: what led to a page is looked at after the page (L1).
  bool AllStill() const {
    for (size_t n = seen_count_; n > 0; --n) {
      if (!seen_[n - 1].changes->Still(seen_[n - 1].count)) return false;
    }
    return true;
  }

  const pager::PageCache& cache_;
  Epoch epoch_;
  std::array<Seen, 16> seen_;
  size_t seen_count_ = 1;
  bool moved_ = false;
  alignas(64) std::array<std::byte, kPageMax> copy_;  // of the page that was looked at last
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_WAY_AMONG_CHANGES_H_
