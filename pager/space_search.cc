#include "pager/space_search.h"

#include <algorithm>

namespace keel::pager {
namespace {

// A group that is not loaded is read in search of a run only if so much of it is free (one in 32).
constexpr uint64_t kWorthLoading = 32;

bool Overlap(const PageRun& a, const PageRun& b) {
  return a.first.value < b.first.value + b.count && b.first.value < a.first.value + a.count;
}

}  // namespace

void SpaceSearch::Restart() {
  run_ = {};
  cursor_ = {};
  any_ = false;
}

PageRun SpaceSearch::TakeSome(Groups& groups, uint64_t most, Ready ready) {
  if (run_.count == 0 && !Refill(groups, ready)) return {};
  const PageRun taken{run_.first, std::min(most, run_.count)};
  TakeFrom(groups, taken);
  run_.first.value += taken.count;
  run_.count -= taken.count;
  return taken;
}

bool SpaceSearch::Refill(Groups& groups, Ready ready) {
  // On from the cursor; then everything, from the start.
  for (int pass = 0; pass < 2; ++pass) {
    run_ = Find(groups, cursor_, any_ ? 1 : kLongRun, ready);
    if (run_.count > 0) {
      cursor_ = PageId{run_.first.value + run_.count};
      return true;
    }
    any_ = true;
    cursor_ = {};
  }
  return false;
}

PageRun SpaceSearch::TakeRun(Groups& groups, const RunSize& size, Ready ready) {
  PageRun run;
  for (uint64_t wanted = size.most; run.count == 0; wanted = std::max(wanted / 2, size.least)) {
    run = run_.count >= wanted ? run_ : Find(groups, PageId{}, wanted, ready);
    if (wanted == size.least) break;
  }
  if (run.count == 0) return {};
  run.count = std::min(run.count, size.most);
  if (Overlap(run, run_)) {  // the sweep finds the rest again
    cursor_ = std::min(cursor_, run_.first);
    run_ = {};
  }
  TakeFrom(groups, run);
  return run;
}

PageRun SpaceSearch::Find(Groups& groups, PageId from, uint64_t least, Ready ready) {
  uint64_t index = layout_.IndexInGroup(from);
  for (uint64_t g = layout_.GroupOf(from); g < groups.size(); ++g, index = 0) {
    const PageRun run = FindInGroup(*groups[g], index, least, ready);
    if (run.count > 0) return run;
  }
  return {};
}

PageRun SpaceSearch::FindInGroup(SpaceGroup& group, uint64_t from, uint64_t least, Ready ready) {
  if (group.free_pages() < least || group.longest_run() < least) return {};
  const bool worth_loading =
      least == 1 || group.free_pages() * kWorthLoading >= layout_.pages_per_group();
  if (!group.loaded() && !worth_loading) return {};
  if (!ready(group)) return {};
  const IndexRun found = group.FindRun(from, least);
  return {PageId{layout_.FirstPage(group.number()).value + found.first}, found.count};
}

void SpaceSearch::TakeFrom(Groups& groups, const PageRun& run) {
  groups[layout_.GroupOf(run.first)]->Take({layout_.IndexInGroup(run.first), run.count});
}

}  // namespace keel::pager
