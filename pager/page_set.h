// A set of page ids, compressed: 64 neighbours share one entry.

#ifndef KEEL_PAGER_PAGE_SET_H_
#define KEEL_PAGER_PAGE_SET_H_

#include <absl/container/btree_map.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/types.h"

namespace keel::pager {

// Dense runs take a quarter of a byte a page, scattered ids about 20 bytes. Not thread-safe.
class PageSet {
 public:
  // Both return whether the set changed.
  bool Insert(PageId id);
  bool Erase(PageId id);
  void InsertRun(PageId first, uint64_t count);
  // Inserts id 64 * index + i for each set bit i of `bits`.
  void InsertWord(uint64_t index, uint64_t bits);
  bool Contains(PageId id) const;

  // Takes all of `other` (smaller into larger); `other` is empty afterwards.
  void Absorb(PageSet&& other);
  // Moves up to `count` ids, the lowest first, to `out`. Returns how many.
  uint64_t MoveSome(uint64_t count, PageSet* out);

  // REQUIRES: not empty.
  PageId Highest() const;

  uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t memory_bytes() const { return words_.size() * 20; }
  void clear();

  friend bool operator==(const PageSet& a, const PageSet& b) { return a.words_ == b.words_; }

  // Calls visit(PageId) for each id in ascending order.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const auto& [index, word] : words_) {
      for (uint64_t rest = word; rest != 0; rest &= rest - 1) {
        visit(PageId{index * 64 + static_cast<uint64_t>(std::countr_zero(rest))});
      }
    }
  }
  // Calls visit(index, bits) for each 64 neighbours that are not all absent, ascending: bit i
  // stands for id 64 * index + i.
  template <typename Visit>
  void ForEachWord(Visit&& visit) const {
    for (const auto& [index, word] : words_) visit(index, word);
  }

 private:
  absl::btree_map<uint64_t, uint64_t> words_;
  uint64_t size_ = 0;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_SET_H_
