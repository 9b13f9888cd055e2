// bench/compare: which row the next call is about.

#ifndef KEEL_BENCH_COMPARE_KEY_CHOOSER_H_
#define KEEL_BENCH_COMPARE_KEY_CHOOSER_H_

#include <cstdint>
#include <vector>

#include "bench/compare/insert_counter.h"
#include "bench/compare/mix.h"
#include "bench/compare/random.h"
#include "bench/compare/rows.h"

namespace keel::compare {

// Threads share it, and bring their own randomness. A zipfian number takes longer to draw than some stores to find its
// row, so a million of them (more for more rows) are drawn beforehand, and the threads go round, each from another place.
class KeyChooser {
 public:
  KeyChooser(const Rows& rows, Distribution distribution, uint64_t seed);

  // Slot of a row that is there. `place` is the thread's own, random at first.
  uint64_t Choose(Random& random, uint64_t* place) const {
    if (distribution_ == Distribution::kUniform) {
      return rows_.SortedSlot(random.Below(rows_.count()));
    }
    const uint64_t drawn = draws_[(*place)++ & (draws_.size() - 1)];
    if (distribution_ == Distribution::kZipfian) return rows_.SortedSlot(drawn);
    return rows_.RandomSlot(inserts_.limit() - 1 - drawn);
  }

  // Number of a row to insert, to be acknowledged when it is there.
  uint64_t NextInsert() { return inserts_.Next(); }
  uint64_t InsertedSlot(uint64_t n) const { return rows_.RandomSlot(n); }
  void Acknowledge(uint64_t n) { inserts_.Acknowledge(n); }

 private:
  const Rows& rows_;
  const Distribution distribution_;
  std::vector<uint64_t> draws_;  // a power of two
  InsertCounter inserts_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_KEY_CHOOSER_H_
