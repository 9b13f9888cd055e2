#include "pager/limbo.h"

#include <algorithm>
#include <utility>

namespace keel::pager {

void Limbo::Add(Unlinked unlinked) {
  if (unlinked.empty()) return;
  const absl::MutexLock lock(&mutex_);
  AddLocked(unlinked);
}

uint64_t Limbo::AddAndClose(Unlinked unlinked) {
  const absl::MutexLock lock(&mutex_);
  if (!unlinked.empty()) AddLocked(unlinked);
  if (batches_.empty()) return 0;
  batches_.back().closed = true;
  return batches_.back().stamp;
}

void Limbo::AddLocked(const Unlinked& unlinked) {
  if (batches_.empty() || batches_.back().closed) batches_.emplace_back();
  Batch& batch = batches_.back();
  batch.unlinked.Absorb(unlinked);
  batch.stamp = guards_.Retire();
  batch.closed = batch.unlinked.frames.size() >= kBatchFrames;
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
