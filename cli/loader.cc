#include "cli/loader.h"

#include <utility>

#include "base/status.h"

namespace keel::cli {

Loader::Loader(Database* database, Keyspace keyspace, LoaderOptions options)
    : database_(database),
      keyspace_(keyspace),
      options_(std::move(options)),
      bulk_possible_(options_.bulk) {}

absl::Status Loader::Run(RecordReader& reader, const ByteSource& source, Interrupt& interrupt,
                         Progress& progress) {
  absl::Status loaded = LoadAll(reader, source, interrupt, progress);
  if (absl::Status status = CommitBulk(); !status.ok()) {
    if (loaded.ok()) return status;
    return MakeStatus(status.code(), "%s; and the rows before could not be committed (%s)",
                      MessageOf(loaded), MessageOf(status));
  }
  if (result_.rows == 0) return loaded;
  const absl::Status synced = database_->Sync();
  if (synced.ok()) TellDurable(database_->durable_lsn());
  return loaded.ok() ? synced : loaded;
}

absl::Status Loader::LoadAll(RecordReader& reader, const ByteSource& source, Interrupt& interrupt,
                             Progress& progress) {
  Record record;
  while (true) {
    KEEL_ASSIGN_OR_RETURN(const bool found, reader.Next(&record));
    if (!found) break;
    AddToBatch(record);
    if (row_count_ < options_.batch_rows && row_bytes_ < options_.batch_bytes) continue;
    if (interrupt.came()) return absl::CancelledError("interrupted");
    KEEL_RETURN_IF_ERROR(Commit());
    progress.Set(rows_taken(), source.bytes_taken());
  }
  return row_count_ == 0 ? absl::OkStatus() : Commit();
}

void Loader::AddToBatch(Record& record) {
  row_bytes_ += record.key.size() + record.value.size();
  if (row_count_ == rows_.size()) rows_.emplace_back();
  std::swap(rows_[row_count_++], record);
}

absl::Status Loader::Commit() {
  bool bulk = bulk_possible_ && BatchAscends();
  if (bulk && !bulk_) {
    KEEL_ASSIGN_OR_RETURN(bulk, BeginBulk());
  }
  if (bulk) {
    KEEL_RETURN_IF_ERROR(PutInBulk());
  } else {
    bulk_possible_ = false;
    KEEL_RETURN_IF_ERROR(CommitBulk());
    KEEL_RETURN_IF_ERROR(Write());
  }
  row_count_ = 0;
  row_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status Loader::Write() {
  batch_.Clear();
  for (const Record& row : rows()) {
    if (options_.delete_keys) {
      batch_.Delete(keyspace_, row.key);
    } else {
      batch_.Put(keyspace_, row.key, row.value);
    }
  }
  const Durability durability = options_.sync ? Durability::kSync : Durability::kAsync;
  KEEL_ASSIGN_OR_RETURN(const Lsn lsn, database_->Write(batch_, {.durability = durability}));
  Committed(lsn, row_count_, rows().back().line);
  TellDurable(options_.sync ? lsn : database_->durable_lsn());
  return absl::OkStatus();
}

// Whether every key comes after the one before it, also the last one of the bulk load.
bool Loader::BatchAscends() const {
  const std::string* last = bulk_ ? &bulk_->last_key : nullptr;
  for (const Record& row : rows()) {
    if (last != nullptr && row.key <= *last) return false;
    last = &row.key;
  }
  return true;
}

// False: there are keys already.
absl::StatusOr<bool> Loader::BeginBulk() {
  KEEL_ASSIGN_OR_RETURN(const uint64_t keys, database_->Count(keyspace_));
  if (keys > 0) return false;
  KEEL_ASSIGN_OR_RETURN(BulkLoader loader,
                        database_->NewBulkLoader(keyspace_, {.label = "keel load"}));
  bulk_.emplace(Bulk{std::move(loader), {}, 0});
  return true;
}

absl::Status Loader::PutInBulk() {
  for (const Record& row : rows()) {
    KEEL_RETURN_IF_ERROR(bulk_->loader.Put(row.key, row.value));
    bulk_->last_line = row.line;
  }
  bulk_->last_key = rows().back().key;
  return absl::OkStatus();
}

absl::Status Loader::CommitBulk() {
  if (!bulk_) return absl::OkStatus();
  Bulk bulk = *std::move(bulk_);
  bulk_.reset();
  const uint64_t rows = bulk.loader.rows();
  if (rows == 0) return absl::OkStatus();  // there was not even room for one
  KEEL_ASSIGN_OR_RETURN(const Lsn lsn, bulk.loader.Commit());
  result_.bulk_rows = rows;
  Committed(lsn, rows, bulk.last_line);
  TellDurable(lsn);
  return absl::OkStatus();
}

void Loader::Committed(Lsn lsn, uint64_t rows, uint64_t last_line) {
  result_.rows += rows;
  ++result_.batches;
  pending_.push_back({lsn, result_.rows, last_line});
}

void Loader::TellDurable(Lsn durable) {
  bool grown = false;
  for (; !pending_.empty() && pending_.front().lsn <= durable; pending_.pop_front()) {
    result_.durable_rows = pending_.front().rows;
    result_.durable_line = pending_.front().last_line;
    grown = true;
  }
  if (grown) options_.on_durable(result_.durable_rows);
}

}  // namespace keel::cli
