// WiredTiger, a B-tree with the rows as raw bytes ("u").
//
// - The log's files have 32 MB. Where commits are synced they are filled with zeros beforehand, so that a sync need not
//   change metadata; elsewhere that would only write everything twice.
// - Checkpoints every 256 MB of log or 60 s, as Keel's by default.
// - Leaves of 32 KiB, the default, which suits memory; 4 KiB where the data are larger, so that a miss reads no more.
// - At most two threads evict: there are few processors.
// - Each session keeps one cursor, reset after each use so that it holds no page.
// - Synced is transaction_sync with fdatasync; unsynced leaves commits in the log's buffer in memory.
// - A sorted load uses a bulk cursor and then a checkpoint, for it is not logged.

#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <wiredtiger.h>

#include <utility>

#include "base/status.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

constexpr const char* kTable = "table:rows";
constexpr const char* kBulk = "bulk";

absl::Status ToStatus(int error, const char* what) {
  if (error == 0) return absl::OkStatus();
  if (error == WT_NOTFOUND) return absl::NotFoundError("no such key");
  if (error == WT_ROLLBACK) return absl::AbortedError("WiredTiger: conflict");
  return MakeStatus(absl::StatusCode::kInternal, "WiredTiger: %s: %s", what,
                    wiredtiger_strerror(error));
}

WT_ITEM ToItem(std::string_view bytes) {
  WT_ITEM item = {};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}

std::string_view ToView(const WT_ITEM& item) {
  return {static_cast<const char*>(item.data), item.size};
}

// Calls `work` until it is no longer told to try again.
template <typename Work>
absl::Status Retry(Work work) {
  for (;;) {
    const absl::Status status = work();
    if (!absl::IsAborted(status)) return status;
  }
}

class WiredtigerSession : public Session {
 public:
  explicit WiredtigerSession(WT_SESSION* session) : session_(session) {}
  ~WiredtigerSession() override { session_->close(session_, nullptr); }

  absl::Status Open() {
    return ToStatus(session_->open_cursor(session_, kTable, nullptr, nullptr, &cursor_), "cursor");
  }
  absl::Status Put(std::string_view key, std::string_view value) override;
  absl::Status Delete(std::string_view key) override;
  absl::Status Write(std::span<const Row> rows) override;
  absl::Status Get(std::string_view key, Visit visit) override;
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override;
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override;

 private:
  void SetKey(std::string_view key) {
    const WT_ITEM item = ToItem(key);
    cursor_->set_key(cursor_, &item);
  }
  absl::Status Insert(const Row& row);
  absl::Status Search(std::string_view key, Visit visit);
  absl::Status SeekTo(std::string_view begin);
  absl::Status VisitHere(VisitRow visit);
  absl::Status Reset(const absl::Status& status) {
    const int error = cursor_->reset(cursor_);
    return status.ok() ? ToStatus(error, "reset") : status;
  }
  // In one transaction, which ends as the work does.
  template <typename Work>
  absl::Status InTransaction(Work work);

  WT_SESSION* const session_;
  WT_CURSOR* cursor_ = nullptr;
};

template <typename Work>
absl::Status WiredtigerSession::InTransaction(Work work) {
  KEEL_RETURN_IF_ERROR(
      ToStatus(session_->begin_transaction(session_, "isolation=snapshot"), "begin"));
  if (const absl::Status status = work(); !status.ok()) {
    session_->rollback_transaction(session_, nullptr);
    return status;
  }
  return ToStatus(session_->commit_transaction(session_, nullptr), "commit");
}

absl::Status WiredtigerSession::Insert(const Row& row) {
  const WT_ITEM value = ToItem(row.value);
  SetKey(row.key);
  cursor_->set_value(cursor_, &value);
  return ToStatus(cursor_->insert(cursor_), "insert");
}

absl::Status WiredtigerSession::Put(std::string_view key, std::string_view value) {
  return Retry([&] { return Insert({key, value}); });
}

absl::Status WiredtigerSession::Delete(std::string_view key) {
  return Retry([&] {
    SetKey(key);
    const int error = cursor_->remove(cursor_);
    return Reset(error == WT_NOTFOUND ? absl::OkStatus() : ToStatus(error, "remove"));
  });
}

absl::Status WiredtigerSession::Write(std::span<const Row> rows) {
  return Retry([&] {
    return InTransaction([&]() -> absl::Status {
      for (const Row& row : rows) KEEL_RETURN_IF_ERROR(Insert(row));
      return absl::OkStatus();
    });
  });
}

absl::Status WiredtigerSession::Search(std::string_view key, Visit visit) {
  SetKey(key);
  if (const int error = cursor_->search(cursor_); error != 0) return ToStatus(error, "search");
  WT_ITEM value = {};
  KEEL_RETURN_IF_ERROR(ToStatus(cursor_->get_value(cursor_, &value), "value"));
  visit(ToView(value));
  return absl::OkStatus();
}

absl::Status WiredtigerSession::Get(std::string_view key, Visit visit) {
  return Reset(Search(key, visit));
}

absl::Status WiredtigerSession::GetInSnapshot(std::span<const std::string_view> keys,
                                              VisitNth visit) {
  return Reset(InTransaction([&]() -> absl::Status {
    for (size_t n = 0; n < keys.size(); ++n) {
      KEEL_RETURN_IF_ERROR(Search(keys[n], [&](std::string_view value) { visit(n, value); }));
    }
    return absl::OkStatus();
  }));
}

// NotFound: there is nothing at or after it.
absl::Status WiredtigerSession::SeekTo(std::string_view begin) {
  if (begin.empty()) return ToStatus(cursor_->next(cursor_), "next");
  int order = 0;
  SetKey(begin);
  if (const int error = cursor_->search_near(cursor_, &order); error != 0) {
    return ToStatus(error, "search");
  }
  return order < 0 ? ToStatus(cursor_->next(cursor_), "next") : absl::OkStatus();
}

absl::Status WiredtigerSession::VisitHere(VisitRow visit) {
  WT_ITEM key = {};
  WT_ITEM value = {};
  KEEL_RETURN_IF_ERROR(ToStatus(cursor_->get_key(cursor_, &key), "key"));
  KEEL_RETURN_IF_ERROR(ToStatus(cursor_->get_value(cursor_, &value), "value"));
  visit(ToView(key), ToView(value));
  return absl::OkStatus();
}

absl::Status WiredtigerSession::Scan(std::string_view begin, uint64_t limit, VisitRow visit) {
  absl::Status status = SeekTo(begin);
  while (status.ok()) {
    status = VisitHere(visit);
    if (!status.ok() || --limit == 0) break;
    status = ToStatus(cursor_->next(cursor_), "next");
  }
  return Reset(absl::IsNotFound(status) ? absl::OkStatus() : status);
}

class WiredtigerStore : public Store {
 public:
  ~WiredtigerStore() override {
    if (connection_ != nullptr) Close().IgnoreError();
  }

  absl::Status Open(const StoreOptions& options);
  absl::StatusOr<std::unique_ptr<Session>> NewSession() override;
  absl::Status Sync() override {
    absl::MutexLock lock(&mutex_);
    return ToStatus(session_->log_flush(session_, "sync=on"), "log_flush");
  }
  absl::Status Checkpoint() override {
    absl::MutexLock lock(&mutex_);
    return ToStatus(session_->checkpoint(session_, nullptr), "checkpoint");
  }
  absl::Status BulkLoad(NextRow next) override;
  absl::Status Close() override {
    WT_CONNECTION* const connection = std::exchange(connection_, nullptr);
    return ToStatus(connection->close(connection, nullptr), "close");
  }

 private:
  WT_CONNECTION* connection_ = nullptr;
  absl::Mutex mutex_;
  WT_SESSION* session_ = nullptr;  // for what concerns the whole store
};

absl::Status WiredtigerStore::Open(const StoreOptions& options) {
  const char* const synced = options.durability == Durability::kSynced ? "true" : "false";
  const std::string how = absl::StrFormat(
      "create,cache_size=%d,session_max=1000,log=(enabled=true,file_max=32MB,zero_fill=%s),"
      "transaction_sync=(enabled=%s,method=fsync),checkpoint=(wait=60,log_size=256MB),"
      "eviction=(threads_min=1,threads_max=2)",
      options.memory_bytes, synced, synced);
  KEEL_RETURN_IF_ERROR(ToStatus(
      wiredtiger_open(options.directory.c_str(), nullptr, how.c_str(), &connection_), "open"));
  KEEL_RETURN_IF_ERROR(
      ToStatus(connection_->open_session(connection_, nullptr, nullptr, &session_), "session"));
  const std::string table = absl::StrFormat("key_format=u,value_format=u%s",
                                            options.larger_than_memory ? ",leaf_page_max=4KB" : "");
  return ToStatus(session_->create(session_, kTable, table.c_str()), "create");
}

absl::StatusOr<std::unique_ptr<Session>> WiredtigerStore::NewSession() {
  WT_SESSION* opened = nullptr;
  KEEL_RETURN_IF_ERROR(
      ToStatus(connection_->open_session(connection_, nullptr, nullptr, &opened), "session"));
  auto session = std::make_unique<WiredtigerSession>(opened);
  KEEL_RETURN_IF_ERROR(session->Open());
  return session;
}

absl::Status WiredtigerStore::BulkLoad(NextRow next) {
  absl::MutexLock lock(&mutex_);
  WT_CURSOR* cursor = nullptr;
  KEEL_RETURN_IF_ERROR(
      ToStatus(session_->open_cursor(session_, kTable, nullptr, kBulk, &cursor), "bulk"));
  for (Row row; next(&row);) {
    const WT_ITEM key = ToItem(row.key);
    const WT_ITEM value = ToItem(row.value);
    cursor->set_key(cursor, &key);
    cursor->set_value(cursor, &value);
    KEEL_RETURN_IF_ERROR(ToStatus(cursor->insert(cursor), "insert"));
  }
  KEEL_RETURN_IF_ERROR(ToStatus(cursor->close(cursor), "close"));
  return ToStatus(session_->checkpoint(session_, nullptr), "checkpoint");
}

absl::StatusOr<std::unique_ptr<Store>> OpenWiredtiger(const StoreOptions& options) {
  auto store = std::make_unique<WiredtigerStore>();
  KEEL_RETURN_IF_ERROR(store->Open(options));
  return store;
}

}  // namespace

StoreKind WiredtigerKind() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  wiredtiger_version(&major, &minor, &patch);
  return {.name = "wiredtiger",
          .version = absl::StrFormat("%d.%d.%d", major, minor, patch),
          .configuration =
              "B-tree, cache_size is the budget; log files of 32 MB (filled with zeros beforehand "
              "if synced), checkpoints "
              "every 256 MB of log or 60 s; leaves of 32 KiB (4 KiB if larger than memory), at "
              "most 2 threads evict; "
              "synced: transaction_sync by fsync; unsynced: commits stay in the log's buffer; "
              "sorted load: bulk cursor, "
              "then a checkpoint",
          .open = OpenWiredtiger};
}

}  // namespace keel::compare
