#include "bench/compare/open_store.h"

#include "base/status.h"
#include "bench/compare/clock.h"
#include "bench/compare/row_batch.h"

namespace keel::compare {

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const Assignment& assignment) {
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Store> store,
                        assignment.kind.open(assignment.store_options));
  if (!assignment.kind.in_memory) return store;
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, store->NewSession());
  KEEL_RETURN_IF_ERROR(PutAll(*session, RowSource(assignment.rows, false), 0, nullptr));
  return store;
}

bool RowSource::Next(uint64_t version, Row* row) {
  if (next_ == rows_.count()) return false;
  const uint64_t slot = sorted_ ? rows_.SortedSlot(next_) : rows_.RandomSlot(next_);
  ++next_;
  key_ = Key(slot);
  rows_.Fill(slot, version, &value_);
  *row = {key_, value_};
  return true;
}

absl::Status PutAll(Session& session, RowSource source, uint64_t version, Histogram* latencies) {
  RowBatch batch;
  for (bool more = true; more;) {
    batch.Clear();
    for (Row row; batch.size() < Store::kBatchRows && (more = source.Next(version, &row));) {
      batch.Add(row);
    }
    if (batch.size() == 0) break;
    const uint64_t begin = NowNs();
    KEEL_RETURN_IF_ERROR(session.Write(batch.rows()));
    if (latencies != nullptr) latencies->Add(NowNs() - begin);
  }
  return absl::OkStatus();
}

void NoteWritten(const std::optional<DiskUsage>& before, Measurement* measurement) {
  const std::optional<DiskUsage> now = ReadDiskUsage();
  if (before && now) measurement->bytes_written = now->bytes_written - before->bytes_written;
}

}  // namespace keel::compare
