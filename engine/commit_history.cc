#include "engine/commit_history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "io/latch.h"

namespace keel::engine {

void CommitHistory::Add(CommitNumber number, Lsn end, Epoch epoch, absl::Duration now,
                        std::string_view label) {
  const io::LatchLock lock(&mutex_);
  if (number <= last_) return;
  if (number.value != last_.value + 1) {  // redo publishes many at a time, all of them durable
    commits_.clear();
    durable_.number = number;
  }
  if (number.value == durable_.number.value + 1) durable_.next_at = now;
  last_ = number;
  CommitRecord record;
  if (commits_.size() == kCommitsMax) {
    Forget(commits_.front());
    record = std::move(commits_.front());  // for its label's memory
    commits_.pop_front();
  }
  record.number = number;
  record.end = end;
  record.epoch = epoch;
  record.at = now;
  record.label = label.substr(0, kLabelBytesMax);
  commits_.push_back(std::move(record));
}

const CommitRecord* CommitHistory::MakerOf(Epoch born) const {
  const auto older = [born](const CommitRecord& commit) { return commit.epoch < born; };
  const auto found = std::ranges::partition_point(commits_, older);
  // Of the oldest one that is known the page may have been there before.
  if (found == commits_.begin() || found == commits_.end()) return nullptr;
  // Of those that came with one version, any may have made it.
  const auto same = [&](const CommitRecord& commit) { return commit.epoch <= found->epoch; };
  return &*std::prev(std::ranges::partition_point(commits_, same));
}

const CommitRecord* CommitHistory::Find(CommitNumber number) const {
  if (commits_.empty() || number < commits_.front().number) return nullptr;
  const uint64_t at = number.value - commits_.front().number.value;
  return at < commits_.size() ? &commits_[at] : nullptr;
}

void CommitHistory::Forget(const CommitRecord& commit) {
  if (commit.number <= durable_.number) return;
  if (!marks_.empty() && commit.at - marks_.back().at < mark_step_) return;
  if (marks_.size() == kMarksMax) {
    size_t kept = 0;
    for (size_t i = 0; i < marks_.size(); i += 2) marks_[kept++] = marks_[i];
    marks_.resize(kept);
    mark_step_ *= 2;
  }
  marks_.push_back({commit.end, commit.number, commit.at});
}

void CommitHistory::NoteDurable(Lsn durable) {
  while (!marks_.empty() && marks_.front().end <= durable) {
    // Whatever came behind it came no earlier.
    if (marks_.front().number > durable_.number) {
      durable_.number = marks_.front().number;
      durable_.next_at = marks_.front().at;
    }
    marks_.pop_front();
  }
  if (marks_.empty()) mark_step_ = kMarkStep;
  const auto within = [durable](const CommitRecord& commit) { return commit.end <= durable; };
  const auto next = std::ranges::partition_point(commits_, within);
  if (next == commits_.begin()) return;
  const CommitNumber number = std::prev(next)->number;
  if (number < durable_.number) return;
  durable_.number = number;
  if (next != commits_.end()) durable_.next_at = next->at;
}

CommitHistory::Undurable CommitHistory::Behind(Lsn durable, CommitNumber visible) {
  absl::MutexLock lock(&mutex_);
  NoteDurable(durable);
  Undurable behind;
  if (visible <= durable_.number) return behind;
  behind.commits = visible.value - durable_.number.value;
  behind.oldest = durable_.next_at;
  return behind;
}

std::string CommitHistory::DescribeMaker(std::optional<Epoch> born, CommitNumber before,
                                         CommitNumber after) const {
  absl::MutexLock lock(&mutex_);
  const uint64_t first = before.value + 1;
  CommitNumber last = after;
  const CommitRecord* const maker = born ? MakerOf(*born) : nullptr;
  if (maker != nullptr && maker->number > before) last = std::min(last, maker->number);
  std::string text = first == last.value
                         ? absl::StrFormat("commit %d", first)
                         : absl::StrFormat("one of the commits %d to %d", first, last.value);
  if (const CommitRecord* known = Find(last); known != nullptr) {
    const std::string label =
        known->label.empty() ? "" : absl::StrFormat("\"%s\", ", Printable(known->label));
    absl::StrAppendFormat(&text, " (%s%sends at LSN %d)",
                          first == last.value ? "" : "the last of them: ", label, known->end.value);
  }
  return text;
}

}  // namespace keel::engine
