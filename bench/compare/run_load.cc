#include "bench/compare/run_load.h"

#include <memory>

#include "base/status.h"
#include "bench/compare/clock.h"
#include "bench/compare/open_store.h"
#include "bench/compare/process_usage.h"

namespace keel::compare {
namespace {

absl::Status Load(Store& store, const Rows& rows, LoadMethod method, Histogram* latencies) {
  RowSource source(rows, method != LoadMethod::kRandomBatches);
  if (method == LoadMethod::kBulk) {
    return store.BulkLoad([&source](Row* row) { return source.Next(0, row); });
  }
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, store.NewSession());
  return PutAll(*session, source, 0, latencies);
}

// Syncs, and ends the time of the work.
absl::Status SyncAtEnd(Store& store, uint64_t begin, Measurement* measurement) {
  const uint64_t sync_begin = NowNs();
  KEEL_RETURN_IF_ERROR(store.Sync());
  measurement->seconds = SecondsSince(begin);
  measurement->extra["sync_seconds"] = SecondsSince(sync_begin);
  return absl::OkStatus();
}

// What the work still has the store do in the background belongs to its bytes.
absl::Status CloseAndWeigh(const Assignment& assignment, Store& store,
                           const std::optional<DiskUsage>& before, Measurement* measurement) {
  measurement->peak_memory_bytes = PeakMemoryBytes();
  if (assignment.kind.in_memory) return store.Close();
  if (assignment.kind.has_checkpoint) KEEL_RETURN_IF_ERROR(store.Checkpoint());
  WaitUntilQuiet();
  KEEL_RETURN_IF_ERROR(store.Close());
  NoteWritten(before, measurement);
  measurement->file_bytes = DirectoryBytes(assignment.store_options.directory);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunLoad(const Assignment& assignment, LoadMethod method, Measurement* measurement) {
  const std::optional<DiskUsage> before = ReadDiskUsage();
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                        assignment.kind.open(assignment.store_options));
  const uint64_t begin = NowNs();
  KEEL_RETURN_IF_ERROR(Load(*store, assignment.rows, method, &measurement->latencies));
  KEEL_RETURN_IF_ERROR(SyncAtEnd(*store, begin, measurement));
  measurement->operations = assignment.rows.count();
  measurement->user_bytes = assignment.rows.bytes();
  return CloseAndWeigh(assignment, *store, before, measurement);
}

absl::Status RunOverwrites(const Assignment& assignment, uint64_t times, Measurement* measurement) {
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenStore(assignment));
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, store->NewSession());
  const std::optional<DiskUsage> before = ReadDiskUsage();
  const uint64_t begin = NowNs();
  for (uint64_t time = 1; time <= times; ++time) {
    // Another order each time.
    const Rows rows(assignment.rows.count(), assignment.rows.value_bytes(), assignment.seed + time);
    KEEL_RETURN_IF_ERROR(PutAll(*session, RowSource(rows, false), time, &measurement->latencies));
  }
  KEEL_RETURN_IF_ERROR(SyncAtEnd(*store, begin, measurement));
  measurement->operations = times * assignment.rows.count();
  measurement->user_bytes = times * assignment.rows.bytes();
  session.reset();
  return CloseAndWeigh(assignment, *store, before, measurement);
}

absl::Status RunScans(const Assignment& assignment, Measurement* measurement) {
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenStore(assignment));
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, store->NewSession());
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t folded = 0;
  const auto visit = [&](std::string_view key, std::string_view value) {
    ++rows;
    bytes += key.size() + value.size();
    folded += Fold(value);
  };
  KEEL_RETURN_IF_ERROR(session->Scan("", UINT64_MAX, visit));
  if (rows != assignment.rows.count() || bytes != assignment.rows.bytes()) {
    return MakeStatus(absl::StatusCode::kDataLoss, "a scan found %d rows of %d bytes, not %d of %d",
                      rows, bytes, assignment.rows.count(), assignment.rows.bytes());
  }
  const uint64_t folded_once = folded;
  rows = 0;
  bytes = 0;
  uint64_t scans = 0;
  for (const uint64_t begin = NowNs();
       scans == 0 || SecondsSince(begin) < assignment.options.seconds;) {
    folded = 0;
    const uint64_t scan_begin = NowNs();
    KEEL_RETURN_IF_ERROR(session->Scan("", UINT64_MAX, visit));
    measurement->latencies.Add(NowNs() - scan_begin);
    measurement->seconds = SecondsSince(begin);
    ++scans;
    if (folded != folded_once) return absl::DataLossError("two scans found different values");
  }
  measurement->operations = rows;
  measurement->extra = {{"scans", scans}, {"scanned_bytes", bytes}};
  measurement->peak_memory_bytes = PeakMemoryBytes();
  session.reset();
  return store->Close();
}

}  // namespace keel::compare
