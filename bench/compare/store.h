// bench/compare: what the driver asks of a store, whichever it is.
//
//   absl::StatusOr<std::unique_ptr<Store>> store = kind.open(options);
//   std::unique_ptr<Session> session = (*store)->NewSession();
//   absl::Status status = session->Put("key", "value");
//
// One adapter a store (keel_store.cc, lmdb_store.cc, ...) implements this as somebody who knows the store well would
// write it. How it is configured, and why, stands at the head of the adapter, and as one line in the results.
//
// A row of results compares like with like, so what a commit promises is settled when the store is opened, and an
// adapter may not promise less. Values are read where the store has them: the visitor sees the store's own bytes if
// the store can show them, and the driver reads every word of them, so that nobody gains by not fetching them.

#ifndef KEEL_BENCH_COMPARE_STORE_H_
#define KEEL_BENCH_COMPARE_STORE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace keel::compare {

enum class Durability : uint8_t {
  kSynced,    // on the disk before the call returns
  kUnsynced,  // visible when the call returns; on the disk when Store::Sync returns, or earlier
};

struct StoreOptions {
  std::filesystem::path directory;  // there; empty, or with a database that this adapter has made
  Durability durability = Durability::kUnsynced;
  uint64_t memory_bytes = uint64_t{1} << 30;  // cache and write buffers together
  uint64_t data_bytes = 0;                    // about what the rows will take, keys and values
  bool larger_than_memory = false;            // most reads will have to go to the disk
  size_t threads = 1;                         // that will have sessions at the same time
  uint64_t checkpoint_log_bytes = 0;          // of Keel, which alone has it; 0: its default
};

struct Row {
  std::string_view key;
  std::string_view value;
};

// One thread's access: what it keeps to itself (handles, cursors, prepared statements) lives here.
class Session {
 public:
  using Visit = absl::FunctionRef<void(std::string_view value)>;
  using VisitNth = absl::FunctionRef<void(size_t index, std::string_view value)>;
  using VisitRow = absl::FunctionRef<void(std::string_view key, std::string_view value)>;
  // Writes what is to be put in the place of `value` into `changed`.
  using Change = absl::FunctionRef<void(std::string_view value, std::string* changed)>;

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  // Each a commit of its own.
  virtual absl::Status Put(std::string_view key, std::string_view value) = 0;
  virtual absl::Status Delete(std::string_view key) = 0;
  // All or nothing.
  virtual absl::Status Write(std::span<const Row> rows) = 0;

  // NotFound if the key is absent. The value is good during the visit.
  virtual absl::Status Get(std::string_view key, Visit visit) = 0;
  // All of one state, one call of the store a key.
  virtual absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) = 0;
  // The same by the store's own way to get many; without one, as above.
  virtual absl::Status MultiGet(std::span<const std::string_view> keys, VisitNth visit);
  // At most `limit` rows in ascending order, from the first at or after `begin`.
  virtual absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) = 0;
  // Need not be atomic, as in YCSB. NotFound if the key is absent.
  virtual absl::Status ReadModifyWrite(std::string_view key, Change change);

 private:
  std::string changed_;
};

class Store {
 public:
  // Sets the next row, whose bytes are good until the next call; false: there are no more.
  using NextRow = absl::FunctionRef<bool(Row* row)>;

  static constexpr size_t kBatchRows = 1000;

  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  // Closes, if Close has not been called; nobody learns whether that went well.
  virtual ~Store() = default;

  // REQUIRES: sessions end before the store is closed.
  virtual absl::StatusOr<std::unique_ptr<Session>> NewSession() = 0;
  // Makes everything committed so far durable.
  virtual absl::Status Sync() = 0;
  // Moves what is in log and buffers to where it will stay. Unimplemented where a store has no such thing.
  virtual absl::Status Checkpoint() = 0;
  // Loads rows that ascend into an empty store; durable on return. By default batches and a Sync.
  virtual absl::Status BulkLoad(NextRow next);
  virtual absl::Status Close() = 0;
};

// A kind of store that is built in.
struct StoreKind {
  std::string name;
  std::string version;
  std::string configuration;
  bool has_checkpoint = true;
  bool in_memory = false;  // keeps nothing: loaded anew by every child
  absl::StatusOr<std::unique_ptr<Store>> (*open)(const StoreOptions& options) = nullptr;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_STORE_H_
