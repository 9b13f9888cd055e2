// Writes the pages that redo has made while it makes more, so that the checkpoint behind it finds few left.
//
//   A1  Pages of an epoch that is over never change, and go to places that no durable version uses: they may be written at
//       any time (rules R1 and R2, "steal"), and a crash meanwhile repeats the same work (R12).
//   A2  What cannot be written stays as it is: the checkpoint tries again, and tells. So the first error ends it.

#ifndef KEEL_ENGINE_REDO_WRITE_AHEAD_H_
#define KEEL_ENGINE_REDO_WRITE_AHEAD_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <thread>

#include "pager/page_cache.h"

namespace keel::engine {

class RedoWriteAhead {
 public:
  explicit RedoWriteAhead(pager::PageCache* cache) : cache_(*cache) {}
  // Waits for the write that is under way.
  ~RedoWriteAhead();
  RedoWriteAhead(const RedoWriteAhead&) = delete;
  RedoWriteAhead& operator=(const RedoWriteAhead&) = delete;

  // Without it nothing is written.
  void Start();
  // There may be something to write.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void WriteSome() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for Wake; false: it is over.
  bool Await() ABSL_LOCKS_EXCLUDED(mutex_);

  pager::PageCache& cache_;
  absl::Mutex mutex_;
  bool awake_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_REDO_WRITE_AHEAD_H_
