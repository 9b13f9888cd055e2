// Dead page ids on their way back to the space map (C5).
//
// An id is ready when every guard entered before it was retired has left, and neither a read nor a
// write of it is under way: an older write that lands after a newer one would leave wrong bytes
// with a good checksum. Pins do not matter: they hold frames.

#ifndef KEEL_PAGER_RETIRED_PAGES_H_
#define KEEL_PAGER_RETIRED_PAGES_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/types.h"
#include "pager/frame_pool.h"
#include "pager/guard.h"
#include "pager/page_set.h"
#include "pager/page_table.h"

namespace keel::pager {

// Thread-safe.
class RetiredPages {
 public:
  // A write of `id`, from `frame`, that was under way when the id was retired.
  struct Write {
    PageId id;
    const Frame* frame;
  };

  RetiredPages(PageTable* table, GuardDomain* guards) : table_(*table), guards_(*guards) {}

  // REQUIRES: unlinked already. `writes` concern ids of what is added.
  void Add(PageSet pages, std::span<const Write> writes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(PageId first, uint64_t count, std::span<const Write> writes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves the ids that are ready to `ready`.
  void Collect(PageSet* ready) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Batch {
    uint64_t stamp = 0;
    PageSet pages;
    bool closed = false;  // takes no more, so its stamp stays
  };
  // A batch of so many ids is closed.
  static constexpr uint64_t kBatchPages = 256;

  // The batch for what has just been unlinked.
  PageSet& NewestBatch(std::span<const Write> writes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the ids that are being read or written out of `pages`; they wait on in `busy_`.
  void HoldBack(PageSet* pages) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PageSet Loading();

  PageTable& table_;
  GuardDomain& guards_;

  mutable absl::Mutex mutex_;
  std::deque<Batch> batches_ ABSL_GUARDED_BY(mutex_);  // stamps ascend
  std::vector<Write> writes_ ABSL_GUARDED_BY(mutex_);
  PageSet busy_ ABSL_GUARDED_BY(mutex_);  // guards have left; a read or write is under way
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_RETIRED_PAGES_H_
