// A registered version that snapshots, cursors and transactions share, and that may be taken from them.
//
//   S1  Its pages are kept until the last of those who share it lets go of it, or until it has expired and no call
//       reads it any more.
//   S2  Who reads its pages does so within a Use. What was pinned or copied meanwhile stays good afterwards.
//   S3  Expire never waits. While calls read, the last of them gives the pages back.

#ifndef KEEL_ENGINE_SHARED_VERSION_H_
#define KEEL_ENGINE_SHARED_VERSION_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <keel/key_range.h>
#include <keel/options.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "btree/tree.h"
#include "engine/database_impl.h"
#include "engine/open_snapshots.h"
#include "engine/version_registry.h"

namespace keel::engine {

// Thread-safe. The database outlives it.
class SharedVersion : public std::enable_shared_from_this<SharedVersion> {
 public:
  SharedVersion(std::shared_ptr<Database::Impl> database, VersionKeeper keeper);
  ~SharedVersion();
  SharedVersion(const SharedVersion&) = delete;
  SharedVersion& operator=(const SharedVersion&) = delete;

  const std::shared_ptr<Database::Impl>& database() const { return database_; }
  // The roots stay readable; the pages are there only within a Use.
  const TreeState& state() const { return keeper_->state; }
  Epoch epoch() const { return keeper_->epoch; }
  Lsn lsn() const { return keeper_->lsn; }
  CommitNumber number() const { return keeper_->number; }

  // Gives the pages back as soon as no call reads them; later calls answer `reason`. Only the first one counts.
  void Expire(const absl::Status& reason) ABSL_LOCKS_EXCLUDED(mutex_);
  bool expired() const { return (calls_.load(std::memory_order_acquire) & kExpired) != 0; }
  // OK, or why it has expired.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The scope of a call that reads it.
  class Use {
   public:
    explicit Use(SharedVersion& version) : version_(version), entered_(version.Enter()) {}
    ~Use() {
      if (entered_) version_.Leave();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    // OK: the pages are there until the end of the scope.
    absl::Status status() const { return entered_ ? absl::OkStatus() : version_.status(); }

   private:
    SharedVersion& version_;
    const bool entered_;
  };

 private:
  friend class OpenSnapshots;

  static constexpr uint64_t kExpired = uint64_t{1} << 63;

  bool Enter() {
    if ((calls_.fetch_add(1, std::memory_order_acq_rel) & kExpired) == 0) [[likely]]
      return true;
    Leave();
    return false;
  }
  void Leave() {
    // After expiry a call that is refused may be the last to leave, and then finds it done.
    if (calls_.fetch_sub(1, std::memory_order_acq_rel) == (kExpired | 1)) [[unlikely]]
      GiveBack();
  }
  void GiveBack() {
    if (!given_back_.exchange(true)) keeper_.Release();
  }

  const std::shared_ptr<Database::Impl> database_;
  VersionKeeper keeper_;             // of the database: released first
  std::atomic<uint64_t> calls_ = 0;  // under way, and the mark of expiry
  std::atomic<bool> given_back_ = false;
  OpenSnapshots::Entry entry_;
  mutable absl::Mutex mutex_;
  absl::Status reason_ ABSL_GUARDED_BY(mutex_);
};

// The visible version. ResourceExhausted: as many are open as there may be (SnapshotLimits::count_max).
absl::StatusOr<std::shared_ptr<SharedVersion>> TakeSnapshot(
    const std::shared_ptr<Database::Impl>& database, SnapshotKind kind, std::string_view label);
// The same for who has one already and goes on to a newer one: never refused.
std::shared_ptr<SharedVersion> RenewSnapshot(const std::shared_ptr<Database::Impl>& database,
                                             SnapshotKind kind, std::string_view label);

// The views are good as long as the range.
btree::Range ToRange(const KeyRange& range);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_SHARED_VERSION_H_
