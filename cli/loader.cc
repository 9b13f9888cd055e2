#include "cli/loader.h"

#include <utility>

#include "base/status.h"

namespace keel::cli {

Loader::Loader(Database* database, Keyspace keyspace, LoaderOptions options)
    : database_(database), keyspace_(keyspace), options_(std::move(options)) {}

absl::Status Loader::Run(RecordReader& reader, const ByteSource& source, Interrupt& interrupt,
                         Progress& progress) {
  const absl::Status loaded = LoadAll(reader, source, interrupt, progress);
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
    if (batch_.size() < options_.batch_rows && batch_.bytes() < options_.batch_bytes) continue;
    if (interrupt.came()) return absl::CancelledError("interrupted");
    KEEL_RETURN_IF_ERROR(Commit());
    progress.Set(result_.rows, source.bytes_taken());
  }
  return batch_.empty() ? absl::OkStatus() : Commit();
}

void Loader::AddToBatch(const Record& record) {
  if (options_.delete_keys) {
    batch_.Delete(keyspace_, record.key);
  } else {
    batch_.Put(keyspace_, record.key, record.value);
  }
  batch_last_line_ = record.line;
}

absl::Status Loader::Commit() {
  const Durability durability = options_.sync ? Durability::kSync : Durability::kAsync;
  KEEL_ASSIGN_OR_RETURN(const Lsn lsn, database_->Write(batch_, {.durability = durability}));
  result_.rows += batch_.size();
  ++result_.batches;
  pending_.push_back({lsn, result_.rows, batch_last_line_});
  TellDurable(options_.sync ? lsn : database_->durable_lsn());
  batch_.Clear();
  return absl::OkStatus();
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
