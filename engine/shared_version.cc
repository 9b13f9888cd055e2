#include "engine/shared_version.h"

#include <utility>

#include "base/status.h"

namespace keel::engine {

SharedVersion::SharedVersion(std::shared_ptr<Database::Impl> database, VersionKeeper keeper)
    : database_(std::move(database)), keeper_(std::move(keeper)) {}

SharedVersion::~SharedVersion() {
  if (!database_->InForkedChild()) database_->open_snapshots().Remove(*this);
}

void SharedVersion::Expire(const absl::Status& reason) {
  {
    absl::MutexLock lock(&mutex_);
    if (!reason_.ok()) return;
    reason_ = reason;  // before the mark: who sees that asks for the reason
  }
  if (calls_.fetch_or(kExpired, std::memory_order_acq_rel) == 0) GiveBack();
  database_->open_snapshots().Remove(*this);
}

absl::Status SharedVersion::status() const {
  absl::MutexLock lock(&mutex_);
  return reason_;
}

absl::StatusOr<std::shared_ptr<SharedVersion>> TakeSnapshot(
    const std::shared_ptr<Database::Impl>& database, SnapshotKind kind, std::string_view label) {
  const absl::Duration now = database->storage().clock().Now();
  auto version = std::make_shared<SharedVersion>(database, database->KeepVisible());
  KEEL_RETURN_IF_ERROR(
      database->open_snapshots().Add(*version, kind, label, now, /*bounded=*/true));
  return version;
}

std::shared_ptr<SharedVersion> RenewSnapshot(const std::shared_ptr<Database::Impl>& database,
                                             SnapshotKind kind, std::string_view label) {
  const absl::Duration now = database->storage().clock().Now();
  auto version = std::make_shared<SharedVersion>(database, database->KeepVisible());
  database->open_snapshots().Add(*version, kind, label, now, /*bounded=*/false).IgnoreError();
  return version;
}

btree::Range ToRange(const KeyRange& range) {
  btree::Range result{.begin = range.begin_key(), .end = {}};
  if (range.end_key()) result.end = *range.end_key();
  return result;
}

}  // namespace keel::engine
