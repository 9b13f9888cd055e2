// Pages that one version has dropped, with their births; many of them take little memory.
//
// A birth only tells which keepers hold the page: the first one that is not older, and those after it
// (Reclaimer). So once it is known at which epochs there can be keepers, births between two of them need
// not be told apart, and a transaction that replaces every page of a large tree keeps a few PageSets.

#ifndef KEEL_PAGER_DEAD_PAGES_H_
#define KEEL_PAGER_DEAD_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/types.h"
#include "pager/page_set.h"

namespace keel::pager {

struct DeadPage {
  PageId first;
  uint64_t count = 1;
  Epoch birth;
};
using DeathList = std::vector<DeadPage>;

// Every page at most once. Not thread-safe.
class DeadPages {
 public:
  DeadPages() = default;
  DeadPages(DeathList listed) : listed_(std::move(listed)) {}  // NOLINT: a list is such a set
  DeadPages(std::initializer_list<DeadPage> listed) : listed_(listed) {}

  void Add(const DeadPage& page) { listed_.push_back(page); }
  // Takes all of `other`, which is empty afterwards.
  void Absorb(DeadPages&& other);
  // Puts what is listed one by one into sets. Births are raised to the next of `epochs` that is not
  // before them. REQUIRES: `epochs` ascend, and hold every epoch up to the last at which there is, or will
  // be, a keeper; no birth is after the last.
  void Compact(const std::vector<Epoch>& epochs);

  // Entries that Compact would put into sets.
  size_t listed() const { return listed_.size(); }
  bool empty() const { return listed_.empty() && sets_.empty(); }
  uint64_t pages() const;
  size_t memory_bytes() const;

  // Take up to `max_pages` (> 0) out: of one entry of the list, then, once that is empty, of one birth.
  std::optional<DeadPage> TakeListed(uint64_t max_pages);
  // REQUIRES: not empty, but the list is.
  Epoch TakeFromSet(uint64_t max_pages, PageSet* pages);
  // Adds those born up to `newest_birth`; which, if births were raised, is one of those epochs.
  void CollectBornUpTo(Epoch newest_birth, PageSet* pages) const;

 private:
  DeathList listed_;
  size_t taken_ = 0;               // of these, from the front; they go when all are
  std::map<Epoch, PageSet> sets_;  // by birth; none is empty
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_DEAD_PAGES_H_
