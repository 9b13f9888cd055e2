#include "engine/tree_cursor.h"

#include <optional>
#include <utility>

#include "base/status.h"

namespace keel::engine {

TreeCursor::TreeCursor(std::shared_ptr<SharedVersion> version, Keyspace keyspace,
                       const KeyRange& range)
    : Impl(this),
      version_(std::move(version)),
      database_(version_->database().get()),
      keyspace_(keyspace),
      cursor_(&database_->pages(), kDefaultKeyspace, {}, ToRange(range)) {
  Attach(version_->state());
}

TreeCursor::TreeCursor(std::shared_ptr<ExclusiveTransaction> transaction, Keyspace keyspace,
                       const KeyRange& range)
    : Impl(this),
      transaction_(std::move(transaction)),
      database_(transaction_->shared_database().get()),
      keyspace_(keyspace),
      cursor_(&database_->writer_pages(), kDefaultKeyspace, {}, ToRange(range)) {
  status_ = transaction_->Read([&](const TreeState& state, uint64_t changes) {
    Attach(state);
    changes_seen_ = changes;
    return status_;
  });
}

void TreeCursor::Attach(const TreeState& state) {
  const absl::StatusOr<KeyspaceId> id = database_->Resolve(state, keyspace_);
  attached_ = id.ok();
  if (attached_) {
    cursor_.Reset(*id, state.roots.Get(*id));
  } else {
    cursor_.Reset(kDefaultKeyspace, {});
    status_ = id.status();
  }
}

void TreeCursor::Move(Movement movement, std::string_view key) {
  if (!attached_) return;
  const bool relative = movement == Movement::kNext || movement == Movement::kPrev;
  if (relative && !valid()) return;  // an error is never stepped over
  large_read_ = false;
  if (transaction_ == nullptr) {
    const SharedVersion::Use use(*version_);
    status_ = use.status();
    if (status_.ok()) status_ = database_->Usable();
    if (status_.ok()) MoveOnTree(movement, key);
    return;
  }
  status_ = transaction_->Read([&](const TreeState& state, uint64_t changes) {
    if (changes == changes_seen_) {
      MoveOnTree(movement, key);
    } else {
      changes_seen_ = changes;
      FollowChanges(state, movement, key);
      KEEL_RETURN_IF_ERROR(status_);
    }
    // A large value's pages are not pinned: the transaction may drop them before they are asked for.
    if (!cursor_.valid() || !cursor_.value().large) return absl::OkStatus();
    return ReadLarge(cursor_.value());
  });
}

void TreeCursor::MoveOnTree(Movement movement, std::string_view key) {
  switch (movement) {
    case Movement::kFirst:
      return cursor_.SeekToFirst();
    case Movement::kLast:
      return cursor_.SeekToLast();
    case Movement::kSeek:
      return cursor_.Seek(key);
    case Movement::kSeekForPrev:
      return cursor_.SeekForPrev(key);
    case Movement::kNext:
      return cursor_.Next();
    case Movement::kPrev:
      return cursor_.Prev();
  }
}

// The transaction changed the tree since the last movement: the cursor goes on from its key on the tree as it is
// now, whether that key is still there or not.
void TreeCursor::FollowChanges(const TreeState& state, Movement movement, std::string_view key) {
  const bool relative = movement == Movement::kNext || movement == Movement::kPrev;
  const std::string from(relative && cursor_.valid() ? cursor_.key() : key);
  status_ = absl::OkStatus();
  Attach(state);
  if (!attached_) return;
  if (!relative) return MoveOnTree(movement, from);
  const bool forward = movement == Movement::kNext;
  MoveOnTree(forward ? Movement::kSeek : Movement::kSeekForPrev, from);
  if (cursor_.valid() && cursor_.key() == from) MoveOnTree(movement, {});
}

absl::Status TreeCursor::status() const { return status_.ok() ? cursor_.status() : status_; }

std::string_view TreeCursor::LargeValue(const btree::ValueSlot& slot) {
  if (!large_read_) {
    std::optional<SharedVersion::Use> use;
    if (version_ != nullptr) use.emplace(*version_);
    status_ = use ? use->status() : absl::OkStatus();
    if (status_.ok()) status_ = ReadLarge(slot);
  }
  return large_read_ ? large_.view() : std::string_view();
}

absl::Status TreeCursor::ReadLarge(const btree::ValueSlot& slot) {
  pager::PageSource& pages =
      transaction_ != nullptr ? database_->writer_pages() : database_->pages();
  KEEL_ASSIGN_OR_RETURN(large_, database_->Materialize(pages, {}, slot));
  large_read_ = true;
  return absl::OkStatus();
}

}  // namespace keel::engine
