#include "engine/background.h"

#include "engine/database_impl.h"
#include "engine/fork_guard.h"

namespace keel::engine {

namespace {

constexpr size_t kWriteBatch = 256;       // pages written back in one go
constexpr double kWriteBackShare = 0.4;   // of frames dirty, from which pages are written ahead
constexpr uint64_t kReclaimBatch = 4096;  // deaths examined in one go
constexpr absl::Duration kPagePeriod = absl::Milliseconds(50);
constexpr absl::Duration kCheckpointPeriod = absl::Seconds(1);
constexpr absl::Duration kLookPeriod = absl::Seconds(1);  // at the figures that warnings come from
constexpr absl::Duration kSignalledPeriod =
    absl::Minutes(1);            // of threads that wait for nothing but their signal
constexpr int kQuietRounds = 3;  // of the log thread, before it sleeps until woken

}  // namespace

Background::Background(Database::Impl* database)
    : database_(database), process_(ForkGeneration()) {}

Background::~Background() { Stop(); }

void Background::Start() {
  if (database_->options().background != keel::Background::kThreads) return;
  database_->storage().log->HaveSparesMade([this] { RequestSegments(); });
  threads_.emplace_back([this] { LogLoop(); });
  threads_.emplace_back([this] { SegmentLoop(); });
  threads_.emplace_back([this] { CheckpointLoop(); });
  threads_.emplace_back([this] { PageLoop(); });
  threads_.emplace_back([this] { CallbackLoop(); });
}

void Background::Stop() {
  if (ForkGeneration() != process_) {
    for (std::thread& thread : threads_) thread.detach();
    threads_.clear();
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    log_signal_.changed.SignalAll();
    segment_signal_.changed.SignalAll();
    checkpoint_signal_.changed.SignalAll();
    page_signal_.changed.SignalAll();
    callback_signal_.changed.SignalAll();
    checkpoint_ended_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Background::WaitFor(Signal& signal, absl::Duration time) {
  absl::MutexLock lock(&mutex_);
  if (!signal.raised && !stopping_) signal.changed.WaitWithTimeout(&mutex_, time);
  signal.raised = false;
  return !stopping_;
}

void Background::Raise(Signal& signal) {
  absl::MutexLock lock(&mutex_);
  signal.raised = true;
  signal.changed.Signal();
}

void Background::WakeLog() { Raise(log_signal_); }

void Background::NoteAsync(Lsn lsn) {
  uint64_t newest = async_lsn_.load(std::memory_order_relaxed);
  while (newest < lsn.value && !async_lsn_.compare_exchange_weak(newest, lsn.value)) {
  }
  NoteCommit();
}
void Background::RequestSegments() { Raise(segment_signal_); }
void Background::RequestCheckpoint() { Raise(checkpoint_signal_); }
void Background::RequestPages() { Raise(page_signal_); }
void Background::WriteAhead(uint64_t free_pages) {
  write_ahead_.store(free_pages + 1);
  RequestPages();
}
void Background::RequestCallbacks() { Raise(callback_signal_); }

void Background::TellDurable() {
  database_->registry().AdvanceVisible(database_->storage().log->durable());
  database_->NoteDurable();
}

// One write, so that nobody waits for more than that. Whether there is more to measure; if it stops the log, MaintainLog
// tells.
bool Background::MeasureLog() {
  const bool more = database_->storage().log->ProbeFlushMethod().value_or(false);
  TellDurable();  // what waited for a flush went along, and MaintainLog may find nothing left to flush
  return more;
}

// Flushes what kAsync commits promised, and writes the idle mark once nothing has been flushed for a round.
// Returns whether there was anything to do.
bool Background::MaintainLog() {
  Database::Impl& db = *database_;
  wal::LogWriter& log = *db.storage().log;
  if (const absl::Status failure = log.failure(); !failure.ok()) {
    db.Stop(failure);
    return false;
  }
  const Lsn durable = log.durable();
  const Lsn wanted{async_lsn_.load()};
  if (wanted > durable) {
    if (const absl::Status status = log.Flush(wanted); !status.ok()) {
      db.Stop(status);
    } else {
      TellDurable();
    }
    last_flushed_ = log.durable().value;
    return true;
  }
  if (last_flushed_.exchange(durable.value) != durable.value) return true;
  if (const absl::Status status = log.WriteIdleMark(); !status.ok()) db.Stop(status);
  return false;
}

void Background::LogLoop() {
  const absl::Duration interval = database_->options().async_flush_interval;
  int quiet = 0;
  bool measuring = true;
  // Not at once: the first lookups behind an open would wait for the measuring's syncs.
  if (!WaitFor(log_signal_, interval)) return;
  while (true) {
    if (measuring) measuring = MeasureLog();
    quiet = MaintainLog() || measuring ? 0 : quiet + 1;
    const bool sleep = quiet >= kQuietRounds;
    log_asleep_.store(sleep);
    // A kAsync commit that saw the flag before it was set is seen here.
    const bool wanted = Lsn{async_lsn_.load()} > database_->storage().log->durable();
    if (!WaitFor(log_signal_, sleep && !wanted ? absl::Seconds(1) : interval)) return;
    log_asleep_.store(false, std::memory_order_relaxed);
  }
}

// Files of zeros, which take a fifth of a second each: no commit is to wait for one, nor any flush.
void Background::SegmentLoop() {
  while (WaitFor(segment_signal_, kSignalledPeriod)) database_->storage().log->MakeSpares();
}

void Background::CheckpointLoop() {
  while (WaitFor(checkpoint_signal_, kCheckpointPeriod)) {
    const bool asked = [&] {
      absl::MutexLock lock(&mutex_);
      return checkpoints_begun_ != checkpoints_ended_;
    }();
    if (!asked && !database_->CheckpointDue()) continue;
    uint64_t begun = 0;
    {
      absl::MutexLock lock(&mutex_);
      begun = checkpoints_begun_;
    }
    const absl::Status status = database_->RunCheckpoint(/*clean=*/false);
    absl::MutexLock lock(&mutex_);
    checkpoints_ended_ = begun;
    checkpoint_status_ = status;
    checkpoint_ended_.SignalAll();
  }
}

absl::Status Background::AwaitCheckpoint() {
  if (database_->options().background == keel::Background::kManual) {
    return database_->RunCheckpoint(/*clean=*/false);
  }
  absl::MutexLock lock(&mutex_);
  const uint64_t mine = ++checkpoints_begun_;
  checkpoint_signal_.raised = true;
  checkpoint_signal_.changed.Signal();
  while (checkpoints_ended_ < mine && !stopping_) checkpoint_ended_.Wait(&mutex_);
  if (checkpoints_ended_ < mine) return absl::FailedPreconditionError("the database is closing");
  return checkpoint_status_;
}

void Background::MaintainPages() {
  Database::Impl& db = *database_;
  while (db.registry().Reclaim(kReclaimBatch) > 0) {
  }
  db.storage().cache->Replenish();
  if (page_pause_.Over(db.Now())) WritePages();
}

void Background::WritePages() {
  Database::Impl& db = *database_;
  pager::PageCache& cache = *db.storage().cache;
  for (bool all = AskedAhead(); all || cache.DirtyAbove(kWriteBackShare); all |= AskedAhead()) {
    const absl::StatusOr<size_t> written = cache.WriteBack(kWriteBatch);
    if (!written.ok()) {  // the pages stay changed, and are tried again
      page_pause_.NoteFailure(db.Now());
      db.NotePageWrites(written.status());
      break;
    }
    if (*written == 0) break;
    page_pause_.NoteSuccess();
    db.NotePageWrites(absl::OkStatus());
  }
}

// Whether WriteAhead was called since this was asked last; makes room in the file then.
bool Background::AskedAhead() {
  const uint64_t asked = write_ahead_.exchange(0);
  if (asked == 0) return false;
  // What fails is tried again, or met, by whoever needs the pages.
  database_->storage().space->GrowAhead(asked - 1).IgnoreError();
  return true;
}

void Background::PageLoop() {
  absl::Duration next_look = -absl::InfiniteDuration();
  do {
    database_->EndOverdueTransactions();
    MaintainPages();
    const absl::Duration now = database_->Now();
    if (now < next_look) continue;
    next_look = now + kLookPeriod;
    database_->LookAtSnapshots();
    database_->LookAtHealth();
  } while (WaitFor(page_signal_, kPagePeriod));
}

// Any signal that comes while it runs is raised, so that nothing is missed.
void Background::CallbackLoop() {
  while (WaitFor(callback_signal_, kSignalledPeriod)) database_->RunCallbacks();
}

absl::Status Background::RunOnce() {
  Database::Impl& db = *database_;
  MaintainLog();
  MaintainPages();
  absl::Status status = db.CheckpointDue() ? db.RunCheckpoint(/*clean=*/false) : db.Usable();
  db.LookAtHealth();
  return status;
}

}  // namespace keel::engine
