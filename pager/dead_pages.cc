#include "pager/dead_pages.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace keel::pager {

void DeadPages::Absorb(DeadPages&& other) {
  KEEL_CHECK(taken_ == 0 && other.taken_ == 0);
  if (listed_.empty()) {
    listed_ = std::move(other.listed_);
  } else {
    listed_.insert(listed_.end(), other.listed_.begin(), other.listed_.end());
  }
  other.listed_.clear();
  for (auto& [birth, set] : other.sets_) sets_[birth].Absorb(std::move(set));
  other.sets_.clear();
}

void DeadPages::Compact(const std::vector<Epoch>& epochs) {
  KEEL_CHECK(taken_ == 0);
  for (const DeadPage& page : listed_) {
    const auto epoch = std::lower_bound(epochs.begin(), epochs.end(), page.birth);
    KEEL_CHECK(epoch != epochs.end());
    sets_[*epoch].InsertRun(page.first, page.count);
  }
  listed_.clear();
}

uint64_t DeadPages::pages() const {
  uint64_t pages = 0;
  for (size_t i = taken_; i < listed_.size(); ++i) pages += listed_[i].count;
  for (const auto& [birth, set] : sets_) pages += set.size();
  return pages;
}

size_t DeadPages::memory_bytes() const {
  size_t bytes = listed_.capacity() * sizeof(DeadPage);
  for (const auto& [birth, set] : sets_) bytes += sizeof(PageSet) + set.memory_bytes();
  return bytes;
}

std::optional<DeadPage> DeadPages::TakeListed(uint64_t max_pages) {
  if (listed_.empty()) return std::nullopt;
  DeadPage& page = listed_[taken_];
  const DeadPage part{page.first, std::min(page.count, max_pages), page.birth};
  page.first.value += part.count;
  page.count -= part.count;
  if (page.count == 0 && ++taken_ == listed_.size()) {
    listed_.clear();
    taken_ = 0;
  }
  return part;
}

Epoch DeadPages::TakeFromSet(uint64_t max_pages, PageSet* pages) {
  KEEL_CHECK(listed_.empty() && !sets_.empty());
  const auto first = sets_.begin();
  const Epoch birth = first->first;
  first->second.MoveSome(max_pages, pages);
  if (first->second.empty()) sets_.erase(first);
  return birth;
}

void DeadPages::CollectBornUpTo(Epoch newest_birth, PageSet* pages) const {
  for (const DeadPage& page : listed_) {
    if (page.birth <= newest_birth) pages->InsertRun(page.first, page.count);
  }
  for (const auto& [birth, set] : sets_) {
    if (birth > newest_birth) break;
    set.ForEachWord([&](uint64_t index, uint64_t bits) { pages->InsertWord(index, bits); });
  }
}

}  // namespace keel::pager
