// bench/compare: what the runs of a child have in common.

#ifndef KEEL_BENCH_COMPARE_OPEN_STORE_H_
#define KEEL_BENCH_COMPARE_OPEN_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>

#include "bench/compare/measurement.h"
#include "bench/compare/process_usage.h"
#include "bench/compare/workload.h"

namespace keel::compare {

// The store as it is assigned; one that is in memory is loaded first.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const Assignment& assignment);

// Rows of the assignment, in the order of their keys or in random order.
class RowSource {
 public:
  RowSource(const Rows& rows, bool sorted) : rows_(rows), sorted_(sorted) {}

  // The next row, in the given version; good until the next call. False: there are no more.
  bool Next(uint64_t version, Row* row);

 private:
  const Rows& rows_;
  const bool sorted_;
  uint64_t next_ = 0;
  Key key_{0};
  std::string value_;
};

// Puts all rows, in batches that are each a commit; their latencies if wanted.
absl::Status PutAll(Session& session, RowSource source, uint64_t version, Histogram* latencies);

// What was written since `before`.
void NoteWritten(const std::optional<DiskUsage>& before, Measurement* measurement);

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_OPEN_STORE_H_
