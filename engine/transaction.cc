// Transaction: the public face.

#include <keel/transaction.h>

#include <utility>

#include "base/status.h"
#include "engine/answers.h"
#include "engine/cursor_impl.h"
#include "engine/transaction_impl.h"
#include "recovery/operations.h"

namespace keel {

using recovery::Operation;
using recovery::OperationKind;

namespace {

absl::Status MovedFrom() { return absl::FailedPreconditionError("the transaction was moved from"); }

}  // namespace

Transaction::Transaction(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

Transaction::Impl::~Impl() {
  transaction->End(absl::FailedPreconditionError("the transaction was destroyed"));
}

absl::Status Transaction::Put(Keyspace keyspace, std::string_view key, std::string_view value) {
  if (impl_ == nullptr) return MovedFrom();
  Operation operation;
  operation.key = key;
  operation.value = value;
  return impl_->transaction->Write(keyspace, operation);
}

absl::Status Transaction::Delete(Keyspace keyspace, std::string_view key) {
  if (impl_ == nullptr) return MovedFrom();
  Operation operation;
  operation.kind = OperationKind::kDelete;
  operation.key = key;
  return impl_->transaction->Write(keyspace, operation);
}

absl::Status Transaction::DeleteRange(Keyspace keyspace, const KeyRange& range) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->transaction->Write(keyspace,
                                   recovery::RangeOperation(range.begin_key(), range.end_key()));
}

Savepoint Transaction::SetSavepoint() {
  return impl_ == nullptr ? Savepoint{} : impl_->transaction->SetSavepoint();
}

absl::Status Transaction::RollbackTo(Savepoint savepoint) {
  return impl_ == nullptr ? MovedFrom() : impl_->transaction->RollbackTo(savepoint);
}

absl::StatusOr<Lsn> Transaction::Commit(WriteOptions options) {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->transaction->Commit(options);
}

void Transaction::Rollback() {
  if (impl_ == nullptr) return;
  impl_->transaction->End(absl::FailedPreconditionError("the transaction was rolled back"));
}

absl::StatusOr<PinnedValue> Transaction::DoGet(Keyspace keyspace, std::string_view key) const {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->transaction->Get(keyspace, key);
}

std::vector<absl::StatusOr<PinnedValue>> Transaction::DoMultiGet(
    Keyspace keyspace, std::span<const std::string_view> keys) const {
  if (impl_ == nullptr) return engine::AllRefused(keys.size(), MovedFrom());
  return impl_->transaction->MultiGet(keyspace, keys);
}

Cursor Transaction::DoNewCursor(Keyspace keyspace, const KeyRange& range) const {
  if (impl_ == nullptr) return Cursor(std::make_unique<engine::FailedCursor>(MovedFrom()));
  return Cursor(impl_->transaction->NewCursor(keyspace, range));
}

absl::StatusOr<uint64_t> Transaction::DoCount(Keyspace keyspace, const KeyRange& range) const {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->transaction->Count(keyspace, range);
}

}  // namespace keel
