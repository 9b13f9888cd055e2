#include "tests/soak/crew.h"

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>

namespace keel::testing {

Crew::Crew(const Options& options)
    : options_(options), random_(options.seed), workers_(options.threads) {
  for (size_t slot = 0; slot < workers_.size(); ++slot) Begin(slot);
}

Crew::~Crew() { stop_ = true; }

void Crew::Begin(size_t slot) {
  const size_t kind = slot % kKinds;
  Worker::Task task;
  task.database = options_.database;
  task.accounts = options_.accounts;
  task.way = static_cast<Way>(kind / kReadShares.size());
  task.read_share = kReadShares[kind % kReadShares.size()];
  task.seed = random_.Next();
  task.operations = 1 + random_.Below(2 * options_.life_operations);
  task.figures = &figures_[kind];
  task.stop = &stop_;
  workers_[slot] = std::make_unique<Worker>(task);
  ++threads_begun_;
}

absl::Status Crew::Renew() {
  absl::Status status;
  for (size_t slot = 0; slot < workers_.size(); ++slot) {
    if (!workers_[slot]->done()) continue;
    status.Update(workers_[slot]->status());
    Begin(slot);
  }
  return status;
}

absl::Status Crew::Stop(absl::Duration patience) {
  stop_ = true;
  const absl::Time end = absl::Now() + patience;
  absl::Status status;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (!worker->WaitUntilDone(end - absl::Now())) {
      return absl::DeadlineExceededError("a thread does not end");
    }
    status.Update(worker->status());
  }
  workers_.clear();
  return status;
}

std::string Crew::NameOf(size_t kind) {
  return absl::StrFormat("%s, %d%% reads", kWayNames[kind / kReadShares.size()],
                         kReadShares[kind % kReadShares.size()]);
}

Crew::Longest Crew::LongestOperation() const {
  Longest longest;
  const auto look = [&longest](absl::Duration time, size_t kind) {
    if (time > longest.time) longest = {time, NameOf(kind)};
  };
  for (size_t kind = 0; kind < kKinds; ++kind) {
    look(absl::Nanoseconds(figures_[kind].longest_ns.load()), kind);
  }
  for (size_t slot = 0; slot < workers_.size(); ++slot) {
    look(workers_[slot]->stalled(), slot % kKinds);
  }
  return longest;
}

uint64_t Crew::operations() const {
  uint64_t sum = 0;
  for (const Figures& figures : figures_) sum += figures.reads + figures.writes;
  return sum;
}

std::string Crew::Describe() const {
  std::string text = absl::StrFormat("%-12s %6s %12s %12s %12s\n", "writers", "reads", "read",
                                     "written", "conflicts");
  for (size_t kind = 0; kind < kKinds; ++kind) {
    absl::StrAppendFormat(&text, "%-12s %5d%% %12d %12d %12d\n",
                          kWayNames[kind / kReadShares.size()],
                          kReadShares[kind % kReadShares.size()], figures_[kind].reads.load(),
                          figures_[kind].writes.load(), figures_[kind].conflicts.load());
  }
  return text;
}

}  // namespace keel::testing
