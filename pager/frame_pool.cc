#include "pager/frame_pool.h"

#include <absl/base/config.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "pager/page_format.h"

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(0))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(0))
#endif

namespace keel::pager {
namespace {

// What a reader that has no right to it finds in a free frame, in paranoid builds.
constexpr int kFreeFrameByte = 0xdb;

void Hide(std::span<std::byte> bytes) {
  if (kParanoid) std::memset(bytes.data(), kFreeFrameByte, bytes.size());
  ASAN_POISON_MEMORY_REGION(bytes.data(), bytes.size());
}

void Show([[maybe_unused]] std::span<std::byte> bytes) {
  ASAN_UNPOISON_MEMORY_REGION(bytes.data(), bytes.size());
}

}  // namespace

// Zeros are frames that nobody uses: fresh memory needs no construction.
static_assert(std::is_trivially_destructible_v<Frame>);
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
static_assert(std::atomic<uint32_t>::is_always_lock_free);

// A forked child gives its pins back, though it has none of the pages.
absl::StatusOr<MemoryMap> FramePool::Reserve(size_t frames, uint32_t page_bytes) {
  const size_t kept = frames * sizeof(Frame);
  return MemoryMap::Reserve(frames * page_bytes + kept, MemoryMap::Pages::kHuge, kept);
}

FramePool::FramePool(MemoryMap memory, size_t frames, uint32_t page_bytes)
    : memory_(std::move(memory)),
      base_(memory_.data()),
      page_shift_(std::countr_zero(page_bytes)),
      size_(frames),
      frames_(reinterpret_cast<Frame*>(base_ + frames * page_bytes)),
      free_count_(frames) {
  static_assert(pager::kTestPageBytes % alignof(Frame) == 0);
  const absl::MutexLock lock(&mutex_);
  free_.reserve(frames);
  ASAN_POISON_MEMORY_REGION(base_, budget_bytes());
}

FramePool::~FramePool() { Show({base_, budget_bytes()}); }

Frame* FramePool::Take() {
  const absl::MutexLock lock(&mutex_);
  if (free_.empty() && fresh_ == size_) return nullptr;
  Frame* frame = nullptr;
  if (free_.empty()) {
    frame = &frames_[fresh_++];
    if (fresh_ << page_shift_ == MemoryMap::kHugeBytes) {
      memory_.MakeHuge(0, MemoryMap::kHugeBytes);
      memory_.MakeHuge(budget_bytes(), size_ * sizeof(Frame));
    }
  } else {
    frame = free_.back();
    free_.pop_back();
  }
  CountFree();
  Show(BytesOf(*frame));
  return frame;
}

void FramePool::Free(std::span<Frame* const> frames) {
  for (const Frame* frame : frames) {
    KEEL_CHECK(frame->Unused());
    Hide(BytesOf(*frame));
  }
  const absl::MutexLock lock(&mutex_);
  free_.insert(free_.end(), frames.begin(), frames.end());
  CountFree();
}

size_t FramePool::first_untouched() const {
  const absl::MutexLock lock(&mutex_);
  return fresh_;
}

void FramePool::CountFree() {
  free_count_.store(free_.size() + size_ - fresh_, std::memory_order_relaxed);
}

}  // namespace keel::pager
