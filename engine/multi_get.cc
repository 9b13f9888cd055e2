#include "engine/multi_get.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "btree/lookup.h"
#include "engine/answers.h"
#include "pager/guard.h"

namespace keel::engine {
namespace {

// Groups of keys that are looked up while pages are read: others may wait for those pages, so that takes a tenth of a
// millisecond, not as long as there are keys.
constexpr size_t kGroupsTogether = 16;

}  // namespace

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
  unseen_ = all;
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

bool MultiGet::LookUpMore() {
  while (waiting_.empty() && LookUpGroup()) {
  }
  return !waiting_.empty();
}

bool MultiGet::LookUpGroup() {
  if (unseen_.empty()) return false;
  const size_t count = std::min(unseen_.size(), btree::kLookupsTogether);
  LookUp(unseen_.first(count));
  unseen_ = unseen_.subspan(count);
  WaitForMissing();
  return true;
}

void MultiGet::WaitForMissing() {
  waiting_ = std::exchange(missing_, {});
  std::ranges::sort(waiting_, std::greater{},
                    [](const MissingPage& one) { return one.page.reference.id; });
}

// Every pass takes each key a level down at least, unless what it needs has gone again meanwhile: then memory is short,
// and the rest goes one by one.
void MultiGet::LoadMissing() {
  for (size_t passes = root_.level + size_t{2}; passes > 0 && LookUpMore(); --passes) {
    do {
      LoadSome();
      if (nothing_came_ && !answers_wanted_) return;
    } while (LookUpMore());
    WaitForMissing();
  }
  GiveUp();
}

void MultiGet::GiveUp() {
  for (const MissingPage& one : waiting_) long_way_.push_back(one.key);
  waiting_.clear();
  long_way_.insert(long_way_.end(), unseen_.begin(), unseen_.end());
  unseen_ = {};
}

void MultiGet::LoadSome() {
  MissingPages pages(database_.storage().cache->PinnedTogetherMax());
  // Inner pages stay pinned, so that they are still there when their keys are looked up.
  std::vector<pager::PageHandle> inner;
  std::vector<bool> answered;
  std::vector<size_t> again;
  const auto take = [&](size_t at, pager::PageHandle page) {
    const auto& [reference, keyspace, level] = pages.page(at);
    // Somebody may have read what another reference means by this page; Get's long way tells.
    if (!btree::IsWanted(page.header(), reference.id, reference.birth, keyspace, level)) return;
    answered.resize(pages.size());
    answered[at] = true;
    pages.ForKeys(at, [&](size_t key) {
      if (pages.page(at).level > 0) {
        again.push_back(key);
      } else if (answers_wanted_) {
        LookInLeaf(key, page);
      }
    });
    if (level > 0) inner.push_back(std::move(page));
  };
  size_t groups = kGroupsTogether;
  database_.PinTogether([&] { return MorePages(&pages, &groups); }, take);
  nothing_came_ = answered.empty();
  if (pages.size() == 0) return GiveUp();  // the database is closed
  answered.resize(pages.size());
  for (size_t at = 0; at < pages.size(); ++at) {
    if (!answered[at]) pages.ForKeys(at, [this](size_t key) { long_way_.push_back(key); });
  }
  LookUpAll(again);
}

// One group's at a time: the next ones are looked up while these are read.
std::span<const pager::PageWant> MultiGet::MorePages(MissingPages* pages, size_t* groups) {
  const size_t first = pages->size();
  while (pages->size() == first) {
    if (waiting_.empty()) {
      if (*groups == 0 || !LookUpGroup()) break;
      --*groups;
    }
    for (size_t count = 0; !waiting_.empty() && count < btree::kLookupsTogether; ++count) {
      if (!pages->Add(waiting_.back())) return pages->From(first);
      waiting_.pop_back();
    }
  }
  return pages->From(first);
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
