#include "torture/ledger.h"

#include <algorithm>

#include "base/check.h"
#include "torture/state.h"

namespace keel::torture {

void Ledger::Begin(uint64_t number, Changes changes) {
  absl::MutexLock lock(&mutex_);
  commits_[number] = std::move(changes);
}

uint64_t Ledger::Offer(uint64_t number, Changes changes) {
  absl::MutexLock lock(&mutex_);
  offers_[++offers_made_] = {number, std::move(changes)};
  return offers_made_;
}

void Ledger::Settle(uint64_t offer, bool committed) {
  absl::MutexLock lock(&mutex_);
  auto node = offers_.extract(offer);
  KEEL_CHECK(!node.empty());
  if (!committed) return;
  Offered& offered = node.mapped();
  KEEL_CHECK(commits_.emplace(offered.number, std::move(offered.changes)).second);
}

void Ledger::Acknowledge(uint64_t number) {
  absl::MutexLock lock(&mutex_);
  acknowledged_ = std::max(acknowledged_, number);
}

History Ledger::MakeHistory() const {
  absl::MutexLock lock(&mutex_);
  std::map<uint64_t, const Changes*> all;
  for (const auto& [number, changes] : commits_) all.emplace(number, &changes);
  for (const auto& [offer, offered] : offers_) all.emplace(offered.number, &offered.changes);
  History history;
  State state;
  history.Begin(0, state.hash());
  for (const auto& [number, changes] : all) {
    for (const auto& [key, value] : *changes) {
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
