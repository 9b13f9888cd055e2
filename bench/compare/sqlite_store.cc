// SQLite: one table without rowids, the key as primary key.
//
// - Write-ahead log. Synced is synchronous=FULL (the log is synced at each commit); unsynced is NORMAL (synced only at
//   checkpoints, never damaged by a power failure), which SQLite's manual recommends with a write-ahead log.
// - The log is checkpointed every 16384 pages (64 MiB) rather than every 1000, so that hot pages are written less often.
// - Each session has its own connection and keeps its prepared statements. Half the memory is shared out among their page
//   caches; reads go through a memory map, whose pages are the system's cache.
// - Writers take turns by a mutex of the adapter: SQLite's own way to wait is to sleep and to try again.
// - A sorted load is one transaction.

#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <sqlite3.h>

#include <algorithm>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

constexpr int kBusyMilliseconds = 60'000;

absl::Status Failed(sqlite3* db, const char* what) {
  return MakeStatus(absl::StatusCode::kInternal, "SQLite: %s: %s", what, sqlite3_errmsg(db));
}

struct CloseConnection {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct EndStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;
using Statement = std::unique_ptr<sqlite3_stmt, EndStatement>;

absl::Status Execute(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return Failed(db, sql.c_str());
}

absl::Status Prepare(sqlite3* db, const char* sql, Statement* statement) {
  sqlite3_stmt* made = nullptr;
  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr) != SQLITE_OK) {
    return Failed(db, sql);
  }
  statement->reset(made);
  return absl::OkStatus();
}

// The bytes must stay until the statement has run.
void Bind(const Statement& statement, int place, std::string_view bytes) {
  sqlite3_bind_blob64(statement.get(), place, bytes.data(), bytes.size(), SQLITE_STATIC);
}

std::string_view Column(const Statement& statement, int column) {
  return {static_cast<const char*>(sqlite3_column_blob(statement.get(), column)),
          static_cast<size_t>(sqlite3_column_bytes(statement.get(), column))};
}

// For a statement that returns nothing.
absl::Status Run(sqlite3* db, const Statement& statement, const char* what) {
  const int result = sqlite3_step(statement.get());
  if (sqlite3_reset(statement.get()) == SQLITE_OK && result == SQLITE_DONE) return absl::OkStatus();
  return Failed(db, what);
}

absl::StatusOr<Connection> Connect(const StoreOptions& options, uint64_t connections) {
  const std::string path = options.directory / "rows.sqlite";
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  Connection connection(db);
  if (result != SQLITE_OK) return Failed(db, "open");
  sqlite3_busy_timeout(db, kBusyMilliseconds);
  const uint64_t cache_kib = std::max<uint64_t>(1024, options.memory_bytes / 2 / connections >> 10);
  KEEL_RETURN_IF_ERROR(Execute(
      db, absl::StrFormat("PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; "
                          "PRAGMA cache_size=-%d; PRAGMA mmap_size=%d; "
                          "PRAGMA wal_autocheckpoint=16384",
                          options.durability == Durability::kSynced ? "FULL" : "NORMAL", cache_kib,
                          options.memory_bytes)));
  return connection;
}

class SqliteSession : public Session {
 public:
  SqliteSession(Connection connection, absl::Mutex* writer)
      : connection_(std::move(connection)), writer_(writer) {}

  absl::Status Open();
  absl::Status Put(std::string_view key, std::string_view value) override {
    absl::MutexLock lock(writer_);
    return Insert({key, value});
  }
  absl::Status Delete(std::string_view key) override {
    absl::MutexLock lock(writer_);
    Bind(delete_, 1, key);
    return Run(connection_.get(), delete_, "delete");
  }
  absl::Status Write(std::span<const Row> rows) override;
  absl::Status Get(std::string_view key, Visit visit) override;
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;

 private:
  absl::Status Insert(const Row& row) {
    Bind(put_, 1, row.key);
    Bind(put_, 2, row.value);
    return Run(connection_.get(), put_, "put");
  }
  // In one transaction, which ends as the work does.
  template <typename Work>
  absl::Status InTransaction(const Statement& begin, Work work);

  const Connection connection_;
  absl::Mutex* const writer_;
  Statement put_, delete_, get_, scan_, begin_read_, begin_write_, commit_, rollback_;
};

absl::Status SqliteSession::Open() {
  const struct {
    const char* sql;
    Statement* statement;
  } statements[] = {
      {"INSERT INTO rows VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
       &put_},
      {"DELETE FROM rows WHERE key = ?1", &delete_},
      {"SELECT value FROM rows WHERE key = ?1", &get_},
      {"SELECT key, value FROM rows WHERE key >= ?1 ORDER BY key LIMIT ?2", &scan_},
      {"BEGIN", &begin_read_},
      {"BEGIN IMMEDIATE", &begin_write_},
      {"COMMIT", &commit_},
      {"ROLLBACK", &rollback_},
  };
  for (const auto& [sql, statement] : statements) {
    KEEL_RETURN_IF_ERROR(Prepare(connection_.get(), sql, statement));
  }
  return absl::OkStatus();
}

template <typename Work>
absl::Status SqliteSession::InTransaction(const Statement& begin, Work work) {
  KEEL_RETURN_IF_ERROR(Run(connection_.get(), begin, "begin"));
  const absl::Status status = work();
  if (status.ok()) return Run(connection_.get(), commit_, "commit");
  Run(connection_.get(), rollback_, "rollback").IgnoreError();
  return status;
}

absl::Status SqliteSession::Write(std::span<const Row> rows) {
  absl::MutexLock lock(writer_);
  return InTransaction(begin_write_, [&]() -> absl::Status {
    for (const Row& row : rows) KEEL_RETURN_IF_ERROR(Insert(row));
    return absl::OkStatus();
  });
}

absl::Status SqliteSession::Get(std::string_view key, Visit visit) {
  Bind(get_, 1, key);
  const int result = sqlite3_step(get_.get());
  if (result == SQLITE_ROW) visit(Column(get_, 0));
  if (sqlite3_reset(get_.get()) != SQLITE_OK) return Failed(connection_.get(), "get");
  return result == SQLITE_ROW ? absl::OkStatus() : absl::NotFoundError("no such key");
}

absl::Status SqliteSession::GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) {
  return InTransaction(begin_read_, [&]() -> absl::Status {
    for (size_t n = 0; n < keys.size(); ++n) {
      KEEL_RETURN_IF_ERROR(Get(keys[n], [&](std::string_view value) { visit(n, value); }));
    }
    return absl::OkStatus();
  });
}

absl::Status SqliteSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  const uint64_t limit_max = INT64_MAX;
  // A null pointer would be bound as NULL, with which no key compares.
  Bind(scan_, 1, begin.empty() ? std::string_view("") : begin);
  sqlite3_bind_int64(scan_.get(), 2, static_cast<int64_t>(std::min(limit, limit_max)));
  while (sqlite3_step(scan_.get()) == SQLITE_ROW) visit(Column(scan_, 0), Column(scan_, 1));
  if (sqlite3_reset(scan_.get()) != SQLITE_OK) return Failed(connection_.get(), "scan");
  return absl::OkStatus();
}

class SqliteStore : public Store {
 public:
  explicit SqliteStore(const StoreOptions& options) : options_(options) {}

  absl::Status Open();
  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    KEEL_ASSIGN_OR_RETURN(Connection connection,
                          Connect(options_, std::max<size_t>(1, options_.threads)));
    auto session = std::make_unique<SqliteSession>(std::move(connection), &writer_);
    KEEL_RETURN_IF_ERROR(session->Open());
    return session;
  }
  absl::Status Sync() override;
  absl::Status Checkpoint() override;
  absl::Status BulkLoad(NextRow next) override;
  absl::Status Close() override {
    connection_.reset();
    return absl::OkStatus();
  }

 private:
  const StoreOptions options_;
  absl::Mutex writer_;
  Connection connection_;  // for what concerns the whole store
};

absl::Status SqliteStore::Open() {
  constexpr uint64_t kSmallShare = 64;  // of the cache: it does little
  KEEL_ASSIGN_OR_RETURN(connection_, Connect(options_, kSmallShare));
  return Execute(connection_.get(),
                 "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID;"
                 "CREATE TABLE IF NOT EXISTS mark (number INTEGER);"
                 "INSERT INTO mark SELECT 0 WHERE NOT EXISTS (SELECT * FROM mark)");
}

// A commit that is synced takes with it what is before it in the log.
absl::Status SqliteStore::Sync() {
  absl::MutexLock lock(&writer_);
  KEEL_RETURN_IF_ERROR(Execute(connection_.get(), "PRAGMA synchronous=FULL"));
  KEEL_RETURN_IF_ERROR(Execute(connection_.get(), "UPDATE mark SET number = number + 1"));
  return absl::OkStatus();
}

absl::Status SqliteStore::Checkpoint() {
  if (sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return Failed(connection_.get(), "checkpoint");
}

absl::Status SqliteStore::BulkLoad(NextRow next) {
  absl::MutexLock lock(&writer_);
  Statement put;
  KEEL_RETURN_IF_ERROR(Prepare(connection_.get(), "INSERT INTO rows VALUES (?1, ?2)", &put));
  KEEL_RETURN_IF_ERROR(Execute(connection_.get(), "PRAGMA synchronous=FULL; BEGIN IMMEDIATE"));
  for (Row row; next(&row);) {
    Bind(put, 1, row.key);
    Bind(put, 2, row.value);
    KEEL_RETURN_IF_ERROR(Run(connection_.get(), put, "put"));
  }
  return Execute(connection_.get(), "COMMIT");
}

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(const StoreOptions& options) {
  auto store = std::make_unique<SqliteStore>(options);
  KEEL_RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace

StoreKind SqliteKind() {
  return {.name = "sqlite",
          .version = sqlite3_libversion(),
          .configuration =
              "one table WITHOUT ROWID, prepared statements and a connection a thread, half the "
              "budget in their page "
              "caches, memory map; write-ahead log with a checkpoint every 64 MiB; writers take "
              "turns by a mutex; synced: "
              "synchronous=FULL; unsynced: synchronous=NORMAL; sorted load: one transaction",
          .open = OpenSqlite};
}

}  // namespace keel::compare
