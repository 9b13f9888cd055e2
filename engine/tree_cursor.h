// Cursors over a tree as it stands: of databases, snapshots and exclusive transactions.

#ifndef KEEL_ENGINE_TREE_CURSOR_H_
#define KEEL_ENGINE_TREE_CURSOR_H_

#include <absl/status/status.h>
#include <keel/database.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "btree/cursor.h"
#include "engine/cursor_impl.h"
#include "engine/database_impl.h"
#include "engine/exclusive_transaction.h"
#include "engine/shared_version.h"

namespace keel::engine {

class TreeCursor final : public Cursor::Impl {
 public:
  // On a fixed version.
  TreeCursor(std::shared_ptr<SharedVersion> version, Keyspace keyspace, const KeyRange& range);
  // On a transaction: re-seeks after its changes.
  TreeCursor(std::shared_ptr<ExclusiveTransaction> transaction, Keyspace keyspace,
             const KeyRange& range);

  void Move(Movement movement, std::string_view key) override;
  bool valid() const override { return status_.ok() && cursor_.has_value() && cursor_->valid(); }
  absl::Status status() const override;
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() override;

 private:
  void Attach(const TreeState& state, pager::PageSource& pages);
  void MoveOnTree(Movement movement, std::string_view key);
  void FollowChanges(const TreeState& state, Movement movement, std::string_view key);
  absl::Status ReadLarge(const btree::ValueSlot& slot);

  std::shared_ptr<Database::Impl> database_;  // keeps the frames that the cursor pins
  std::shared_ptr<SharedVersion> version_;
  std::shared_ptr<ExclusiveTransaction> transaction_;
  Keyspace keyspace_;
  KeyRange range_;
  uint64_t changes_seen_ = 0;
  std::optional<btree::Cursor> cursor_;
  absl::Status status_;
  PinnedValue large_;  // the current value, where it is large
  bool large_read_ = false;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_TREE_CURSOR_H_
