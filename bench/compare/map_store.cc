// What memory alone allows: absl::btree_map, with a copy of each key and value. Nothing is ever written to a disk, and
// readers share a lock with the writer. It shows how far a store is from the driver's limit, and is no peer.

#include <absl/container/btree_map.h>
#include <absl/synchronization/mutex.h>

#include <functional>

#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

struct Memory {
  absl::Mutex mutex;
  absl::btree_map<std::string, std::string, std::less<>> rows ABSL_GUARDED_BY(mutex);
};

class MapSession : public Session {
 public:
  explicit MapSession(Memory* memory) : memory_(memory) {}

  absl::Status Put(std::string_view key, std::string_view value) override {
    const Row row{key, value};
    return Write({&row, 1});
  }
  absl::Status Delete(std::string_view key) override {
    absl::MutexLock lock(&memory_->mutex);
    memory_->rows.erase(std::string(key));
    return absl::OkStatus();
  }
  absl::Status Write(std::span<const Row> rows) override {
    absl::MutexLock lock(&memory_->mutex);
    for (const Row& row : rows) memory_->rows[std::string(row.key)].assign(row.value);
    return absl::OkStatus();
  }
  absl::Status Get(std::string_view key, Visit visit) override {
    absl::ReaderMutexLock lock(&memory_->mutex);
    const auto found = memory_->rows.find(key);
    if (found == memory_->rows.end()) return absl::NotFoundError("no such key");
    visit(found->second);
    return absl::OkStatus();
  }
  absl::Status GetInSnapshot(std::span<const std::string_view> keys, VisitNth visit) override {
    absl::ReaderMutexLock lock(&memory_->mutex);
    for (size_t n = 0; n < keys.size(); ++n) {
      const auto found = memory_->rows.find(keys[n]);
      if (found == memory_->rows.end()) return absl::NotFoundError("no such key");
      visit(n, found->second);
    }
    return absl::OkStatus();
  }
  absl::Status Scan(std::string_view begin, uint64_t limit, VisitRow visit) override {
    absl::ReaderMutexLock lock(&memory_->mutex);
    auto row = memory_->rows.lower_bound(begin);
    for (; limit > 0 && row != memory_->rows.end(); ++row, --limit) visit(row->first, row->second);
    return absl::OkStatus();
  }

 private:
  Memory* const memory_;
};

class MapStore : public Store {
 public:
  absl::StatusOr<std::unique_ptr<Session>> NewSession() override {
    return std::make_unique<MapSession>(&memory_);
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Checkpoint() override { return absl::UnimplementedError("there is no disk"); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  Memory memory_;
};

absl::StatusOr<std::unique_ptr<Store>> OpenMap(const StoreOptions& /*options*/) {
  return std::make_unique<MapStore>();
}

}  // namespace

StoreKind MapKind() {
  return {
      .name = "btree_map",
      .version = "Abseil",
      .configuration =
          "absl::btree_map<std::string, std::string> in memory under a shared lock: the driver's "
          "limit, no peer; nothing is durable",
      .has_checkpoint = false,
      .in_memory = true,
      .open = OpenMap};
}

}  // namespace keel::compare
