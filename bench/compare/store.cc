#include "bench/compare/store.h"

#include "base/status.h"
#include "bench/compare/row_batch.h"

namespace keel::compare {

absl::Status Session::MultiGet(std::span<const std::string_view> keys, VisitNth visit) {
  return GetInSnapshot(keys, visit);
}

absl::Status Session::ReadModifyWrite(std::string_view key, Change change) {
  KEEL_RETURN_IF_ERROR(Get(key, [&](std::string_view value) { change(value, &changed_); }));
  return Put(key, changed_);
}

absl::Status Store::BulkLoad(NextRow next) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, NewSession());
  RowBatch batch;
  for (Row row; next(&row);) {
    batch.Add(row);
    if (batch.size() < kBatchRows) continue;
    KEEL_RETURN_IF_ERROR(session->Write(batch.rows()));
    batch.Clear();
  }
  if (batch.size() > 0) KEEL_RETURN_IF_ERROR(session->Write(batch.rows()));
  return Sync();
}

}  // namespace keel::compare
