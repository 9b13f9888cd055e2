#include "pager/bitmap.h"

#include <algorithm>
#include <bit>

namespace keel::pager {
namespace {

constexpr uint64_t kAll = ~uint64_t{0};

// Calls visit(word, mask of the bits in [first, end)) for each word touched.
template <typename Visit>
void ForEachPart(uint64_t first, uint64_t end, Visit&& visit) {
  while (first < end) {
    const uint64_t within = first % 64;
    const uint64_t part = std::min(end - first, 64 - within);
    visit(first / 64, (kAll >> (64 - part)) << within);
    first += part;
  }
}

}  // namespace

void Bitmap::SetRun(uint64_t first, uint64_t count) {
  ForEachPart(first, first + count, [&](uint64_t word, uint64_t mask) { words_[word] |= mask; });
}

uint64_t Bitmap::CountClear(uint64_t first, uint64_t end) const {
  uint64_t count = 0;
  ForEachPart(first, end, [&](uint64_t word, uint64_t mask) {
    count += static_cast<uint64_t>(std::popcount(~words_[word] & mask));
  });
  return count;
}

uint64_t Bitmap::FindClear(uint64_t from, uint64_t end) const { return Find(from, end, kAll); }
uint64_t Bitmap::FindSet(uint64_t from, uint64_t end) const { return Find(from, end, 0); }

uint64_t Bitmap::Find(uint64_t from, uint64_t end, uint64_t flip) const {
  if (from >= end) return end;
  uint64_t word = from / 64;
  const uint64_t last = (end - 1) / 64;
  uint64_t bits = (words_[word] ^ flip) & (kAll << (from % 64));
  while (bits == 0) {
    if (word == last) return end;
    bits = words_[++word] ^ flip;
  }
  return std::min(end, word * 64 + static_cast<uint64_t>(std::countr_zero(bits)));
}

}  // namespace keel::pager
