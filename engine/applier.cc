#include "engine/applier.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/status.h"
#include "btree/tree.h"
#include "pager/catalogue.h"

namespace keel::engine {

using pager::TreeRoot;
using recovery::Operation;
using recovery::OperationKind;

namespace {

// The row of a put, among those of the first one's keyspace.
std::optional<btree::Row> RowOf(std::span<const Operation> puts, size_t number) {
  if (number >= puts.size() || puts[number].keyspace != puts.front().keyspace) return std::nullopt;
  return btree::Row{puts[number].key, puts[number].value};
}

}  // namespace

absl::Status Applier::RequireKeyspace(KeyspaceId keyspace) const {
  if (state_->names->Exists(keyspace)) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kNotFound, "keyspace %d has been dropped", keyspace.value);
}

absl::Status Applier::Apply(const Operation& operation) {
  absl::Status status = Dispatch(operation);
  if (status.ok()) ++changes_;
  return status;
}

absl::Status Applier::ApplyToKey(const Operation& operation, btree::BeforeChange before_change) {
  absl::Status status = operation.kind == OperationKind::kPut ? Put(operation, before_change)
                                                              : Delete(operation, before_change);
  if (status.ok()) ++changes_;
  return status;
}

absl::StatusOr<bool> Applier::MakeWritable(const Operation& operation,
                                           btree::BeforeChange before_change) {
  KEEL_RETURN_IF_ERROR(RequireKeyspace(operation.keyspace));
  session_->set_space_use(space_for_puts_);
  TreeRoot root = state_->roots.Get(operation.keyspace);
  const TreeRoot before = root;
  KEEL_ASSIGN_OR_RETURN(
      const bool writable,
      btree::MakeWritable(*session_, operation.keyspace, &root, operation.key, before_change));
  if (root != before) state_->roots.Set(operation.keyspace, root);
  return writable;
}

size_t Applier::CountWritable(std::span<const Operation> puts) const {
  const KeyspaceId keyspace = puts.front().keyspace;
  if (!state_->names->Exists(keyspace)) return 0;  // so that MakeWritable says what is wrong
  return btree::CountWritable(*session_, keyspace, state_->roots.Get(keyspace),
                              [puts](size_t number) { return RowOf(puts, number); });
}

absl::StatusOr<size_t> Applier::PutNeighbours(std::span<const Operation> puts) {
  const KeyspaceId keyspace = puts.front().keyspace;
  KEEL_RETURN_IF_ERROR(RequireKeyspace(keyspace));
  session_->set_space_use(space_for_puts_);
  TreeRoot root = state_->roots.Get(keyspace);
  KEEL_ASSIGN_OR_RETURN(const size_t count,
                        btree::PutNeighbours(*session_, keyspace, &root, [puts](size_t number) {
                          return RowOf(puts, number);
                        }));
  state_->roots.Set(keyspace, root);
  changes_ += count;
  return count;
}

absl::Status Applier::Dispatch(const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::kPut:
      return Put(operation);
    case OperationKind::kDelete:
      return Delete(operation);
    case OperationKind::kDeleteRange:
      return DeleteRange(operation);
    case OperationKind::kCreateKeyspace:
      return CreateKeyspace(operation.keyspace, operation.key);
    case OperationKind::kDropKeyspace:
      return DropKeyspace(operation.keyspace);
    case OperationKind::kSavepoint:
      SetSavepoint(operation.savepoint);
      return absl::OkStatus();
    case OperationKind::kRollbackTo:
      return RollbackTo(operation.savepoint);
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument, "unknown operation %d",
                    static_cast<int>(operation.kind));
}

absl::Status Applier::Put(const Operation& operation, btree::BeforeChange before_change) {
  KEEL_RETURN_IF_ERROR(RequireKeyspace(operation.keyspace));
  session_->set_space_use(space_for_puts_);
  TreeRoot root = state_->roots.Get(operation.keyspace);
  KEEL_RETURN_IF_ERROR(btree::Put(*session_, operation.keyspace, &root, operation.key,
                                  operation.value, before_change)
                           .status());
  state_->roots.Set(operation.keyspace, root);
  return absl::OkStatus();
}

absl::Status Applier::Delete(const Operation& operation, btree::BeforeChange before_change) {
  KEEL_RETURN_IF_ERROR(RequireKeyspace(operation.keyspace));
  session_->set_space_use(pager::SpaceUse::kDelete);
  TreeRoot root = state_->roots.Get(operation.keyspace);
  KEEL_ASSIGN_OR_RETURN(const bool deleted, btree::Delete(*session_, operation.keyspace, &root,
                                                          operation.key, before_change));
  if (deleted) state_->roots.Set(operation.keyspace, root);
  return absl::OkStatus();
}

absl::Status Applier::DeleteRange(const Operation& operation) {
  KEEL_RETURN_IF_ERROR(RequireKeyspace(operation.keyspace));
  session_->set_space_use(pager::SpaceUse::kDelete);
  btree::Range range{.begin = operation.key};
  if (operation.has_end) range.end = operation.value;
  const pager::WriteSession::Mark mark = session_->SetMark();
  TreeRoot root = state_->roots.Get(operation.keyspace);
  const absl::StatusOr<uint64_t> deleted =
      btree::DeleteRange(*session_, operation.keyspace, &root, range);
  if (!deleted.ok()) {
    session_->RollbackTo(mark);
    session_->ReleaseMark(mark);
    return deleted.status();
  }
  session_->ReleaseMark(mark);
  state_->roots.Set(operation.keyspace, root);
  return absl::OkStatus();
}

// A log may be hostile: whatever it says, ids and names stay unique, as the catalogue demands.
absl::Status Applier::CreateKeyspace(KeyspaceId keyspace, std::string_view name) {
  if (keyspace != state_->names->next() || keyspace == kLastKeyspace || name.empty() ||
      name.size() > pager::kMaxNameBytes || state_->names->Find(name).has_value()) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "no keyspace \"%s\" of id %d can be made: the next id is %d",
                      Printable(name, 32), keyspace.value, state_->names->next().value);
  }
  auto names = std::make_shared<KeyspaceNames>(*state_->names);
  names->Add(keyspace, name);
  state_->names = std::move(names);
  state_->roots.Set(keyspace, TreeRoot{});
  return absl::OkStatus();
}

absl::Status Applier::DropKeyspace(KeyspaceId keyspace) {
  KEEL_RETURN_IF_ERROR(RequireKeyspace(keyspace));
  if (keyspace == kDefaultKeyspace) {
    return absl::DataLossError("the default keyspace can never have been dropped");
  }
  const pager::WriteSession::Mark mark = session_->SetMark();
  absl::Status dropped = btree::DropTree(*session_, keyspace, state_->roots.Get(keyspace));
  if (!dropped.ok()) {
    session_->RollbackTo(mark);
    session_->ReleaseMark(mark);
    return dropped;
  }
  session_->ReleaseMark(mark);
  auto names = std::make_shared<KeyspaceNames>(*state_->names);
  names->Remove(keyspace);
  state_->names = std::move(names);
  state_->roots.Set(keyspace, TreeRoot{});
  return absl::OkStatus();
}

void Applier::SetSavepoint(uint64_t number) {
  savepoints_.push_back(SavepointState{number, session_->SetMark(), *state_});
}

absl::Status Applier::RollbackTo(uint64_t number) {
  const auto found = std::find_if(savepoints_.begin(), savepoints_.end(),
                                  [&](const SavepointState& s) { return s.number == number; });
  if (found == savepoints_.end()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "savepoint %d is not one of this transaction, or was rolled back", number);
  }
  session_->RollbackTo(found->mark);
  *state_ = found->state;
  savepoints_.erase(found + 1, savepoints_.end());
  return absl::OkStatus();
}

void Applier::Rollback(const TreeState& state) {
  session_->Rollback();
  *state_ = state;
  savepoints_.clear();
}

}  // namespace keel::engine
