// Which free pages come next: low ids first, in runs where there are some.
//
// Single pages come from one run after another, found on a sweep through the file in ascending
// order, so that what one checkpoint writes lies together. A sweep looks first for runs of kLongRun
// pages, then takes whatever is free. Restart, once a checkpoint, begins again at the low end, which
// keeps the file compact. Nothing is skipped for good: as long as a page is free, one is found.
//
// Several pages at once come from the first run that is long enough for all, then for half of them, and
// so on.

#ifndef KEEL_PAGER_SPACE_SEARCH_H_
#define KEEL_PAGER_SPACE_SEARCH_H_

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/types.h"
#include "pager/reference.h"
#include "pager/space_group.h"
#include "pager/space_layout.h"

namespace keel::pager {

// Not thread-safe.
class SpaceSearch {
 public:
  static constexpr uint64_t kLongRun = 16;

  using Groups = std::vector<std::unique_ptr<SpaceGroup>>;
  // Loads the group's bitmap where it must. False: it hands out nothing.
  using Ready = absl::FunctionRef<bool(SpaceGroup&)>;

  explicit SpaceSearch(const SpaceLayout& layout) : layout_(layout) {}

  // Takes 1 to `most` consecutive pages. Count 0: nothing is free.
  PageRun TakeSome(Groups& groups, uint64_t most, Ready ready);
  // Takes as many consecutive pages: more than half of the longest run that there is, or `size.most`.
  // Count 0: there is no run of `size.least`.
  PageRun TakeRun(Groups& groups, const RunSize& size, Ready ready);
  // The next sweep begins at the low end.
  void Restart();

 private:
  bool Refill(Groups& groups, Ready ready);
  PageRun Find(Groups& groups, PageId from, uint64_t least, Ready ready);
  PageRun FindInGroup(SpaceGroup& group, uint64_t from, uint64_t least, Ready ready);
  void TakeFrom(Groups& groups, const PageRun& run);

  const SpaceLayout layout_;
  PageRun run_;       // free, found by the sweep, being handed out
  PageId cursor_;     // where the sweep goes on
  bool any_ = false;  // the sweep takes short runs too
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_SPACE_SEARCH_H_
