#include "engine/multi_get.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "btree/lookup.h"
#include "engine/answers.h"
#include "pager/guard.h"

namespace keel::engine {

std::vector<absl::StatusOr<PinnedValue>> MultiGet::Run() {
  const absl::StatusOr<KeyspaceId> id = database_.Resolve(state_, keyspace_);
  if (!id.ok()) return AllRefused(keys_.size(), id.status());
  answers_.reserve(keys_.size());
  for (size_t n = 0; n < keys_.size(); ++n) answers_.emplace_back(Absent());
  LookUpFrom(*id);
  for (const size_t number : long_way_) {
    answers_[number] = database_.GetAt(state_, database_.pages(), keyspace_, keys_[number]);
  }
  return std::move(answers_);
}

void MultiGet::ReadPages() {
  answers_wanted_ = false;
  const absl::StatusOr<KeyspaceId> id = database_.Resolve(state_, keyspace_);
  if (id.ok()) LookUpFrom(*id);
}

void MultiGet::LookUpFrom(KeyspaceId id) {
  id_ = id;
  root_ = state_.roots.Get(id);
  std::vector<size_t> all(keys_.size());
  std::iota(all.begin(), all.end(), size_t{0});
  LookUpAll(all);
  LoadMissing();
}

void MultiGet::LookUpAll(std::span<const size_t> numbers) {
  while (!numbers.empty()) {
    const size_t count = std::min(numbers.size(), btree::kLookupsTogether);
    LookUp(numbers.first(count));
    numbers = numbers.subspan(count);
  }
}

void MultiGet::LookUp(std::span<const size_t> numbers) {
  std::array<std::string_view, btree::kLookupsTogether> keys;
  for (size_t n = 0; n < numbers.size(); ++n) keys[n] = keys_[numbers[n]];
  const pager::PageCache& cache = *database_.storage().cache;
  {
    const pager::ReadGuard guard(*database_.storage().guards);
    const btree::LookupTogether look([&cache](PageId page) { return cache.Find(page); }, id_, root_,
                                     std::span(keys).first(numbers.size()));
    for (size_t n = 0; n < numbers.size(); ++n) Take(numbers[n], look.result(n));
  }
  for (auto& [number, found] : pinned_) {
    answers_[number] = database_.Materialize(database_.pages(), std::move(found.leaf), found.value);
  }
  pinned_.clear();
}

void MultiGet::Take(size_t number, const btree::LookupResult& found) {
  if (found.outcome == btree::LookupOutcome::kMiss) {
    missing_.push_back({number, {{found.id, found.birth}, id_, found.level}});
    return;
  }
  if (!answers_wanted_) return;
  btree::Found pinned;
  switch (database_.Take(found, id_, &answers_[number], &pinned)) {
    case Database::Impl::Resident::kAnswered:
      return;
    case Database::Impl::Resident::kPinned:
      pinned_.push_back({number, std::move(pinned)});
      return;
    case Database::Impl::Resident::kNo:
    case Database::Impl::Resident::kMoved:
      long_way_.push_back(number);
  }
}

// Every pass takes each key a level down at least, unless what it needs has gone again meanwhile: then memory is short,
// and the rest goes one by one.
void MultiGet::LoadMissing() {
  for (size_t passes = root_.level + size_t{2}; passes > 0 && !missing_.empty(); --passes) {
    std::vector<Missing> missing = std::exchange(missing_, {});
    std::ranges::sort(missing, {}, [](const Missing& one) { return one.page.reference.id; });
    for (std::span<const Missing> rest = missing; !rest.empty();) {
      rest = rest.subspan(LoadSome(rest));
      if (nothing_came_ && !answers_wanted_) return;
    }
  }
  for (const Missing& one : missing_) long_way_.push_back(one.key);
  missing_.clear();
}

size_t MultiGet::LoadSome(std::span<const Missing> missing) {
  const size_t most = database_.storage().cache->PinnedTogetherMax();
  std::vector<pager::PageWant> wants;
  std::vector<size_t> page_of;  // by key: its place among the wants
  for (const Missing& one : missing) {
    if (wants.empty() || one.page.reference.id != wants.back().reference.id) {
      if (wants.size() == most) break;
      wants.push_back(one.page);
    }
    page_of.push_back(wants.size() - 1);
  }
  // Inner pages stay pinned, so that they are still there when their keys are looked up.
  std::vector<pager::PageHandle> inner;
  std::vector<bool> answered(wants.size());
  std::vector<size_t> again;
  database_.PinTogether(wants, [&](size_t at, pager::PageHandle page) {
    const auto& [reference, keyspace, level] = wants[at];
    // Somebody may have read what another reference means by this page; Get's long way tells.
    if (!btree::IsWanted(page.header(), reference.id, reference.birth, keyspace, level)) return;
    answered[at] = true;
    // The keys of a page lie side by side.
    const auto first = std::ranges::lower_bound(page_of, at);
    for (auto n = first; n != page_of.end() && *n == at; ++n) {
      const size_t number = missing[static_cast<size_t>(n - page_of.begin())].key;
      if (level > 0) {
        again.push_back(number);
      } else if (answers_wanted_) {
        LookInLeaf(number, page);
      }
    }
    if (level > 0) inner.push_back(std::move(page));
  });
  nothing_came_ = std::ranges::find(answered, true) == answered.end();
  for (size_t n = 0; n < page_of.size(); ++n) {
    if (!answered[page_of[n]]) long_way_.push_back(missing[n].key);
  }
  LookUpAll(again);
  return page_of.size();
}

void MultiGet::LookInLeaf(size_t number, const pager::PageHandle& leaf) {
  const btree::NodeView node(leaf.bytes());
  bool found = false;
  const size_t position = node.LowerBound(keys_[number], &found);
  if (!found) return;  // the answer is Absent
  const btree::ValueSlot value = node.value(position);
  if (value.large) {
    long_way_.push_back(number);
    return;
  }
  leaf.pins()->fetch_add(1, std::memory_order_relaxed);
  answers_[number] =
      database_.Materialize(database_.pages(), pager::PageHandle(leaf.bytes(), leaf.pins()), value);
}

}  // namespace keel::engine
