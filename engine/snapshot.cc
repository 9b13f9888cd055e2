// Snapshot and the parts of Reader that all readers share.

#include <keel/snapshot.h>

#include <utility>

#include "base/status.h"
#include "engine/answers.h"
#include "engine/multi_get.h"
#include "engine/snapshot_impl.h"
#include "engine/tree_cursor.h"

namespace keel {

absl::Status Reader::ForEach(
    Keyspace keyspace, const KeyRange& range,
    absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> visit) const {
  Cursor cursor = NewCursor(keyspace, range);
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    const std::string_view value = cursor.value();
    KEEL_RETURN_IF_ERROR(cursor.status());
    KEEL_RETURN_IF_ERROR(visit(cursor.key(), value));
  }
  return cursor.status();
}

Snapshot::Snapshot(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;
Snapshot::~Snapshot() = default;

namespace {

absl::Status Empty() {
  return absl::FailedPreconditionError("the snapshot was moved from, or taken in a forked child");
}

}  // namespace

Lsn Snapshot::lsn() const {
  return impl_ == nullptr || impl_->version == nullptr ? Lsn{} : impl_->version->lsn();
}

absl::Status Snapshot::status() const {
  if (impl_ == nullptr) return Empty();
  return impl_->version == nullptr ? impl_->refusal : impl_->version->status();
}

absl::StatusOr<PinnedValue> Snapshot::DoGet(Keyspace keyspace, std::string_view key) const {
  if (impl_ == nullptr || impl_->version == nullptr) return status();
  const engine::SharedVersion::Use use(*impl_->version);
  KEEL_RETURN_IF_ERROR(use.status());
  Database::Impl& database = *impl_->version->database();
  return database.GetFrom(impl_->version->state(), keyspace, key);
}

std::vector<absl::StatusOr<PinnedValue>> Snapshot::DoMultiGet(
    Keyspace keyspace, std::span<const std::string_view> keys) const {
  if (impl_ == nullptr || impl_->version == nullptr) {
    return engine::AllRefused(keys.size(), status());
  }
  const engine::SharedVersion::Use use(*impl_->version);
  if (const absl::Status expired = use.status(); !expired.ok()) {
    return engine::AllRefused(keys.size(), expired);
  }
  Database::Impl& database = *impl_->version->database();
  return engine::MultiGet(database, impl_->version->state(), keyspace, keys).Run();
}

Cursor Snapshot::DoNewCursor(Keyspace keyspace, const KeyRange& range) const {
  if (absl::Status unreadable = status(); !unreadable.ok()) {
    return Cursor(std::make_unique<engine::FailedCursor>(std::move(unreadable)));
  }
  return Cursor(std::make_unique<engine::TreeCursor>(impl_->version, keyspace, range));
}

absl::StatusOr<uint64_t> Snapshot::DoCount(Keyspace keyspace, const KeyRange& range) const {
  if (impl_ == nullptr || impl_->version == nullptr) return status();
  const engine::SharedVersion::Use use(*impl_->version);
  KEEL_RETURN_IF_ERROR(use.status());
  Database::Impl& database = *impl_->version->database();
  return database.CountAt(impl_->version->state(), database.pages(), keyspace, range);
}

}  // namespace keel
