// A bulk load: an exclusive transaction that is not logged from its first row on, and a builder of full nodes
// (btree/bulk_loader.h) that works on one keyspace's tree.
//
// Births are given under the writer lock (R3), which the transaction holds: so a checkpoint of the visible version,
// which goes on meanwhile, has none of these pages, and is older than all of them. What is built gets into the
// working state only at the commit, which checkpoints that (engine/checkpoint_commit.cc).

#ifndef KEEL_ENGINE_BULK_LOADER_IMPL_H_
#define KEEL_ENGINE_BULK_LOADER_IMPL_H_

#include <keel/bulk_loader.h>
#include <keel/keyspace.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "btree/bulk_loader.h"
#include "engine/exclusive_transaction.h"

namespace keel {

class BulkLoader::Impl {
 public:
  // REQUIRES: `id` is `keyspace` in the transaction's state.
  Impl(std::shared_ptr<engine::ExclusiveTransaction> transaction, Keyspace keyspace, KeyspaceId id);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Put(std::string_view key, std::string_view value);
  uint64_t rows() const { return rows_; }
  absl::StatusOr<Lsn> Commit();
  void End(const absl::Status& reason);

 private:
  absl::Status PutLocked(std::string_view key, std::string_view value);
  absl::Status PutOnPages(std::string_view key, std::string_view value);
  void WriteAhead();
  absl::Status FinishLocked();

  const std::shared_ptr<engine::ExclusiveTransaction> transaction_;
  const Keyspace keyspace_;
  const KeyspaceId id_;
  uint64_t rows_ = 0;
  // Only while the transaction is active does it touch pages; then that is checked in each call.
  std::optional<btree::BulkLoader> builder_;
};

}  // namespace keel

#endif  // KEEL_ENGINE_BULK_LOADER_IMPL_H_
