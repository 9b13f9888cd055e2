// Berkeley DB: a B-tree in a transactional environment of one process (DB_PRIVATE).
//
// - Pages of 4 KiB; 16 KiB where the data are larger than the memory, for a value of 1 KiB would not fit into a small page
//   as it should and go to pages of its own.
// - The cache is the budget. Log files of 64 MiB are removed when done; where commits are synced they are filled with
//   zeros beforehand (DB_LOG_ZERO), so that a sync need not change metadata. The log's buffer has 8 MiB.
// - A thread of the adapter checkpoints every 256 MiB of log, as the manual tells applications to.
// - Deadlocks are detected as they arise, and whoever loses tries again. Scans read in bulk (DB_MULTIPLE_KEY).
// - Synced is DB_TXN_SYNC, the default; unsynced is DB_TXN_NOSYNC: commits stay in the log's buffer.
// - There is no bulk load: a sorted load is batches of 1000.

#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <db.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

constexpr uint32_t kCheckpointKib = 256 << 10;

absl::Status ToStatus(int error, const char* what) {
  if (error == 0) return absl::OkStatus();
  if (error == DB_NOTFOUND) return absl::NotFoundError("no such key");
  if (error == DB_LOCK_DEADLOCK) return absl::AbortedError("Berkeley DB: deadlock");
  return MakeStatus(absl::StatusCode::kInternal, "Berkeley DB: %s: %s", what, db_strerror(error));
}

DBT ToDbt(std::string_view bytes) {
  DBT dbt = {};
  dbt.data = const_cast<char*>(bytes.data());
  dbt.size = static_cast<uint32_t>(bytes.size());
  return dbt;
}

// Calls `work` until it is no longer told to try again.
template <typename Work>
absl::Status Retry(Work work) {
  for (;;) {
    const absl::Status status = work();
    if (!absl::IsAborted(status)) return status;
  }
}

// What a call returns bytes into.
class ReturnBuffer {
 public:
  explicit ReturnBuffer(size_t bytes) : bytes_(bytes) {}

  DBT* Prepare() {
    dbt_ = {};
    dbt_.data = bytes_.data();
    dbt_.ulen = static_cast<uint32_t>(bytes_.size());
    dbt_.flags = DB_DBT_USERMEM;
    return &dbt_;
  }
  // After DB_BUFFER_SMALL.
  void Grow() { bytes_.resize(std::max<size_t>(2 * bytes_.size(), (dbt_.size | 1023U) + 1)); }
  std::string_view view() const { return {bytes_.data(), dbt_.size}; }
  DBT* dbt() { return &dbt_; }

 private:
  std::vector<char> bytes_;
  DBT dbt_ = {};
};

class BdbSession : public Session {
 public:
  BdbSession(DB_ENV* env, DB* db) : env_(env), db_(db) {}

  absl::Status Put(std::string_view key, std::string_view value) override {
    return Retry([&] { return Insert(nullptr, {key, value}); });
  }
  absl::Status Delete(std::string_view key) override;
  absl::Status Write(std::span<const Row> rows) override;
  absl::Status Get(std::string_view key, Visit visit) override {
    return Retry([&] { return GetIn(nullptr, key, visit); });
  }
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;

 private:
  absl::Status Insert(DB_TXN* txn, const Row& row) {
    DBT key = ToDbt(row.key);
    DBT value = ToDbt(row.value);
    return ToStatus(db_->put(db_, txn, &key, &value, 0), "put");
  }
  absl::Status GetIn(DB_TXN* txn, std::string_view key, Visit visit);
  // In one transaction, which ends as the work does.
  template <typename Work>
  absl::Status InTransaction(Work work);
  absl::Status ScanBy(DBC* cursor, std::string_view begin, uint64_t limit, VisitRow visit);
  absl::Status Fill(DBC* cursor, ReturnBuffer* key, ReturnBuffer* rows, uint32_t how);

  DB_ENV* const env_;
  DB* const db_;
  ReturnBuffer value_{4096};
  ReturnBuffer few_rows_{16 << 10};
  ReturnBuffer many_rows_{256 << 10};
};

absl::Status BdbSession::Delete(std::string_view key) {
  return Retry([&] {
    DBT dbt = ToDbt(key);
    const int error = db_->del(db_, nullptr, &dbt, 0);
    return error == DB_NOTFOUND ? absl::OkStatus() : ToStatus(error, "del");
  });
}

template <typename Work>
absl::Status BdbSession::InTransaction(Work work) {
  DB_TXN* txn = nullptr;
  KEEL_RETURN_IF_ERROR(ToStatus(env_->txn_begin(env_, nullptr, &txn, 0), "begin"));
  if (const absl::Status status = work(txn); !status.ok()) {
    txn->abort(txn);
    return status;
  }
  return ToStatus(txn->commit(txn, 0), "commit");
}

absl::Status BdbSession::Write(std::span<const Row> rows) {
  return Retry([&] {
    return InTransaction([&](DB_TXN* txn) -> absl::Status {
      for (const Row& row : rows) KEEL_RETURN_IF_ERROR(Insert(txn, row));
      return absl::OkStatus();
    });
  });
}

absl::Status BdbSession::GetIn(DB_TXN* txn, std::string_view key, Visit visit) {
  DBT dbt = ToDbt(key);
  for (;;) {
    const int error = db_->get(db_, txn, &dbt, value_.Prepare(), 0);
    if (error == 0) break;
    if (error != DB_BUFFER_SMALL) return ToStatus(error, "get");
    value_.Grow();
  }
  visit(value_.view());
  return absl::OkStatus();
}

// A transaction locks what it reads until its end: that is one state too.
absl::Status BdbSession::GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) {
  return Retry([&] {
    return InTransaction([&](DB_TXN* txn) -> absl::Status {
      for (size_t n = 0; n < keys.size(); ++n) {
        KEEL_RETURN_IF_ERROR(GetIn(txn, keys[n], [&](std::string_view v) { visit(n, v); }));
      }
      return absl::OkStatus();
    });
  });
}

absl::Status BdbSession::Fill(DBC* cursor, ReturnBuffer* key, ReturnBuffer* rows, uint32_t how) {
  for (;;) {
    const int error = cursor->get(cursor, key->dbt(), rows->Prepare(), how | DB_MULTIPLE_KEY);
    if (error != DB_BUFFER_SMALL) return ToStatus(error, "cursor");
    rows->Grow();
  }
}

absl::Status BdbSession::ScanBy(DBC* cursor, std::string_view begin, uint64_t limit,
                                VisitRow visit) {
  constexpr uint64_t kFew = 128;
  ReturnBuffer& rows = limit <= kFew ? few_rows_ : many_rows_;
  ReturnBuffer key(1024);
  DBT* const key_dbt = key.Prepare();
  std::copy(begin.begin(), begin.end(), static_cast<char*>(key_dbt->data));
  key_dbt->size = static_cast<uint32_t>(begin.size());
  absl::Status status = Fill(cursor, &key, &rows, begin.empty() ? DB_FIRST : DB_SET_RANGE);
  for (; status.ok(); status = Fill(cursor, &key, &rows, DB_NEXT)) {
    void* place = nullptr;
    DB_MULTIPLE_INIT(place, rows.dbt());
    for (;;) {
      void* row_key = nullptr;
      void* value = nullptr;
      uint32_t key_bytes = 0;
      uint32_t value_bytes = 0;
      DB_MULTIPLE_KEY_NEXT(place, rows.dbt(), row_key, key_bytes, value, value_bytes);
      if (place == nullptr) break;
      visit({static_cast<const char*>(row_key), key_bytes},
            {static_cast<const char*>(value), value_bytes});
      if (--limit == 0) return absl::OkStatus();
    }
  }
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status BdbSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  // A deadlock in the middle would have been visited in part: then it goes on behind the last row.
  std::string from(begin);
  bool skip_first = false;
  return Retry([&]() -> absl::Status {
    DBC* cursor = nullptr;
    KEEL_RETURN_IF_ERROR(ToStatus(db_->cursor(db_, nullptr, &cursor, 0), "cursor"));
    bool skip = std::exchange(skip_first, false);
    const std::string start = from;
    const absl::Status status = ScanBy(cursor, start, limit + (skip ? 1 : 0),
                                       [&](std::string_view key, std::string_view value) {
                                         if (std::exchange(skip, false) && key == start) return;
                                         visit(key, value);
                                         --limit;
                                         from.assign(key);
                                         skip_first = true;
                                       });
    const int error = cursor->close(cursor);
    return status.ok() ? ToStatus(error, "close") : status;
  });
}

class BdbStore : public Store {
 public:
  ~BdbStore() override { Close().IgnoreError(); }

  absl::Status Open(const StoreOptions& options);
  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<BdbSession>(env_, db_);
  }
  absl::Status Sync() override { return ToStatus(env_->log_flush(env_, nullptr), "log_flush"); }
  absl::Status Checkpoint() override {
    return ToStatus(env_->txn_checkpoint(env_, 0, 0, DB_FORCE), "checkpoint");
  }
  absl::Status Close() override;

 private:
  absl::Status Configure(const StoreOptions& options);
  void CheckpointAsDue();

  DB_ENV* env_ = nullptr;
  DB* db_ = nullptr;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread checkpointer_;
};

absl::Status BdbStore::Configure(const StoreOptions& options) {
  constexpr uint64_t kGibi = uint64_t{1} << 30;
  constexpr uint32_t kLogFileBytes = 64 << 20;
  constexpr uint32_t kLogBufferBytes = 8 << 20;
  constexpr uint32_t kLocks = 200'000;
  constexpr uint32_t kThreads = 1000;
  const bool synced = options.durability == Durability::kSynced;
  const int errors[] = {
      env_->set_cachesize(env_, static_cast<uint32_t>(options.memory_bytes / kGibi),
                          static_cast<uint32_t>(options.memory_bytes % kGibi), 1),
      env_->set_lg_max(env_, kLogFileBytes),
      env_->set_lg_bsize(env_, kLogBufferBytes),
      env_->log_set_config(env_, DB_LOG_ZERO, synced ? 1 : 0),
      env_->log_set_config(env_, DB_LOG_AUTO_REMOVE, 1),
      env_->set_lk_detect(env_, DB_LOCK_DEFAULT),
      env_->set_lk_max_locks(env_, kLocks),
      env_->set_lk_max_objects(env_, kLocks),
      env_->set_lk_max_lockers(env_, kThreads),
      env_->set_tx_max(env_, kThreads),
      synced ? 0 : env_->set_flags(env_, DB_TXN_NOSYNC, 1),
  };
  for (const int error : errors) KEEL_RETURN_IF_ERROR(ToStatus(error, "configuration"));
  return absl::OkStatus();
}

absl::Status BdbStore::Open(const StoreOptions& options) {
  constexpr uint32_t kEnvironment = DB_CREATE | DB_INIT_MPOOL | DB_INIT_TXN | DB_INIT_LOCK |
                                    DB_INIT_LOG | DB_THREAD | DB_PRIVATE | DB_RECOVER;
  constexpr uint32_t kPage = 4 << 10;
  constexpr uint32_t kLargePage = 16 << 10;
  KEEL_RETURN_IF_ERROR(ToStatus(db_env_create(&env_, 0), "create"));
  KEEL_RETURN_IF_ERROR(Configure(options));
  KEEL_RETURN_IF_ERROR(
      ToStatus(env_->open(env_, options.directory.c_str(), kEnvironment, 0600), "open"));
  KEEL_RETURN_IF_ERROR(ToStatus(db_create(&db_, env_, 0), "create"));
  KEEL_RETURN_IF_ERROR(ToStatus(
      db_->set_pagesize(db_, options.larger_than_memory ? kLargePage : kPage), "page size"));
  KEEL_RETURN_IF_ERROR(ToStatus(db_->open(db_, nullptr, "rows.db", nullptr, DB_BTREE,
                                          DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0600),
                                "open"));
  checkpointer_ = std::thread([this] { CheckpointAsDue(); });
  return absl::OkStatus();
}

void BdbStore::CheckpointAsDue() {
  absl::MutexLock lock(&mutex_);
  while (!mutex_.AwaitWithTimeout(absl::Condition(&stop_), absl::Milliseconds(200))) {
    env_->txn_checkpoint(env_, kCheckpointKib, 0, 0);
  }
}

absl::Status BdbStore::Close() {
  if (env_ == nullptr) return absl::OkStatus();
  if (checkpointer_.joinable()) {
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
    }
    checkpointer_.join();
  }
  absl::Status status = db_ == nullptr ? absl::OkStatus() : Checkpoint();
  if (db_ != nullptr) status.Update(ToStatus(db_->close(db_, 0), "close"));
  status.Update(ToStatus(env_->close(env_, 0), "close"));
  env_ = nullptr;
  return status;
}

absl::StatusOr<std::unique_ptr<Store>> OpenBdb(const StoreOptions& options) {
  auto store = std::make_unique<BdbStore>();
  KEEL_RETURN_IF_ERROR(store->Open(options));
  return store;
}

}  // namespace

StoreKind BdbKind() {
  return {
      .name = "bdb",
      .version = absl::StrFormat("%d.%d.%d", DB_VERSION_MAJOR, DB_VERSION_MINOR, DB_VERSION_PATCH),
      .configuration =
          "B-tree in a private transactional environment, cache is the budget; pages of 4 KiB (16 "
          "KiB if larger than "
          "memory); log files of 64 MiB (filled with zeros beforehand if synced), buffer of 8 MiB; "
          "a checkpoint every "
          "256 MiB of log; bulk reads in scans; synced: DB_TXN_SYNC; unsynced: DB_TXN_NOSYNC; "
          "sorted load: batches of "
          "1000",
      .open = OpenBdb};
}

}  // namespace keel::compare
