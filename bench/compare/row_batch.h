// bench/compare: rows gathered for one write. Keeps its memory from batch to batch, as a program would.

#ifndef KEEL_BENCH_COMPARE_ROW_BATCH_H_
#define KEEL_BENCH_COMPARE_ROW_BATCH_H_

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/compare/store.h"

namespace keel::compare {

class RowBatch {
 public:
  // Copies the row.
  void Add(const Row& row) {
    if (used_ == copies_.size()) copies_.emplace_back();
    copies_[used_].first.assign(row.key);
    copies_[used_].second.assign(row.value);
    ++used_;
  }
  size_t size() const { return used_; }
  // Good until the next Add.
  std::span<const Row> rows() {
    rows_.clear();
    for (size_t n = 0; n < used_; ++n) rows_.push_back({copies_[n].first, copies_[n].second});
    return rows_;
  }
  void Clear() { used_ = 0; }

 private:
  std::vector<std::pair<std::string, std::string>> copies_;
  std::vector<Row> rows_;
  size_t used_ = 0;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_ROW_BATCH_H_
