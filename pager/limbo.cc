#include "pager/limbo.h"

#include <algorithm>
#include <utility>

namespace keel::pager {

uint64_t Limbo::Add(Unlinked unlinked) {
  const absl::MutexLock lock(&mutex_);
  if (unlinked.empty()) return newest_;
  newest_ = guards_.Retire();
  if (batches_.empty() || batches_.back().unlinked.frames.size() >= kBatchFrames) {
    batches_.push_back({newest_, std::move(unlinked)});
    return newest_;
  }
  Batch& batch = batches_.back();
  batch.stamp = newest_;
  batch.unlinked.Absorb(unlinked);
  return newest_;
}

void Limbo::TakePassed() {
  while (!batches_.empty() && guards_.Passed(batches_.front().stamp)) {
    const Unlinked& unlinked = batches_.front().unlinked;
    for (PageTable::Chunk* chunk : unlinked.chunks) table_.ReleaseChunk(chunk);
    held_.insert(held_.end(), unlinked.frames.begin(), unlinked.frames.end());
    batches_.pop_front();
  }
}

size_t Limbo::Reclaim() {
  const absl::MutexLock lock(&mutex_);
  TakePassed();
  const auto unused = std::partition(held_.begin(), held_.end(),
                                     [](const Frame* frame) { return !frame->Unused(); });
  const auto count = static_cast<size_t>(held_.end() - unused);
  frames_.Free({unused, held_.end()});
  held_.erase(unused, held_.end());
  return count;
}

bool Limbo::AwaitsGuards() const {
  const absl::MutexLock lock(&mutex_);
  return !batches_.empty();
}

size_t Limbo::waiting() const {
  const absl::MutexLock lock(&mutex_);
  size_t count = held_.size();
  for (const Batch& batch : batches_) count += batch.unlinked.frames.size();
  return count;
}

}  // namespace keel::pager
