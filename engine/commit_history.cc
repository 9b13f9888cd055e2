#include "engine/commit_history.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace keel::engine {

void CommitHistory::Add(CommitNumber number, Lsn end, Epoch epoch, std::string_view label) {
  absl::MutexLock lock(&mutex_);
  if (number <= last_) return;
  if (number.value != last_.value + 1) commits_.clear();  // redo publishes many at a time
  last_ = number;
  CommitRecord record;
  if (commits_.size() == kCommitsMax) {
    record = std::move(commits_.front());  // for its label's memory
    commits_.pop_front();
  }
  record.number = number;
  record.end = end;
  record.epoch = epoch;
  record.label = label.substr(0, kLabelBytesMax);
  commits_.push_back(std::move(record));
}

const CommitRecord* CommitHistory::MakerOf(Epoch born) const {
  const auto older = [born](const CommitRecord& commit) { return commit.epoch < born; };
  const auto found = std::ranges::partition_point(commits_, older);
  // Of the oldest one that is known the page may have been there before.
  if (found == commits_.begin() || found == commits_.end()) return nullptr;
  return &*found;
}

const CommitRecord* CommitHistory::Find(CommitNumber number) const {
  if (commits_.empty() || number < commits_.front().number) return nullptr;
  const uint64_t at = number.value - commits_.front().number.value;
  return at < commits_.size() ? &commits_[at] : nullptr;
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
