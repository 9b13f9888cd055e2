// Applies operations to trees: the one code path for autocommit, transactions and redo.

#ifndef KEEL_ENGINE_APPLIER_H_
#define KEEL_ENGINE_APPLIER_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "btree/tree.h"
#include "engine/version.h"
#include "pager/write_session.h"
#include "recovery/operations.h"

namespace keel::engine {

// Works on one TreeState with one session. REQUIRES: the writer lock.
//
// A single-key operation that fails has changed nothing. A range or keyspace operation sets a mark first
// and goes back to it when it fails, so it has changed nothing either.
class Applier {
 public:
  Applier(pager::WriteSession* session, TreeState* state) : session_(session), state_(state) {}

  absl::Status Apply(const recovery::Operation& operation);
  // A put or a delete; `before_change` is called before it changes anything, if it does (btree/tree.h).
  absl::Status ApplyToKey(const recovery::Operation& operation, btree::BeforeChange before_change);
  // Ahead of a put (btree/tree.h).
  absl::StatusOr<bool> MakeWritable(const recovery::Operation& operation,
                                    btree::BeforeChange before_change);
  // How many of `puts`, from the first one on, share a leaf and find it writable. None: MakeWritable has something to do
  // for the first one, or refuses it.
  size_t CountWritable(std::span<const recovery::Operation> puts) const;
  // Applies the first of `puts`, of which there is one, and those behind it that share its leaf. How many.
  absl::StatusOr<size_t> PutNeighbours(std::span<const recovery::Operation> puts);
  // What the session reserves from here on is for puts. Each change says so for itself; this is for who reserves ahead
  // of it.
  void ReserveForPuts() { session_->set_space_use(space_for_puts_); }
  // Grows with each operation that was applied.
  uint64_t changes() const { return changes_; }

  absl::Status Put(const recovery::Operation& operation,
                   btree::BeforeChange before_change = btree::NothingBefore);
  absl::Status Delete(const recovery::Operation& operation,
                      btree::BeforeChange before_change = btree::NothingBefore);
  absl::Status DeleteRange(const recovery::Operation& operation);
  absl::Status CreateKeyspace(KeyspaceId keyspace, std::string_view name);
  absl::Status DropKeyspace(KeyspaceId keyspace);

  // Savepoints are numbered from 1 in ascending order by the caller.
  void SetSavepoint(uint64_t number);
  // FailedPrecondition if there is none of that number.
  absl::Status RollbackTo(uint64_t number);
  // Back to the start, which had `state`.
  void Rollback(const TreeState& state);
  size_t savepoints() const { return savepoints_.size(); }
  // The transaction was published: its savepoints are gone.
  void ForgetSavepoints() { savepoints_.clear(); }

  // How deep Put may go into the reserve: further while recovery repeats what fitted once.
  void set_space_for_puts(pager::SpaceUse use) { space_for_puts_ = use; }

 private:
  struct SavepointState {
    uint64_t number;
    pager::WriteSession::Mark mark;
    TreeState state;
  };

  absl::Status Dispatch(const recovery::Operation& operation);
  absl::Status RequireKeyspace(KeyspaceId keyspace) const;

  pager::WriteSession* session_;
  TreeState* state_;
  pager::SpaceUse space_for_puts_ = pager::SpaceUse::kOrdinary;
  std::vector<SavepointState> savepoints_;
  uint64_t changes_ = 0;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_APPLIER_H_
