// Cursors of databases, snapshots and transactions.

#ifndef KEEL_ENGINE_CURSOR_IMPL_H_
#define KEEL_ENGINE_CURSOR_IMPL_H_

#include <absl/status/status.h>
#include <keel/cursor.h>
#include <keel/database.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "btree/cursor.h"
#include "engine/database_impl.h"
#include "engine/exclusive_transaction.h"
#include "engine/version_registry.h"

namespace keel {

namespace engine {

// A registered version that cursors and snapshots share. The database outlives it.
struct SharedVersion {
  std::shared_ptr<Database::Impl> database;
  VersionKeeper keeper;  // released first
};

btree::Range ToRange(const KeyRange& range);

}  // namespace engine

class Cursor::Impl {
 public:
  // On a fixed version.
  Impl(std::shared_ptr<engine::SharedVersion> version, Keyspace keyspace, const KeyRange& range);
  // On a transaction: re-seeks after its changes.
  Impl(std::shared_ptr<engine::ExclusiveTransaction> transaction, Keyspace keyspace,
       const KeyRange& range);
  // Only an error.
  explicit Impl(absl::Status status) : status_(std::move(status)) {}

  enum class Movement : uint8_t { kFirst, kLast, kSeek, kSeekForPrev, kNext, kPrev };
  void Move(Movement movement, std::string_view key = {});

  bool valid() const { return status_.ok() && cursor_.has_value() && cursor_->valid(); }
  absl::Status status() const;
  std::string_view key() const { return cursor_->key(); }
  std::string_view value();

 private:
  void Attach(const engine::TreeState& state, pager::PageSource& pages);
  void MoveOnTree(Movement movement, std::string_view key);
  void FollowChanges(const engine::TreeState& state, Movement movement, std::string_view key);
  absl::Status ReadLarge(const btree::ValueSlot& slot);

  std::shared_ptr<Database::Impl> database_;  // keeps the frames that the cursor pins
  std::shared_ptr<engine::SharedVersion> version_;
  std::shared_ptr<engine::ExclusiveTransaction> transaction_;
  Keyspace keyspace_;
  KeyRange range_;
  uint64_t changes_seen_ = 0;
  std::optional<btree::Cursor> cursor_;
  absl::Status status_;
  PinnedValue large_;  // the current value, where it is large
  bool large_read_ = false;
};

}  // namespace keel

#endif  // KEEL_ENGINE_CURSOR_IMPL_H_
