// Checkpoints: the visible version becomes durable in the data file, and the log is cut.
//
// The order, and why no step may move:
//   1  keep the visible version V (its pages stay)
//   2  flush the log through V          the data file never holds what the log does not
//   3  write V's pages younger than N   a frozen page never changes, so writers go on meanwhile
//   4  allocate catalogue pages, write changed bitmaps into the slots that N does not name, write the catalogue
//   5  sync                             all that the superblock will refer to is durable
//   6  write and sync the superblock    the checkpoint exists from here on
//   7  flush a frame that carries the new generation (R7)
//   8  release N's pages, N's catalogue, and the log below V
//
// K1  One checkpoint at a time. A checkpoint never takes the writer lock, the commit queue or user code. For a moment, to
//     have V kept, it takes the latch of unpublished commits: it waits for a change in memory, or a batch of them.
// K2  After a failed sync no superblock is written; the database stops (G4).
//     It never runs again: what it was to write may be lost, though the next sync would succeed.
// K3  A failed attempt (short of that) uses up its generation and leaves N and everything that N needs.
//
// Commit by checkpoint: a transaction whose changes are not in the log becomes durable as a checkpoint of its own
// version. Its thread holds the writer lock, so everything published is visible, and the order is the same with
//   1  also its own version is kept, though it is not published
//   4  bitmaps also give up what the transaction has dropped of N's pages
//   6  the transaction is committed from here on
//   7  that frame holds a record of the commit, for readers of the log
//
// K4  What a transaction has made is in no version that is published, and so in no checkpoint but its own.

#ifndef KEEL_ENGINE_CHECKPOINTER_H_
#define KEEL_ENGINE_CHECKPOINTER_H_

#include <absl/base/thread_annotations.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/storage.h"
#include "engine/version_registry.h"
#include "pager/catalogue.h"

namespace keel::engine {

struct CheckpointFigures {
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t commits = 0;  // by checkpoint
  std::string last_error;
  absl::Duration last_duration;
  uint64_t last_pages = 0;  // young pages of the last one, already written ones among them
};

// How far a transaction's checkpoint came.
enum class CommitEnding : uint8_t {
  kNotCommitted,  // nothing has changed; may be tried again
  kStopped,       // the same, but a sync has failed: no checkpoint can be made any more
  kUncertain,     // a superblock may have been written: known when the database is opened again
  kCommitted,     // the superblock is durable, whatever failed after it
};

// Thread-safe.
class Checkpointer {
 public:
  // `catalogue_pages` hold the catalogue of the checkpoint that was found at open.
  Checkpointer(Storage* storage, VersionRegistry* registry, std::vector<PageId> catalogue_pages);

  // Keeps the visible version for a checkpoint (VersionRegistry::KeepForCheckpoint).
  using Keep = absl::FunctionRef<std::shared_ptr<const Version>()>;
  // One checkpoint of the visible version, which `keep` has kept. Does nothing when that is the last one already,
  // unless a new superblock is needed (the first call after open, or `clean`). `clean`: nothing is committed behind
  // it. Errors other than a failed sync leave everything as it was; `*fatal` tells the two apart.
  absl::Status Run(bool clean, Keep keep, bool* fatal) ABSL_LOCKS_EXCLUDED(mutex_);

  // One checkpoint of the version that the writer's transaction has built and sealed (WriteSession::Seal): commits
  // it. `version`'s lsn is that of the newest published version, which is visible; its number is the transaction's.
  // `*record_end` becomes the end of the record in the log. With kCommitted an error tells that the log has failed
  // since; otherwise it tells why it is not committed. REQUIRES: the writer lock.
  absl::Status Commit(std::shared_ptr<const Version> version, CommitEnding* ending, Lsn* record_end)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The last durable one.
  Epoch epoch() const ABSL_LOCKS_EXCLUDED(figures_mutex_);
  Lsn lsn() const { return Lsn{lsn_.load(std::memory_order_acquire)}; }
  pager::Superblock superblock() const ABSL_LOCKS_EXCLUDED(figures_mutex_);
  // Runs `look` on the last durable checkpoint and its catalogue's pages while no other one begins.
  absl::Status Inspect(
      absl::FunctionRef<absl::Status(Epoch epoch, const std::vector<PageId>& catalogue)> look) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  CheckpointFigures figures() const ABSL_LOCKS_EXCLUDED(figures_mutex_);

 private:
  // What an attempt has made so far.
  struct Attempt {
    std::shared_ptr<const Version> version;  // to be made durable
    std::shared_ptr<const Version> visible;  // the same, unless a transaction commits by this
    bool clean = false;
    bool superblock_begun = false;
    bool durable = false;
    Lsn record_end;  // of the commit's record
    Generation generation;
    pager::PageSet young;
    std::vector<PageId> catalogue_pages;
    pager::Superblock superblock;

    bool commits() const { return version != visible; }
  };

  absl::Status RunLocked(Attempt& attempt, bool* fatal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WritePages(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteMeta(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status SizeCatalogue(Attempt& attempt, uint64_t pages)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteMap(Attempt& attempt, pager::Catalogue* catalogue)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NameLogStart(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeDurable(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LogCommit(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Release(Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReserveSpace(const Version& version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Abandon(const Attempt& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FreeCatalogue(const std::vector<PageId>& pages);
  bool TakeBackRetired();
  void Record(const Attempt& attempt, const absl::Status& status, absl::Duration duration);

  Storage* storage_;
  VersionRegistry* registry_;

  mutable absl::Mutex mutex_;
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);     // for good (K2)
  bool named_log_ ABSL_GUARDED_BY(mutex_) = false;  // a superblock names this open's log
  Lsn covered_ ABSL_GUARDED_BY(mutex_);             // nothing up to here is missing in the last one
  int pair_ ABSL_GUARDED_BY(mutex_);
  Generation next_generation_ ABSL_GUARDED_BY(mutex_);
  std::vector<PageId> catalogue_pages_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> lsn_;

  mutable absl::Mutex figures_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  pager::Superblock superblock_ ABSL_GUARDED_BY(figures_mutex_);
  CheckpointFigures figures_ ABSL_GUARDED_BY(figures_mutex_);
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_CHECKPOINTER_H_
