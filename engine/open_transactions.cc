#include "engine/open_transactions.h"

namespace keel::engine {

void OpenTransactions::Add(const std::shared_ptr<OpenTransaction>& transaction) {
  absl::MutexLock lock(&mutex_);
  const uint64_t number = next_++;
  transaction->number_ = number;
  const absl::Duration deadline = transaction->limit().deadline();
  entries_.emplace(number, Entry{transaction, deadline});
  ++CountOf(transaction->concurrency());
  if (deadline == absl::InfiniteDuration()) return;
  deadlines_.emplace(deadline, number);
  NoteNextDeadline();
}

void OpenTransactions::Remove(const OpenTransaction& transaction, bool timed_out) {
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(transaction.number_);
  if (entry == entries_.end()) return;
  if (deadlines_.erase({entry->second.deadline, entry->first}) > 0) NoteNextDeadline();
  entries_.erase(entry);
  --CountOf(transaction.concurrency());
  counts_.timed_out += timed_out ? 1 : 0;
}

void OpenTransactions::NoteNextDeadline() {
  const absl::Duration next =
      deadlines_.empty() ? absl::InfiniteDuration() : deadlines_.begin()->first;
  next_deadline_ns_.store(absl::ToInt64Nanoseconds(next), std::memory_order_relaxed);
}

void OpenTransactions::EndOverdue(absl::Duration now) {
  if (absl::ToInt64Nanoseconds(now) < next_deadline_ns_.load(std::memory_order_relaxed)) return;
  std::vector<std::shared_ptr<OpenTransaction>> overdue;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [deadline, number] : deadlines_) {
      if (deadline > now) break;
      std::shared_ptr<OpenTransaction> transaction = entries_.at(number).transaction.lock();
      if (transaction != nullptr) overdue.push_back(std::move(transaction));
    }
  }
  for (const auto& transaction : overdue) transaction->TryEnd(transaction->TimeExceeded());
}

void OpenTransactions::EndExpired() {
  for (const auto& transaction : Oldest(SIZE_MAX)) transaction->TryEndExpired();
}

OpenTransactions::Counts OpenTransactions::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

std::vector<std::shared_ptr<OpenTransaction>> OpenTransactions::Oldest(size_t most) const {
  std::vector<std::shared_ptr<OpenTransaction>> oldest;
  absl::MutexLock lock(&mutex_);
  for (const auto& [number, entry] : entries_) {
    if (oldest.size() == most) break;
    std::shared_ptr<OpenTransaction> transaction = entry.transaction.lock();
    if (transaction != nullptr) oldest.push_back(std::move(transaction));
  }
  return oldest;
}

}  // namespace keel::engine
