#include "torture/runner.h"

#include <algorithm>
#include <thread>

namespace keel::torture {

void Runner::Run() {
  const size_t count = std::max<size_t>(1, options_.threads);
  {
    absl::MutexLock lock(&mutex_);
    under_way_.assign(count, 0);
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back([this, i] { Work(i); });
  for (std::thread& thread : threads) thread.join();
}

bool Runner::Next(size_t thread, uint64_t* number) {
  if (options_.stop()) return false;
  absl::MutexLock lock(&mutex_);
  if (!tally_.violations.empty()) return false;
  if (options_.cases != 0 && next_ >= options_.cases) return false;
  *number = next_++;
  under_way_[thread] = *number;
  return true;
}

void Runner::Work(size_t thread) {
  uint64_t number = 0;
  while (Next(thread, &number)) {
    Tally tally;
    RunCase({options_.campaign, options_.seed, number, {}}, &tally, options_.stop);
    absl::MutexLock lock(&mutex_);
    tally_.Add(tally);
  }
}

Tally Runner::tally() const {
  absl::MutexLock lock(&mutex_);
  return tally_;
}

uint64_t Runner::oldest_case() const {
  absl::MutexLock lock(&mutex_);
  return under_way_.empty() ? 0 : *std::ranges::min_element(under_way_);
}

}  // namespace keel::torture
