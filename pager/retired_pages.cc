#include "pager/retired_pages.h"

#include <utility>

#include "pager/page_loader.h"

namespace keel::pager {
namespace {

// A frame in limbo keeps its page until the write has ended; afterwards it may hold another page.
bool UnderWay(const RetiredPages::Write& write) {
  return write.frame->Has(Frame::kWriting) && write.frame->id() == write.id;
}

}  // namespace

void RetiredPages::Add(PageSet pages, std::span<const Write> writes) {
  const absl::MutexLock lock(&mutex_);
  NewestBatch(writes).Absorb(std::move(pages));
}

void RetiredPages::Add(PageId first, uint64_t count, std::span<const Write> writes) {
  const absl::MutexLock lock(&mutex_);
  NewestBatch(writes).InsertRun(first, count);
}

PageSet& RetiredPages::NewestBatch(std::span<const Write> writes) {
  writes_.insert(writes_.end(), writes.begin(), writes.end());
  const bool full = !batches_.empty() && batches_.back().pages.size() >= kBatchPages;
  if (batches_.empty() || batches_.back().closed || full) batches_.emplace_back();
  batches_.back().stamp = guards_.Retire();
  return batches_.back().pages;
}

void RetiredPages::Collect(PageSet* ready) {
  const absl::MutexLock lock(&mutex_);
  if (!batches_.empty()) {
    batches_.back().closed = true;  // or a stream of deaths would keep the earlier ones waiting
    if (!guards_.Passed(batches_.back().stamp)) guards_.Refresh();
  }
  PageSet candidates = std::move(busy_);
  busy_ = PageSet();
  while (!batches_.empty() && guards_.Passed(batches_.front().stamp)) {
    candidates.Absorb(std::move(batches_.front().pages));
    batches_.pop_front();
  }
  if (candidates.empty()) return;
  HoldBack(&candidates);
  ready->Absorb(std::move(candidates));
}

void RetiredPages::HoldBack(PageSet* pages) {
  std::erase_if(writes_, [](const Write& write) { return !UnderWay(write); });
  PageSet under_way = Loading();
  for (const Write& write : writes_) under_way.Insert(write.id);
  PageSet held;
  under_way.ForEach([&](PageId id) {
    if (pages->Erase(id)) held.Insert(id);
  });
  busy_.Absorb(std::move(held));
}

PageSet RetiredPages::Loading() {
  PageSet loading;
  for (PageTable::Shard& shard : table_.shards()) {
    const absl::MutexLock lock(&shard.mutex);
    for (const auto& [id, load] : shard.loads) loading.Insert(PageId{id});
  }
  return loading;
}

uint64_t RetiredPages::size() const {
  const absl::MutexLock lock(&mutex_);
  uint64_t count = busy_.size();
  for (const Batch& batch : batches_) count += batch.pages.size();
  return count;
}

}  // namespace keel::pager
