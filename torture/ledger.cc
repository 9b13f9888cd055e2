#include "torture/ledger.h"

#include <algorithm>

#include "torture/state.h"

namespace keel::torture {

void Ledger::Begin(uint64_t number, Changes changes) {
  absl::MutexLock lock(&mutex_);
  commits_[number] = std::move(changes);
}

void Ledger::Acknowledge(uint64_t number) {
  absl::MutexLock lock(&mutex_);
  acknowledged_ = std::max(acknowledged_, number);
}

History Ledger::MakeHistory() const {
  absl::MutexLock lock(&mutex_);
  History history;
  State state;
  history.Begin(0, state.hash());
  for (const auto& [number, changes] : commits_) {
    for (const auto& [key, value] : changes) {
      if (value.empty()) {
        state.Delete(0, key);
      } else {
        state.Put(0, key, value);
      }
    }
    history.Begin(number, state.hash());
  }
  history.Acknowledge(acknowledged_);
  return history;
}

}  // namespace keel::torture
