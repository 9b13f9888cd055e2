#include "engine/writer_lock.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "engine/thread_token.h"
#include "io/latch.h"

namespace keel::engine {
namespace {

// How soon a holder over its limit, in whose transaction a call was running, is looked at again.
constexpr absl::Duration kExpireAgain = absl::Milliseconds(10);
// What one kind of waiters can be behind the other at most, so that one long turn is not followed by another.
constexpr absl::Duration kAheadMax = absl::Milliseconds(50);

}  // namespace

absl::Status WriterLock::Acquire(absl::Duration timeout, std::string_view label, Use use) {
  absl::MutexLock lock(&mutex_);
  if (HasLimit() && Overdue(clock_->Now())) ExpireHolder();
  if (!failure_.ok()) return failure_;
  const uint64_t self = ThisThreadToken();
  if (!held_) {
    KEEL_CHECK(Waiting() == 0);  // W1
    Hold(self, label, use);
    return absl::OkStatus();
  }
  if (owner_ == self) return OwnerWaits();
  Waiter waiter{.thread = self, .label = label, .granted = {}};
  std::list<Waiter*>& line = Line(use);
  line.push_back(&waiter);
  absl::Status status = Wait(waiter, timeout);
  if (!status.ok()) {
    line.remove(&waiter);
    WakeFirst();  // the limit is watched by another one now
  }
  return status;
}

bool WriterLock::TryAcquire(std::string_view label, Use use) {
  if (!mutex_.TryLock()) return false;
  const bool free = !held_ && failure_.ok();
  if (free) {
    KEEL_CHECK(Waiting() == 0);  // W1
    Hold(ThisThreadToken(), label, use);
  }
  mutex_.Unlock();
  return free;
}

bool WriterLock::TryAcquireSoon(std::string_view label, Use use) {
  io::AwakeWait wait;
  do {
    const Seems seems = seems_.load(std::memory_order_relaxed);
    if (seems == Seems::kTransaction) return false;
    if (seems == Seems::kFree && TryAcquire(label, use)) return true;
  } while (wait.Pass());
  return false;
}

absl::Status WriterLock::Wait(Waiter& waiter, absl::Duration timeout) {
  const absl::Duration begin = clock_->Now();
  const absl::Duration deadline = timeout == absl::InfiniteDuration() ? timeout : begin + timeout;
  while (!waiter.has_lock) {
    if (!failure_.ok()) return failure_;
    const absl::Duration now = clock_->Now();
    if (now >= deadline) return Timeout(now - begin);
    absl::Duration until = deadline;
    if (!IsFirst(waiter)) {
      // Another one watches the limit.
    } else if (Overdue(now)) {
      if (ExpireHolder()) continue;
      until = std::min(until, now + kExpireAgain);
    } else if (expire_ != nullptr) {
      until = std::min(until, limit_at_);
    }
    if (until == absl::InfiniteDuration()) {
      waiter.granted.Wait(&mutex_);
    } else if (!waiter.has_lock) {
      waiter.granted.WaitWithTimeout(&mutex_, until - now);
    }
  }
  return absl::OkStatus();
}

bool WriterLock::ExpireHolder() {
  const Expire expire = expire_;
  mutex_.Unlock();
  const bool done = expire();
  mutex_.Lock();
  return done;
}

std::string WriterLock::HolderName() const {
  return label_.empty() ? "one without a label" : absl::StrFormat("\"%s\"", Printable(label_));
}

absl::Status WriterLock::OwnerWaits() const {
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "this thread uses the exclusive transaction that is open, %s, and would wait "
                    "for itself: commit it, or write through it",
                    HolderName());
}

absl::Status WriterLock::Timeout(absl::Duration waited) const {
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    "waited %s for the writer lock: it is held by %s for %s, and %d wait for it; "
                    "raise lock_timeout, or end that transaction",
                    absl::FormatDuration(waited), HolderName(),
                    absl::FormatDuration(clock_->Now() - since_), Waiting());
}

void WriterLock::Hold(uint64_t owner, std::string_view label, Use use) {
  held_ = true;
  seems_.store(use == Use::kCommits ? Seems::kCommits : Seems::kTransaction,
               std::memory_order_relaxed);
  use_ = use;
  owner_ = owner;
  label_ = label;
  since_ = clock_->Now();
  limit_at_ = absl::InfiniteDuration();
  expire_ = nullptr;
}

void WriterLock::Release() {
  const io::LatchLock lock(&mutex_);
  KEEL_CHECK(held_);
  held_ = false;
  owner_ = 0;
  expire_ = nullptr;
  if (Waiting() == 0) {
    seems_.store(Seems::kFree, std::memory_order_relaxed);
    ahead_ = absl::ZeroDuration();
    return;
  }
  const Use next = NextUse(clock_->Now() - since_);
  std::list<Waiter*>& line = Line(next);
  Waiter* const waiter = line.front();
  line.pop_front();
  Hold(waiter->thread, waiter->label, next);
  waiter->has_lock = true;
  waiter->granted.Signal();
}

WriterLock::Use WriterLock::NextUse(absl::Duration held) {
  const bool commits = use_ == Use::kCommits;
  const Use other = commits ? Use::kTransaction : Use::kCommits;
  if (Line(other).empty()) {
    ahead_ = absl::ZeroDuration();
    return use_;
  }
  ahead_ = std::clamp(commits ? ahead_ + held : ahead_ - held, -kAheadMax, kAheadMax);
  if (Line(use_).empty() || ahead_ == absl::ZeroDuration()) return other;
  return ahead_ > absl::ZeroDuration() ? Use::kTransaction : Use::kCommits;
}

bool WriterLock::IsFirst(const Waiter& waiter) const {
  return (!transactions_.empty() && transactions_.front() == &waiter) ||
         (!commits_.empty() && commits_.front() == &waiter);
}

void WriterLock::WakeFirst() {
  if (!transactions_.empty()) transactions_.front()->granted.Signal();
  if (!commits_.empty()) commits_.front()->granted.Signal();
}

size_t WriterLock::Waiting() const { return transactions_.size() + commits_.size(); }

void WriterLock::WakeAll() {
  for (Waiter* const waiter : transactions_) waiter->granted.Signal();
  for (Waiter* const waiter : commits_) waiter->granted.Signal();
}

absl::Status WriterLock::RefuseOwner() {
  absl::MutexLock lock(&mutex_);
  if (HasLimit() && Overdue(clock_->Now())) ExpireHolder();
  return held_ && owner_ == ThisThreadToken() ? OwnerWaits() : absl::OkStatus();
}

absl::Status WriterLock::TimedOut(absl::Duration waited) const {
  absl::MutexLock lock(&mutex_);
  return Timeout(waited);
}

void WriterLock::SetLimit(absl::Duration limit, Expire expire) {
  absl::MutexLock lock(&mutex_);
  limit_at_ = clock_->Now() + limit;
  expire_ = std::move(expire);
  WakeFirst();
}

void WriterLock::SetOwner() {
  absl::MutexLock lock(&mutex_);
  owner_ = ThisThreadToken();
}

void WriterLock::Fail(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  if (!failure_.ok()) return;
  failure_ = std::move(status);
  WakeAll();
}

}  // namespace keel::engine
