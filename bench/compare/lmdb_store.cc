// LMDB. Its cache is the system's: memory_bytes cannot be given to it, only a cgroup can bound it.
//
// - The map is sized for the data with ample room, so that it never has to grow; MDB_NORDAHEAD where the data are larger
//   than the memory.
// - Each session keeps one read transaction and one cursor and renews them (MDB_NOTLS), which spares the making.
// - Synced is LMDB's default: data, fdatasync, meta page, durable when mdb_txn_commit returns. The alternative,
//   MDB_WRITEMAP with the same syncs, is no faster with single commits.
// - Unsynced is MDB_NOSYNC with MDB_WRITEMAP, LMDB's fastest: a power failure before the next mdb_env_sync may damage the
//   database, which is less than any other store here promises.
// - A sorted load appends (MDB_APPEND) in one transaction.

#include <absl/strings/str_format.h>
#include <lmdb.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

constexpr unsigned kReadersMax = 1024;
constexpr mdb_mode_t kMode = 0600;

absl::Status ToStatus(int error, std::string_view what) {
  if (error == 0) return absl::OkStatus();
  if (error == MDB_NOTFOUND) return absl::NotFoundError("no such key");
  return MakeStatus(absl::StatusCode::kInternal, "LMDB: %s: %s", what, mdb_strerror(error));
}

MDB_val ToVal(std::string_view bytes) {
  return {.mv_size = bytes.size(), .mv_data = const_cast<char*>(bytes.data())};
}

std::string_view ToView(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// A write transaction, aborted unless committed.
class WriteTransaction {
 public:
  explicit WriteTransaction(MDB_env* env) : error_(mdb_txn_begin(env, nullptr, 0, &txn_)) {}
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;
  ~WriteTransaction() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }

  MDB_txn* get() const { return txn_; }
  absl::Status status() const { return ToStatus(error_, "begin"); }
  absl::Status Commit() { return ToStatus(mdb_txn_commit(std::exchange(txn_, nullptr)), "commit"); }

 private:
  MDB_txn* txn_ = nullptr;
  int error_;
};

class LmdbSession : public Session {
 public:
  LmdbSession(MDB_env* env, MDB_dbi dbi) : env_(env), dbi_(dbi) {}
  ~LmdbSession() override {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    if (reading_ != nullptr) mdb_txn_abort(reading_);
  }

  absl::Status Open();
  absl::Status Put(std::string_view key, std::string_view value) override {
    const Row row{key, value};
    return Write({&row, 1});
  }
  absl::Status Delete(std::string_view key) override;
  absl::Status Write(std::span<const Row> rows) override;
  absl::Status Get(std::string_view key, Visit visit) override {
    return GetInSnapshot({&key, 1}, [&](size_t, std::string_view value) { visit(value); });
  }
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;
  absl::Status ReadModifyWrite(std::string_view key, Change change) override;

 private:
  absl::Status GetAll(std::span<const std::string_view> keys, VisitNth visit);
  absl::Status ScanFrom(std::string_view begin, uint64_t limit, VisitRow visit);

  MDB_env* const env_;
  const MDB_dbi dbi_;
  MDB_txn* reading_ = nullptr;  // reset between calls
  MDB_cursor* cursor_ = nullptr;
  std::string changed_;
};

absl::Status LmdbSession::Open() {
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reading_), "begin"));
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_cursor_open(reading_, dbi_, &cursor_), "cursor"));
  mdb_txn_reset(reading_);
  return absl::OkStatus();
}

absl::Status LmdbSession::Delete(std::string_view key) {
  WriteTransaction txn(env_);
  KEEL_RETURN_IF_ERROR(txn.status());
  MDB_val lmdb_key = ToVal(key);
  const int error = mdb_del(txn.get(), dbi_, &lmdb_key, nullptr);
  if (error == MDB_NOTFOUND) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(ToStatus(error, "del"));
  return txn.Commit();
}

absl::Status LmdbSession::Write(std::span<const Row> rows) {
  WriteTransaction txn(env_);
  KEEL_RETURN_IF_ERROR(txn.status());
  for (const Row& row : rows) {
    MDB_val key = ToVal(row.key);
    MDB_val value = ToVal(row.value);
    KEEL_RETURN_IF_ERROR(ToStatus(mdb_put(txn.get(), dbi_, &key, &value, 0), "put"));
  }
  return txn.Commit();
}

absl::Status LmdbSession::GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) {
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_txn_renew(reading_), "renew"));
  absl::Status status = GetAll(keys, visit);
  mdb_txn_reset(reading_);
  return status;
}

absl::Status LmdbSession::GetAll(std::span<const std::string_view> keys, VisitNth visit) {
  for (size_t n = 0; n < keys.size(); ++n) {
    MDB_val key = ToVal(keys[n]);
    MDB_val value;
    if (const int error = mdb_get(reading_, dbi_, &key, &value); error != 0) {
      return ToStatus(error, "get");
    }
    visit(n, ToView(value));
  }
  return absl::OkStatus();
}

absl::Status LmdbSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_txn_renew(reading_), "renew"));
  absl::Status status = ScanFrom(begin, limit, visit);
  mdb_txn_reset(reading_);
  return status;
}

absl::Status LmdbSession::ScanFrom(std::string_view begin, uint64_t limit, VisitRow visit) {
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_cursor_renew(reading_, cursor_), "renew"));
  MDB_val key = ToVal(begin);
  MDB_val value;
  int error = mdb_cursor_get(cursor_, &key, &value, begin.empty() ? MDB_FIRST : MDB_SET_RANGE);
  while (error == 0) {
    visit(ToView(key), ToView(value));
    if (--limit == 0) return absl::OkStatus();
    error = mdb_cursor_get(cursor_, &key, &value, MDB_NEXT);
  }
  return error == MDB_NOTFOUND ? absl::OkStatus() : ToStatus(error, "cursor");
}

// In one write transaction, whose read is nearly free: it walks the path that the put takes.
absl::Status LmdbSession::ReadModifyWrite(std::string_view key, Change change) {
  WriteTransaction txn(env_);
  KEEL_RETURN_IF_ERROR(txn.status());
  MDB_val lmdb_key = ToVal(key);
  MDB_val value;
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_get(txn.get(), dbi_, &lmdb_key, &value), "get"));
  change(ToView(value), &changed_);
  value = ToVal(changed_);
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_put(txn.get(), dbi_, &lmdb_key, &value, 0), "put"));
  return txn.Commit();
}

class LmdbStore : public Store {
 public:
  ~LmdbStore() override {
    if (env_ != nullptr) mdb_env_close(env_);
  }

  absl::Status Open(const StoreOptions& options);
  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    auto session = std::make_unique<LmdbSession>(env_, dbi_);
    KEEL_RETURN_IF_ERROR(session->Open());
    return session;
  }
  absl::Status Sync() override { return ToStatus(mdb_env_sync(env_, 1), "sync"); }
  absl::Status Checkpoint() override { return absl::UnimplementedError("LMDB has no log"); }
  absl::Status BulkLoad(NextRow next) override;
  absl::Status Close() override {
    KEEL_RETURN_IF_ERROR(Sync());
    mdb_env_close(std::exchange(env_, nullptr));
    return absl::OkStatus();
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

absl::Status LmdbStore::Open(const StoreOptions& options) {
  constexpr uint64_t kLeastMap = uint64_t{4} << 30;
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_env_create(&env_), "create"));
  const uint64_t map_bytes = std::max(kLeastMap, 8 * options.data_bytes);
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_env_set_mapsize(env_, map_bytes), "mapsize"));
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_env_set_maxreaders(env_, kReadersMax), "maxreaders"));
  unsigned flags = MDB_NOTLS;
  if (options.durability == Durability::kUnsynced) flags |= MDB_NOSYNC | MDB_WRITEMAP;
  if (options.larger_than_memory) flags |= MDB_NORDAHEAD;
  KEEL_RETURN_IF_ERROR(
      ToStatus(mdb_env_open(env_, options.directory.c_str(), flags, kMode), "open"));
  WriteTransaction txn(env_);
  KEEL_RETURN_IF_ERROR(txn.status());
  KEEL_RETURN_IF_ERROR(ToStatus(mdb_dbi_open(txn.get(), nullptr, 0, &dbi_), "dbi"));
  return txn.Commit();
}

absl::Status LmdbStore::BulkLoad(NextRow next) {
  WriteTransaction txn(env_);
  KEEL_RETURN_IF_ERROR(txn.status());
  for (Row row; next(&row);) {
    MDB_val key = ToVal(row.key);
    MDB_val value = ToVal(row.value);
    KEEL_RETURN_IF_ERROR(ToStatus(mdb_put(txn.get(), dbi_, &key, &value, MDB_APPEND), "append"));
  }
  KEEL_RETURN_IF_ERROR(txn.Commit());
  return Sync();
}

absl::StatusOr<std::unique_ptr<Store>> OpenLmdb(const StoreOptions& options) {
  auto store = std::make_unique<LmdbStore>();
  KEEL_RETURN_IF_ERROR(store->Open(options));
  return store;
}

}  // namespace

StoreKind LmdbKind() {
  return {.name = "lmdb",
          .version =
              absl::StrFormat("%d.%d.%d", MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH),
          .configuration =
              "ample map, MDB_NOTLS with read transactions and cursors renewed, MDB_NORDAHEAD if "
              "larger than "
              "memory; the cache is the system's; synced: the default; unsynced: "
              "MDB_NOSYNC|MDB_WRITEMAP "
              "(a power failure may damage it); sorted load: MDB_APPEND in one transaction",
          .has_checkpoint = false,
          .open = OpenLmdb};
}

}  // namespace keel::compare
