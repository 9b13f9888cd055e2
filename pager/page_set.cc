#include "pager/page_set.h"

#include <algorithm>

namespace keel::pager {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};

uint64_t BitOf(PageId id) { return uint64_t{1} << (id.value % 64); }

uint64_t CountOf(uint64_t word) { return static_cast<uint64_t>(std::popcount(word)); }

// The lowest `count` bits of `word` that are set; `word` has more than that.
uint64_t LowestBits(uint64_t word, uint64_t count) {
  uint64_t rest = word;
  for (uint64_t i = 0; i < count; ++i) rest &= rest - 1;
  return word & ~rest;
}

}  // namespace

bool PageSet::Insert(PageId id) {
  uint64_t& word = words_[id.value / 64];
  const uint64_t bit = BitOf(id);
  if ((word & bit) != 0) return false;
  word |= bit;
  ++size_;
  return true;
}

bool PageSet::Erase(PageId id) {
  const auto found = words_.find(id.value / 64);
  const uint64_t bit = BitOf(id);
  if (found == words_.end() || (found->second & bit) == 0) return false;
  found->second &= ~bit;
  if (found->second == 0) words_.erase(found);
  --size_;
  return true;
}

void PageSet::InsertWord(uint64_t index, uint64_t bits) {
  if (bits == 0) return;
  uint64_t& word = words_[index];
  size_ += CountOf(bits & ~word);
  word |= bits;
}

void PageSet::InsertRun(PageId first, uint64_t count) {
  for (uint64_t id = first.value; count > 0;) {
    const uint64_t within = id % 64;
    const uint64_t part = std::min(count, 64 - within);
    InsertWord(id / 64, (kAll >> (64 - part)) << within);
    id += part;
    count -= part;
  }
}

bool PageSet::Contains(PageId id) const {
  const auto found = words_.find(id.value / 64);
  return found != words_.end() && (found->second & BitOf(id)) != 0;
}

void PageSet::Absorb(PageSet&& other) {
  if (words_.size() < other.words_.size()) {
    std::swap(words_, other.words_);
    std::swap(size_, other.size_);
  }
  for (const auto& [index, word] : other.words_) InsertWord(index, word);
  other.clear();
}

uint64_t PageSet::MoveSome(uint64_t count, PageSet* out) {
  uint64_t moved = 0;
  auto it = words_.begin();
  while (it != words_.end() && moved < count) {
    const uint64_t rest = count - moved;
    const uint64_t taken = CountOf(it->second) > rest ? LowestBits(it->second, rest) : it->second;
    out->InsertWord(it->first, taken);
    moved += CountOf(taken);
    it->second &= ~taken;
    if (it->second == 0) ++it;
  }
  words_.erase(words_.begin(), it);
  size_ -= moved;
  return moved;
}

PageId PageSet::Highest() const {
  const auto& [index, word] = *words_.rbegin();
  return PageId{index * 64 + 63 - static_cast<uint64_t>(std::countl_zero(word))};
}

void PageSet::clear() {
  words_.clear();
  size_ = 0;
}

}  // namespace keel::pager
