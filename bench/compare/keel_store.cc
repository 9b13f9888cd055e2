// Keel as it comes: the options' defaults, and the memory it is told. Checksums are always on.
//
// What is not synced is kAsync: visible at once, on the disk within 10 ms, after whatever crash a prefix of the commits.
// No peer's unsynced commit promises as much, and kNone, which promises as little, would be a little faster.

#include <keel/keel.h>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

WriteOptions HowToWrite(compare::Durability durability) {
  return {.durability = durability == compare::Durability::kSynced ? keel::Durability::kSync
                                                                   : keel::Durability::kAsync};
}

class KeelSession : public Session {
 public:
  KeelSession(Database* database, WriteOptions write) : database_(database), write_(write) {}

  absl::Status Put(std::string_view key, std::string_view value) override {
    return database_->Put(key, value, write_);
  }
  absl::Status Delete(std::string_view key) override { return database_->Delete(key, write_); }
  absl::Status Write(std::span<const Row> rows) override;
  absl::Status Get(std::string_view key, Visit visit) override;
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status MultiGet(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;

 private:
  Database* const database_;
  const WriteOptions write_;
  WriteBatch batch_;
};

absl::Status KeelSession::Write(std::span<const Row> rows) {
  batch_.Clear();
  for (const Row& row : rows) batch_.Put(row.key, row.value);
  return database_->Write(batch_, write_).status();
}

absl::Status KeelSession::Get(std::string_view key, Visit visit) {
  const absl::StatusOr<PinnedValue> value = database_->Get(key);
  if (!value.ok()) return value.status();
  visit(value->view());
  return absl::OkStatus();
}

absl::Status KeelSession::GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) {
  const Snapshot snapshot = database_->GetSnapshot();
  for (size_t n = 0; n < keys.size(); ++n) {
    const absl::StatusOr<PinnedValue> value = snapshot.Get(keys[n]);
    if (!value.ok()) return value.status();
    visit(n, value->view());
  }
  return absl::OkStatus();
}

absl::Status KeelSession::MultiGet(std::span<const std::string_view> keys, VisitNth visit) {
  const std::vector<absl::StatusOr<PinnedValue>> values = database_->MultiGet(keys);
  for (size_t n = 0; n < values.size(); ++n) {
    if (!values[n].ok()) return values[n].status();
    visit(n, values[n]->view());
  }
  return absl::OkStatus();
}

absl::Status KeelSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  Cursor cursor = database_->NewCursor();
  for (cursor.Seek(begin); limit > 0 && cursor.Valid(); cursor.Next()) {
    visit(cursor.key(), cursor.value());
    if (--limit == 0) break;
  }
  return cursor.status();
}

class KeelStore : public Store {
 public:
  KeelStore(std::unique_ptr<Database> database, WriteOptions write)
      : database_(std::move(database)), write_(write) {}

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<KeelSession>(database_.get(), write_);
  }
  absl::Status Sync() override { return database_->Sync(); }
  absl::Status Checkpoint() override { return database_->Checkpoint(); }
  absl::Status BulkLoad(NextRow next) override;
  absl::Status Close() override { return database_->Close(); }

 private:
  std::unique_ptr<Database> database_;
  const WriteOptions write_;
};

absl::Status KeelStore::BulkLoad(NextRow next) {
  KEEL_ASSIGN_OR_RETURN(BulkLoader loader, database_->NewBulkLoader());
  for (Row row; next(&row);) KEEL_RETURN_IF_ERROR(loader.Put(row.key, row.value));
  return loader.Commit().status();
}

absl::StatusOr<std::unique_ptr<Store>> OpenKeel(const StoreOptions& options) {
  Options chosen;
  chosen.memory_bytes = options.memory_bytes;
  if (options.checkpoint_log_bytes > 0) chosen.checkpoint_log_bytes = options.checkpoint_log_bytes;
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                        Database::Open(options.directory, chosen));
  return std::make_unique<KeelStore>(std::move(database), HowToWrite(options.durability));
}

}  // namespace

StoreKind KeelKind() {
  return {.name = "keel",
          .version = KEEL_VERSION,
          .configuration =
              "default options: checksums, direct I/O, checkpoint_log_bytes 256 MiB; memory_bytes "
              "is the "
              "budget; synced: kSync, unsynced: kAsync (durable within 10 ms); sorted load: "
              "BulkLoader; "
              "Abseil's detector of deadlocks, which Debian switches on, is off in the driver",
          .open = OpenKeel};
}

}  // namespace keel::compare
