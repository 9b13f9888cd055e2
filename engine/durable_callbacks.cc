#include "engine/durable_callbacks.h"

#include <utility>

#include "base/status.h"
#include "engine/thread_token.h"

namespace keel::engine {

absl::Status DurableCallbacks::Add(Lsn lsn, Callback callback) {
  absl::MutexLock lock(&mutex_);
  if (waiting_.size() >= kWaitingMax) {
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      "%d callbacks wait for commits to be durable, and there may be no more: wait "
                      "for some (Database::WaitDurable)",
                      waiting_.size());
  }
  waiting_.emplace(lsn, std::move(callback));
  NoteFirst();
  return absl::OkStatus();
}

void DurableCallbacks::NoteFirst() {
  first_.store(waiting_.empty() ? kNone : waiting_.begin()->first.value, std::memory_order_release);
}

void DurableCallbacks::Run(Outcome outcome) {
  absl::MutexLock lock(&mutex_);
  again_ = true;
  if (runner_ == 0) RunLocked(outcome);
}

void DurableCallbacks::Finish(Outcome outcome) {
  absl::MutexLock lock(&mutex_);
  while (runner_ != 0) idle_.Wait(&mutex_);
  again_ = true;
  RunLocked(outcome);
}

void DurableCallbacks::RunLocked(Outcome outcome) {
  runner_ = ThisThreadToken();
  while (std::exchange(again_, false)) {
    while (!waiting_.empty()) {
      const Lsn lsn = waiting_.begin()->first;
      mutex_.Unlock();
      const std::optional<absl::Status> known = outcome(lsn);
      mutex_.Lock();
      if (!known.has_value()) break;
      if (waiting_.begin()->first != lsn) continue;  // another one came before it meanwhile
      Callback callback = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      NoteFirst();
      mutex_.Unlock();
      callback(*known);
      callback = nullptr;  // user code too
      mutex_.Lock();
    }
  }
  runner_ = 0;
  idle_.SignalAll();
}

bool DurableCallbacks::RunsHere() const {
  absl::MutexLock lock(&mutex_);
  return runner_ == ThisThreadToken();
}

size_t DurableCallbacks::waiting() const {
  absl::MutexLock lock(&mutex_);
  return waiting_.size();
}

}  // namespace keel::engine
