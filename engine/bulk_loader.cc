// BulkLoader: the public face, and what is behind it.

#include <keel/bulk_loader.h>

#include <algorithm>
#include <utility>

#include "base/disk_full.h"
#include "base/status.h"
#include "engine/bulk_loader_impl.h"
#include "engine/database_impl.h"

namespace keel {

namespace {

// Of pages made: so many are given to be written.
constexpr uint64_t kWriteAheadBytes = uint64_t{2} << 20;
// Room in the file for twice as much as has been loaded, but no more than this.
constexpr uint64_t kRoomAheadBytes = uint64_t{16} << 20;

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
  // Most rows go into the leaf that is being filled, which is the loader's own: then nothing of the database is touched.
  if (!builder_ || !builder_->AddToLeaf(key, value)) KEEL_RETURN_IF_ERROR(PutOnPages(key, value));
  ++rows_;
  return absl::OkStatus();
}

absl::Status BulkLoader::Impl::PutOnPages(std::string_view key, std::string_view value) {
  Database::Impl& database = transaction_->database();
  recovery::Operation operation;
  operation.key = key;
  operation.value = value;
  KEEL_RETURN_IF_ERROR(database.Prepare(keyspace_, &operation));
  if (!builder_) builder_.emplace(&database.writer_sink(), id_, database.working().roots.Get(id_));
  KEEL_RETURN_IF_ERROR(database.ApplyUnlogged([&] { return builder_->Add(key, value); }));
  WriteAhead();
  return absl::OkStatus();
}

// No page is changed after it was made. Frozen now and then, they are written while more are made, and the commit finds
// little left to write.
void BulkLoader::Impl::WriteAhead() {
  const engine::Storage& storage = transaction_->database().storage();
  const uint64_t page_bytes = storage.cache->page_bytes();
  if (storage.cache->mutable_pages() * page_bytes < kWriteAheadBytes) return;
  storage.session->ReleaseMark(storage.session->SetMark());  // raises the epoch
  transaction_->database().background().WriteAhead(
      std::min(2 * storage.session->born_pages(), kRoomAheadBytes / page_bytes));
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
