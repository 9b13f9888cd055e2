#include "engine/writer_lock.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel::engine {
namespace {

absl::Status OwnerWaits() {
  return absl::FailedPreconditionError(
      "this thread has a transaction open: commit it, or write through it");
}

}  // namespace

absl::Status WriterLock::Acquire(absl::Duration timeout, std::string_view label) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return failure_;
  const std::thread::id self = std::this_thread::get_id();
  if (!held_ && waiters_.empty()) {
    Hold(self, label);
    return absl::OkStatus();
  }
  if (held_ && owner_ == self) return OwnerWaits();
  Waiter waiter;
  waiters_.push_back(&waiter);
  const absl::Duration deadline =
      timeout == absl::InfiniteDuration() ? timeout : clock_->Now() + timeout;
  const absl::Status status = Wait(waiter, deadline);
  if (!status.ok()) {
    waiters_.remove(&waiter);
    return status;
  }
  Hold(self, label);
  return absl::OkStatus();
}

absl::Status WriterLock::Wait(Waiter& waiter, absl::Duration deadline) {
  while (!waiter.has_lock) {
    if (!failure_.ok()) return failure_;
    const absl::Duration now = clock_->Now();
    if (now >= deadline) return Timeout();
    if (now >= limit_at_ && expire_ != nullptr) {
      const std::function<void()> expire = std::exchange(expire_, nullptr);
      mutex_.Unlock();
      expire();
      mutex_.Lock();
      continue;
    }
    const absl::Duration until = std::min(deadline, expire_ != nullptr ? limit_at_ : deadline);
    if (until == absl::InfiniteDuration()) {
      waiter.granted.Wait(&mutex_);
    } else {
      waiter.granted.WaitWithTimeout(&mutex_, until - now);
    }
  }
  return absl::OkStatus();
}

absl::Status WriterLock::Timeout() const {
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    "the writer lock is held by %s for %s; raise lock_timeout, or end that "
                    "transaction",
                    label_.empty() ? std::string("another transaction") : "\"" + label_ + "\"",
                    absl::FormatDuration(clock_->Now() - since_));
}

void WriterLock::Hold(std::thread::id owner, std::string_view label) {
  held_ = true;
  owner_ = owner;
  label_ = label;
  since_ = clock_->Now();
  limit_at_ = absl::InfiniteDuration();
  expire_ = nullptr;
}

void WriterLock::Release() {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(held_);
  held_ = false;
  owner_ = {};
  expire_ = nullptr;
  if (waiters_.empty()) return;
  Waiter* next = waiters_.front();
  waiters_.pop_front();
  // Held on behalf of the waiter from here on, so that nobody overtakes it.
  held_ = true;
  next->has_lock = true;
  next->granted.Signal();
}

absl::Status WriterLock::RefuseOwner() const {
  absl::MutexLock lock(&mutex_);
  return held_ && owner_ == std::this_thread::get_id() ? OwnerWaits() : absl::OkStatus();
}

absl::Status WriterLock::TimedOut() const {
  absl::MutexLock lock(&mutex_);
  return Timeout();
}

void WriterLock::SetLimit(absl::Duration limit, std::function<void()> expire) {
  absl::MutexLock lock(&mutex_);
  limit_at_ = clock_->Now() + limit;
  expire_ = std::move(expire);
  for (Waiter* waiter : waiters_) waiter->granted.Signal();
}

void WriterLock::SetOwner() {
  absl::MutexLock lock(&mutex_);
  owner_ = std::this_thread::get_id();
}

void WriterLock::Fail(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return;
  failure_ = std::move(status);
  for (Waiter* waiter : waiters_) waiter->granted.Signal();
}

}  // namespace keel::engine
