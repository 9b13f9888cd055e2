// LevelDB.
//
// - A quarter of the memory (at most 64 MiB) for each of two write buffers, the rest for the block cache.
// - Bloom filters of ten bits a key; blocks of 4 KiB; files of 8 MiB; no compression, for the values are random bytes.
// - Synced is WriteOptions::sync; unsynced writes the log to the system at once, but does not sync it. There is no call
//   that syncs the log: an empty batch with sync does it.
// - No bulk load: sorted batches, which it merges without work.

#include <absl/strings/str_format.h>
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <algorithm>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

absl::Status ToStatus(const leveldb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("no such key");
  return absl::InternalError("LevelDB: " + status.ToString());
}

leveldb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

std::string_view ToView(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

class LeveldbSession : public Session {
 public:
  LeveldbSession(leveldb::DB* db, bool sync) : db_(db) { write_.sync = sync; }

  absl::Status Put(std::string_view key, std::string_view value) override {
    return ToStatus(db_->Put(write_, ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(std::string_view key) override {
    return ToStatus(db_->Delete(write_, ToSlice(key)));
  }
  absl::Status Write(std::span<const Row> rows) override {
    batch_.Clear();
    for (const Row& row : rows) batch_.Put(ToSlice(row.key), ToSlice(row.value));
    return ToStatus(db_->Write(write_, &batch_));
  }
  absl::Status Get(std::string_view key, Visit visit) override {
    KEEL_RETURN_IF_ERROR(ToStatus(db_->Get({}, ToSlice(key), &value_)));
    visit(value_);
    return absl::OkStatus();
  }
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;

 private:
  absl::Status GetAll(const leveldb::ReadOptions& read, std::span<const std::string_view> keys,
                      VisitNth visit);

  leveldb::DB* const db_;
  leveldb::WriteOptions write_;
  leveldb::WriteBatch batch_;
  std::string value_;
};

absl::Status LeveldbSession::GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) {
  leveldb::ReadOptions read;
  read.snapshot = db_->GetSnapshot();
  const absl::Status status = GetAll(read, keys, visit);
  db_->ReleaseSnapshot(read.snapshot);
  return status;
}

absl::Status LeveldbSession::GetAll(const leveldb::ReadOptions& read,
                                    std::span<const std::string_view> keys, VisitNth visit) {
  for (size_t n = 0; n < keys.size(); ++n) {
    KEEL_RETURN_IF_ERROR(ToStatus(db_->Get(read, ToSlice(keys[n]), &value_)));
    visit(n, value_);
  }
  return absl::OkStatus();
}

absl::Status LeveldbSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  const std::unique_ptr<leveldb::Iterator> iterator(db_->NewIterator({}));
  for (iterator->Seek(ToSlice(begin)); iterator->Valid(); iterator->Next()) {
    visit(ToView(iterator->key()), ToView(iterator->value()));
    if (--limit == 0) break;
  }
  return ToStatus(iterator->status());
}

class LeveldbStore : public Store {
 public:
  absl::Status Open(const StoreOptions& options);
  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<LeveldbSession>(db_.get(), sync_);
  }
  absl::Status Sync() override {
    leveldb::WriteOptions write;
    write.sync = true;
    leveldb::WriteBatch nothing;
    return ToStatus(db_->Write(write, &nothing));
  }
  absl::Status Checkpoint() override { return absl::UnimplementedError("LevelDB has no flush"); }
  absl::Status Close() override {
    db_.reset();
    return absl::OkStatus();
  }

 private:
  // Outlive the database.
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
  bool sync_ = false;
};

absl::Status LeveldbStore::Open(const StoreOptions& options) {
  constexpr uint64_t kBufferBytesMax = uint64_t{64} << 20;
  constexpr int kBitsPerKey = 10;
  const uint64_t buffer_bytes = std::min(kBufferBytesMax, options.memory_bytes / 4);
  cache_.reset(leveldb::NewLRUCache(options.memory_bytes - 2 * buffer_bytes));
  filter_.reset(leveldb::NewBloomFilterPolicy(kBitsPerKey));
  leveldb::Options chosen;
  chosen.create_if_missing = true;
  chosen.compression = leveldb::kNoCompression;
  chosen.write_buffer_size = buffer_bytes;
  chosen.block_cache = cache_.get();
  chosen.filter_policy = filter_.get();
  chosen.max_file_size = size_t{8} << 20;
  sync_ = options.durability == Durability::kSynced;
  leveldb::DB* db = nullptr;
  KEEL_RETURN_IF_ERROR(ToStatus(leveldb::DB::Open(chosen, options.directory, &db)));
  db_.reset(db);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Store>> OpenLeveldb(const StoreOptions& options) {
  auto store = std::make_unique<LeveldbStore>();
  KEEL_RETURN_IF_ERROR(store->Open(options));
  return store;
}

}  // namespace

StoreKind LeveldbKind() {
  return {.name = "leveldb",
          .version = absl::StrFormat("%d.%d", leveldb::kMajorVersion, leveldb::kMinorVersion),
          .configuration =
              "write buffers of at most 64 MiB (two of a quarter of the budget), the rest is block "
              "cache; Bloom filters "
              "of 10 bits, blocks of 4 KiB, files of 8 MiB, no compression (values are random); "
              "synced: "
              "WriteOptions::sync; sorted load: batches of 1000",
          .has_checkpoint = false,
          .open = OpenLeveldb};
}

}  // namespace keel::compare
