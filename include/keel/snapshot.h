// Keel: a fixed, consistent state to read from.
//
//   keel::Snapshot snapshot = db->GetSnapshot();
//   absl::StatusOr<keel::PinnedValue> before = snapshot.Get("key");

#ifndef KEEL_SNAPSHOT_H_
#define KEEL_SNAPSHOT_H_

#include <absl/status/status.h>
#include <keel/lsn.h>
#include <keel/reader.h>

#include <memory>

namespace keel {

// Move-only; thread-safe. Readers and writers never wait for each other; while it lives, pages that it can see
// are not reused, so let it go when done. After the database is closed its calls give FailedPrecondition. Where
// Options::snapshots sets limits, ResourceExhausted: it was refused; DeadlineExceeded: it was too old, and has expired.
class Snapshot : public Reader {
 public:
  class Impl;

  explicit Snapshot(std::shared_ptr<Impl> impl);
  Snapshot(Snapshot&&) noexcept;
  Snapshot& operator=(Snapshot&&) noexcept;
  ~Snapshot() override;

  // Position in the log of the last commit that it contains.
  Lsn lsn() const;
  // OK, or why it can be read no more (refused, expired, moved from); of a closed database only reads tell.
  absl::Status status() const;

 private:
  absl::StatusOr<PinnedValue> DoGet(Keyspace keyspace, std::string_view key) const override;
  std::vector<absl::StatusOr<PinnedValue>> DoMultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) const override;
  Cursor DoNewCursor(Keyspace keyspace, const KeyRange& range) const override;
  absl::StatusOr<uint64_t> DoCount(Keyspace keyspace, const KeyRange& range) const override;

  std::shared_ptr<Impl> impl_;
};

}  // namespace keel

#endif  // KEEL_SNAPSHOT_H_
