// Cursors over a tree as it stands: of databases, snapshots and exclusive transactions.

#ifndef KEEL_ENGINE_TREE_CURSOR_H_
#define KEEL_ENGINE_TREE_CURSOR_H_

#include <absl/status/status.h>
#include <keel/database.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "btree/cursor.h"
#include "engine/cursor_impl.h"
#include "engine/database_impl.h"
#include "engine/exclusive_transaction.h"
#include "engine/shared_version.h"

namespace keel::engine {

// A step within the leaf that a cursor has pinned asks nobody (S2), but for whether it is still allowed: after
// expiry, Close or a fork a movement is refused, as any other call is.
class TreeCursor final : public Cursor::Impl {
 public:
  // On a fixed version.
  TreeCursor(std::shared_ptr<SharedVersion> version, Keyspace keyspace, const KeyRange& range);
  // On a transaction: re-seeks after its changes.
  TreeCursor(std::shared_ptr<ExclusiveTransaction> transaction, Keyspace keyspace,
             const KeyRange& range);

  void Move(Movement movement, std::string_view key) override;
  bool valid() const override { return status_.ok() && cursor_.valid(); }
  absl::Status status() const override;
  std::string_view key() const override { return cursor_.key(); }
  std::string_view value() override {
    const btree::ValueSlot slot = cursor_.value();
    return slot.large ? LargeValue(slot) : slot.bytes;
  }

  // Moves to the neighbouring entry, if it is in the leaf. False: nothing has changed, and Move finds out.
  bool StepForward() { return MayStep() && cursor_.StepForward(); }
  bool StepBackward() { return MayStep() && cursor_.StepBackward(); }

 private:
  bool MayStep() {
    large_read_ = false;
    return version_ != nullptr && !version_->expired() && database_->usable() && status_.ok();
  }
  void Attach(const TreeState& state);
  void MoveOnTree(Movement movement, std::string_view key);
  void FollowChanges(const TreeState& state, Movement movement, std::string_view key);
  // Empty if it cannot be read; status() tells.
  std::string_view LargeValue(const btree::ValueSlot& slot);
  absl::Status ReadLarge(const btree::ValueSlot& slot);

  // These keep the database, with the frames that the cursor pins.
  const std::shared_ptr<SharedVersion> version_;
  const std::shared_ptr<ExclusiveTransaction> transaction_;  // or this
  Database::Impl* const database_;
  const Keyspace keyspace_;
  uint64_t changes_seen_ = 0;
  bool attached_ = false;  // otherwise `status_` says why not, for good
  btree::Cursor cursor_;
  absl::Status status_;
  PinnedValue large_;  // the current value, where it is large
  bool large_read_ = false;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_TREE_CURSOR_H_
