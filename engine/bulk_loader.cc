// BulkLoader: the public face, and what is behind it.

#include <keel/bulk_loader.h>

#include <utility>

#include "base/disk_full.h"
#include "base/status.h"
#include "engine/bulk_loader_impl.h"
#include "engine/database_impl.h"

namespace keel {

namespace {

absl::Status MovedFrom() { return absl::FailedPreconditionError("the bulk loader was moved from"); }

}  // namespace

BulkLoader::BulkLoader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BulkLoader::BulkLoader(BulkLoader&&) noexcept = default;
BulkLoader& BulkLoader::operator=(BulkLoader&&) noexcept = default;
BulkLoader::~BulkLoader() = default;

absl::Status BulkLoader::Put(std::string_view key, std::string_view value) {
  return impl_ == nullptr ? MovedFrom() : impl_->Put(key, value);
}

uint64_t BulkLoader::rows() const { return impl_ == nullptr ? 0 : impl_->rows(); }

absl::StatusOr<Lsn> BulkLoader::Commit() {
  if (impl_ == nullptr) return MovedFrom();
  return impl_->Commit();
}

void BulkLoader::Rollback() {
  if (impl_ == nullptr) return;
  impl_->End(absl::FailedPreconditionError("the bulk load was rolled back"));
}

// --- behind it ---

BulkLoader::Impl::Impl(std::shared_ptr<engine::ExclusiveTransaction> transaction, Keyspace keyspace,
                       KeyspaceId id)
    : transaction_(std::move(transaction)), keyspace_(keyspace), id_(id) {}

BulkLoader::Impl::~Impl() { End(absl::FailedPreconditionError("the bulk loader was destroyed")); }

void BulkLoader::Impl::End(const absl::Status& reason) {
  builder_.reset();  // its pins first, so that no page has to wait for them
  transaction_->End(reason);
}

absl::Status BulkLoader::Impl::Put(std::string_view key, std::string_view value) {
  return transaction_->Change([&] { return PutLocked(key, value); });
}

absl::Status BulkLoader::Impl::PutLocked(std::string_view key, std::string_view value) {
  Database::Impl& database = transaction_->database();
  recovery::Operation operation;
  operation.key = key;
  operation.value = value;
  KEEL_RETURN_IF_ERROR(database.Prepare(keyspace_, &operation));
  if (!builder_) builder_.emplace(&database.writer_sink(), id_, database.working().roots.Get(id_));
  KEEL_RETURN_IF_ERROR(database.ApplyUnlogged([&] { return builder_->Add(key, value); }));
  ++rows_;
  return absl::OkStatus();
}

absl::Status BulkLoader::Impl::FinishLocked() {
  Database::Impl& database = transaction_->database();
  return database.ApplyUnlogged([&] {
    // A page or two a level, which may come from those that are kept for deletes: on a full disk the rows that fitted
    // are not lost for want of them.
    database.storage().session->set_space_use(pager::SpaceUse::kDelete);
    KEEL_ASSIGN_OR_RETURN(const btree::TreeRoot root, builder_->Finish());
    database.working().roots.Set(id_, root);
    return absl::OkStatus();
  });
}

absl::StatusOr<Lsn> BulkLoader::Impl::Commit() {
  if (rows_ > 0) {
    const absl::Status finished = transaction_->Change([&] { return FinishLocked(); });
    if (!finished.ok()) {
      End(absl::FailedPreconditionError("the bulk load's commit failed"));
      return finished;
    }
  }
  builder_.reset();
  return transaction_->Commit({});
}

absl::Status Database::Impl::ApplyUnlogged(absl::FunctionRef<absl::Status()> change) {
  if (!transaction_log_->stopped()) KEEL_RETURN_IF_ERROR(ExplainFailure(StopLogging()));
  storage_->session->set_space_use(pager::SpaceUse::kOrdinary);
  absl::Status status = change();
  if (IsDiskFull(status) && MakeRoom(Shortage::kPages)) status = change();
  has_puts_ = true;
  return ExplainFailure(status);
}

}  // namespace keel
