// RocksDB.
//
// - Memory: a quarter of it for write buffers (at most four of 64 MiB), which are charged to the block cache that has it
//   all. Indexes and filters are kept outside of it, where they are quicker to reach; where the data are larger than the
//   memory they are partitioned and in the cache.
// - Bloom filters of ten bits a key and hashes in data blocks make point reads cheap; blocks of 4 KiB.
// - No compression: the values are random bytes, and no other store here compresses.
// - Sizes of levels are dynamic; two to four background jobs; concurrent memtable writes and pipelining as by default.
// - Log files cannot be recycled (which would make their syncs cheaper): this release does so only with a recovery that
//   may skip damaged records.
// - Where the data are larger than the memory, reads and compactions bypass the system's cache, or the budget would be
//   none.
// - Synced is WriteOptions::sync; unsynced writes the log to the system at once, but does not sync it.
// - A sorted load writes tables (SstFileWriter) and ingests them.

#include <absl/strings/str_format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <thread>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("no such key");
  return absl::InternalError("RocksDB: " + status.ToString());
}

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class RocksdbSession : public Session {
 public:
  RocksdbSession(rocksdb::DB* db, bool sync) : db_(db) { write_.sync = sync; }

  absl::Status Put(std::string_view key, std::string_view value) override {
    return ToStatus(db_->Put(write_, ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(std::string_view key) override {
    return ToStatus(db_->Delete(write_, ToSlice(key)));
  }
  absl::Status Write(std::span<const Row> rows) override;
  absl::Status Get(std::string_view key, Visit visit) override;
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status MultiGet(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;

 private:
  absl::Status GetFrom(const rocksdb::ReadOptions& read, std::string_view key);
  absl::Status RenewIterator();

  rocksdb::DB* const db_;
  rocksdb::WriteOptions write_;
  rocksdb::WriteBatch batch_;
  rocksdb::PinnableSlice value_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  std::vector<rocksdb::Slice> keys_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

absl::Status RocksdbSession::Write(std::span<const Row> rows) {
  batch_.Clear();
  for (const Row& row : rows) {
    KEEL_RETURN_IF_ERROR(ToStatus(batch_.Put(ToSlice(row.key), ToSlice(row.value))));
  }
  return ToStatus(db_->Write(write_, &batch_));
}

absl::Status RocksdbSession::GetFrom(const rocksdb::ReadOptions& read, std::string_view key) {
  value_.Reset();
  return ToStatus(db_->Get(read, db_->DefaultColumnFamily(), ToSlice(key), &value_));
}

absl::Status RocksdbSession::Get(std::string_view key, Visit visit) {
  KEEL_RETURN_IF_ERROR(GetFrom({}, key));
  visit(ToView(value_));
  return absl::OkStatus();
}

absl::Status RocksdbSession::GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) {
  rocksdb::ManagedSnapshot snapshot(db_);
  rocksdb::ReadOptions read;
  read.snapshot = snapshot.snapshot();
  for (size_t n = 0; n < keys.size(); ++n) {
    KEEL_RETURN_IF_ERROR(GetFrom(read, keys[n]));
    visit(n, ToView(value_));
  }
  return absl::OkStatus();
}

absl::Status RocksdbSession::MultiGet(std::span<const std::string_view> keys, VisitNth visit) {
  keys_.clear();
  for (const std::string_view key : keys) keys_.push_back(ToSlice(key));
  for (rocksdb::PinnableSlice& value : values_) value.Reset();
  values_.resize(keys.size());
  statuses_.resize(keys.size());
  db_->MultiGet({}, db_->DefaultColumnFamily(), keys.size(), keys_.data(), values_.data(),
                statuses_.data());
  for (size_t n = 0; n < keys.size(); ++n) {
    KEEL_RETURN_IF_ERROR(ToStatus(statuses_[n]));
    visit(n, ToView(values_[n]));
  }
  return absl::OkStatus();
}

// An iterator that is refreshed sees what is new, and spares the making.
absl::Status RocksdbSession::RenewIterator() {
  if (iterator_ != nullptr) return ToStatus(iterator_->Refresh());
  iterator_.reset(db_->NewIterator({}));
  return absl::OkStatus();
}

absl::Status RocksdbSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  KEEL_RETURN_IF_ERROR(RenewIterator());
  for (iterator_->Seek(ToSlice(begin)); limit > 0 && iterator_->Valid(); iterator_->Next()) {
    visit(ToView(iterator_->key()), ToView(iterator_->value()));
    if (--limit == 0) break;
  }
  return ToStatus(iterator_->status());
}

class RocksdbStore : public Store {
 public:
  RocksdbStore(std::unique_ptr<rocksdb::DB> db, std::filesystem::path directory, bool sync)
      : db_(std::move(db)), directory_(std::move(directory)), sync_(sync) {}

  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<RocksdbSession>(db_.get(), sync_);
  }
  absl::Status Sync() override { return ToStatus(db_->SyncWAL()); }
  absl::Status Checkpoint() override { return ToStatus(db_->Flush(rocksdb::FlushOptions())); }
  absl::Status BulkLoad(NextRow next) override;
  absl::Status Close() override { return ToStatus(db_->Close()); }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  const std::filesystem::path directory_;
  const bool sync_;
};

absl::Status RocksdbStore::BulkLoad(NextRow next) {
  constexpr uint64_t kTableBytes = uint64_t{64} << 20;
  std::vector<std::string> tables;
  std::unique_ptr<rocksdb::SstFileWriter> writer;
  for (Row row; next(&row);) {
    if (writer == nullptr) {
      writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), db_->GetOptions());
      tables.push_back(directory_ / absl::StrFormat("load-%06d", tables.size()));
      KEEL_RETURN_IF_ERROR(ToStatus(writer->Open(tables.back())));
    }
    KEEL_RETURN_IF_ERROR(ToStatus(writer->Put(ToSlice(row.key), ToSlice(row.value))));
    if (writer->FileSize() < kTableBytes) continue;
    KEEL_RETURN_IF_ERROR(ToStatus(writer->Finish()));
    writer.reset();
  }
  if (writer != nullptr) KEEL_RETURN_IF_ERROR(ToStatus(writer->Finish()));
  if (tables.empty()) return absl::OkStatus();
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  return ToStatus(db_->IngestExternalFile(tables, ingest));
}

rocksdb::BlockBasedTableOptions TableOptions(const StoreOptions& options,
                                             std::shared_ptr<rocksdb::Cache> cache) {
  constexpr double kBitsPerKey = 10;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBitsPerKey));
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  if (options.larger_than_memory) {
    // Partitions in the cache, where only those in use need to be.
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_top_level_index_and_filter = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
  }
  return table;
}

rocksdb::Options DatabaseOptions(const StoreOptions& options) {
  constexpr uint64_t kBufferBytesMax = uint64_t{64} << 20;
  constexpr int kBuffers = 4;
  const uint64_t buffer_bytes = std::min(kBufferBytesMax, options.memory_bytes / 4 / kBuffers);
  auto cache = rocksdb::NewLRUCache(options.memory_bytes);
  rocksdb::Options chosen;
  chosen.create_if_missing = true;
  chosen.compression = rocksdb::kNoCompression;
  chosen.write_buffer_size = buffer_bytes;
  chosen.max_write_buffer_number = kBuffers;
  chosen.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(kBuffers * buffer_bytes, cache);
  chosen.max_background_jobs =
      static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2U, 4U));
  chosen.level_compaction_dynamic_level_bytes = true;
  chosen.enable_pipelined_write = true;
  chosen.bytes_per_sync = uint64_t{1} << 20;
  chosen.max_open_files = -1;
  if (options.larger_than_memory) {
    chosen.use_direct_reads = true;
    chosen.use_direct_io_for_flush_and_compaction = true;
  }
  chosen.table_factory.reset(
      rocksdb::NewBlockBasedTableFactory(TableOptions(options, std::move(cache))));
  return chosen;
}

absl::StatusOr<std::unique_ptr<Store>> OpenRocksdb(const StoreOptions& options) {
  rocksdb::DB* db = nullptr;
  KEEL_RETURN_IF_ERROR(
      ToStatus(rocksdb::DB::Open(DatabaseOptions(options), options.directory, &db)));
  return std::make_unique<RocksdbStore>(std::unique_ptr<rocksdb::DB>(db), options.directory,
                                        options.durability == Durability::kSynced);
}

}  // namespace

StoreKind RocksdbKind() {
  return {.name = "rocksdb",
          .version = rocksdb::GetRocksVersionAsString(),
          .configuration =
              "block cache of the whole budget, write buffers (4 of at most 64 MiB, a quarter of "
              "it) charged to it; Bloom "
              "filters of 10 bits, hashed blocks of 4 KiB; no compression (values are random); "
              "dynamic levels, pipelined "
              "writes; direct I/O and a partitioned index in the cache if larger than memory; "
              "synced: WriteOptions::sync; "
              "sorted load: SstFileWriter and ingestion",
          .open = OpenRocksdb};
}

}  // namespace keel::compare
