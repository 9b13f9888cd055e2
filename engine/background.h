// What runs beside the callers: log upkeep (soon after the open also the measurement of its device), the making of log
// segments, checkpoints, page writing and reclaiming.
//
// With Background::kThreads one thread each for the log, for its segments, for checkpoints, for pages and for the
// callbacks of OnDurable, so that a slow checkpoint delays neither a flush nor a page write, a file of zeros no commit,
// and user code nothing. With kManual nothing runs by itself: RunOnce does one round of everything, and whoever has to
// wait for background work performs it.

#ifndef KEEL_ENGINE_BACKGROUND_H_
#define KEEL_ENGINE_BACKGROUND_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <keel/database.h>

#include "engine/retry_pause.h"

namespace keel::engine {

// Thread-safe.
class Background {
 public:
  explicit Background(Database::Impl* database);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Starts the threads (kThreads). REQUIRES: not read-only.
  void Start();
  // Ends and joins them. Idempotent.
  void Stop();

  // Something was committed: the log thread has a flush or a mark to think of. Cheap when it is awake.
  void NoteCommit() {
    if (log_asleep_.load()) WakeLog();
  }
  // A kAsync commit that ends at `lsn` is to be flushed within the interval.
  void NoteAsync(Lsn lsn);
  // The log has fewer spare segments than it should.
  void RequestSegments();
  // A checkpoint is due.
  void RequestCheckpoint();
  // Dirty frames are many, or free ones few.
  void RequestPages();
  // Frozen dirty pages are to be written now, however few, since a commit will wait for them; and the file is to have
  // so many free pages, since as many will soon be made.
  void WriteAhead(uint64_t free_pages);

  // The outcome of what a callback waits for may be known.
  void RequestCallbacks();

  // One round on the calling thread (kManual).
  absl::Status RunOnce();
  // Waits until a checkpoint has ended that began after this call, or performs one (kManual). Its status.
  absl::Status AwaitCheckpoint();

 private:
  struct Signal {
    absl::CondVar changed;
    bool raised = false;
  };

  void LogLoop();
  void SegmentLoop();
  void CheckpointLoop();
  void PageLoop();
  void CallbackLoop();
  void WakeLog();
  bool MeasureLog();
  bool MaintainLog();
  // What the log has made durable can be seen, and its callbacks are due.
  void TellDurable();
  void MaintainPages();
  void WritePages();
  bool AskedAhead();
  // Waits until the signal is raised or the time is over; false: stop.
  bool WaitFor(Signal& signal, absl::Duration time) ABSL_LOCKS_EXCLUDED(mutex_);
  void Raise(Signal& signal) ABSL_LOCKS_EXCLUDED(mutex_);

  Database::Impl* database_;
  const uint32_t process_;  // fork generation: a child has none of the threads
  std::atomic<bool> log_asleep_ = false;
  std::atomic<uint64_t> async_lsn_ = 0;     // end of the newest kAsync commit
  std::atomic<uint64_t> last_flushed_ = 0;  // of the log thread's previous round
  std::atomic<uint64_t> write_ahead_ = 0;   // 1 more than the free pages asked for; 0: none
  RetryPause page_pause_{absl::Milliseconds(100), absl::Seconds(10)};

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Signal log_signal_;
  Signal segment_signal_;
  Signal checkpoint_signal_;
  Signal page_signal_;
  Signal callback_signal_;
  absl::CondVar checkpoint_ended_;
  uint64_t checkpoints_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t checkpoints_ended_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status checkpoint_status_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_BACKGROUND_H_
