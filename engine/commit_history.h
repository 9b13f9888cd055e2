// The newest commits: which of them made a page, and what is visible but not yet durable.
//
//   H1  Commits are added in their order, by the holder of the writer lock; those remembered have numbers without a gap.
//   H2  It is an aid to say who and how much, never a reason to do anything but wait: it is bounded, and what it has
//       forgotten it answers with bounds that hold.

#ifndef KEEL_ENGINE_COMMIT_HISTORY_H_
#define KEEL_ENGINE_COMMIT_HISTORY_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace keel::engine {

struct CommitRecord {
  CommitNumber number;
  Lsn end;            // of its record in the log
  Epoch epoch;        // of its version: no page that it made is younger
  absl::Duration at;  // on the clock
  std::string label;  // of who held the writer lock, perhaps cut
};

// Thread-safe.
class CommitHistory {
 public:
  static constexpr size_t kCommitsMax = 1024;
  static constexpr size_t kLabelBytesMax = 64;
  static constexpr size_t kMarksMax = 1024;
  static constexpr absl::Duration kMarkStep = absl::Milliseconds(1);

  explicit CommitHistory(CommitNumber last) : last_(last), durable_{.number = last} {}

  // A version with this commit in it is published; does nothing if it has been added before (a version may bring no
  // commit). REQUIRES: the writer lock.
  void Add(CommitNumber number, Lsn end, Epoch epoch, absl::Duration now, std::string_view label)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Of the commits behind `before`, up to `after`, the one that changed something seen in a page born at `born` (none:
  // unknown), or those of which one did: the page's maker, or one before it. "commit 17 ("import", ends at LSN 4711)",
  // "one of the commits 12 to 17 (the last of them: ...)".
  std::string DescribeMaker(std::optional<Epoch> born, CommitNumber before,
                            CommitNumber after) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Of the commits up to `visible`, those whose records end behind `durable`. Where more are visible than are
  // remembered, bounds from above.
  struct Undurable {
    uint64_t commits = 0;
    absl::Duration oldest = absl::InfiniteDuration();  // on the clock; infinite: there is none
  };
  Undurable Behind(Lsn durable, CommitNumber visible) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The newest commit that is known to be durable.
  struct Durable {
    CommitNumber number;
    absl::Duration next_at;  // of the one behind it, if there is one
  };

  // A commit that is forgotten; of these one a while is remembered, to know how long ago what is durable was new.
  struct Mark {
    Lsn end;
    CommitNumber number;
    absl::Duration at;
  };

  void Forget(const CommitRecord& commit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteDurable(Lsn durable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The last commit of the version that was the first with a page born at `born` in it, if that is still known.
  const CommitRecord* MakerOf(Epoch born) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const CommitRecord* Find(CommitNumber number) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  CommitNumber last_ ABSL_GUARDED_BY(mutex_);
  Durable durable_ ABSL_GUARDED_BY(mutex_);
  std::deque<CommitRecord> commits_ ABSL_GUARDED_BY(mutex_);
  std::deque<Mark> marks_
      ABSL_GUARDED_BY(mutex_);  // before all of these, and behind what is durable
  absl::Duration mark_step_ ABSL_GUARDED_BY(mutex_) = kMarkStep;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_COMMIT_HISTORY_H_
