#include "pager/frame_pool.h"

#include <absl/base/config.h>

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"

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

absl::StatusOr<MemoryMap> FramePool::Reserve(size_t frames, uint32_t page_bytes) {
  return MemoryMap::Reserve(frames * page_bytes, MemoryMap::Pages::kHuge);
}

FramePool::FramePool(MemoryMap memory, size_t frames, uint32_t page_bytes)
    : base_(memory.data()),
      page_shift_(std::countr_zero(page_bytes)),
      memory_(std::move(memory)),
      frames_(frames),
      free_count_(frames) {
  const absl::MutexLock lock(&mutex_);
  free_.reserve(frames);
  for (size_t i = frames; i > 0; --i) free_.push_back(&frames_[i - 1]);
  ASAN_POISON_MEMORY_REGION(base_, budget_bytes());
}

FramePool::~FramePool() { Show({base_, budget_bytes()}); }

Frame* FramePool::Take() {
  const absl::MutexLock lock(&mutex_);
  if (free_.empty()) return nullptr;
  Frame* const frame = free_.back();
  free_.pop_back();
  free_count_.store(free_.size(), std::memory_order_relaxed);
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
  free_count_.store(free_.size(), std::memory_order_relaxed);
}

}  // namespace keel::pager
