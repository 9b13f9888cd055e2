#include "pager/evictor.h"

#include <absl/time/time.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "pager/page_format.h"

namespace keel::pager {
namespace {

// Tries without any frame coming free before giving up, with pauses of 1, 2, 4, ... ms between them: a
// quarter of a second for reads, writes and pins of other threads to end.
constexpr int kFruitlessTries = 8;

// Guards leave within microseconds, unless their thread is not running.
constexpr int kYields = 64;
constexpr int kNaps = 10000;
constexpr absl::Duration kNap = absl::Microseconds(100);

}  // namespace

Evictor::Evictor(FramePool* frames, PageTable* table, Limbo* limbo, GuardDomain* guards,
                 io::Clock* clock)
    : frames_(*frames),
      table_(*table),
      limbo_(*limbo),
      guards_(*guards),
      clock_(*clock),
      batch_(std::clamp<size_t>(frames->size() / 64, 4, 128)) {}

absl::StatusOr<Frame*> Evictor::Take() {
  absl::Duration pause = absl::Milliseconds(1);
  for (int fruitless = 0; fruitless < kFruitlessTries;) {
    if (Frame* const frame = frames_.Take(); frame != nullptr) return frame;
    if (Stock(1)) continue;
    if (AllPinned()) break;
    ++fruitless;
    clock_.Sleep(pause);
    pause *= 2;
  }
  return Exhausted();
}

Frame* Evictor::TryTake() {
  Frame* const frame = frames_.Take();
  return frame != nullptr || !Stock(1) ? frame : frames_.Take();
}

bool Evictor::AllPinned() {
  for (size_t i = 0; i < frames_.size(); ++i) {
    if (frames_[i].pins.load(std::memory_order_relaxed) == 0) return false;
  }
  return true;
}

bool Evictor::Stock(size_t count) {
  const absl::MutexLock lock(&mutex_);
  if (frames_.free_frames() >= count) return true;
  size_t freed = 0;
  while (frames_.free_frames() < count) {
    const size_t more = FreeBatch();
    if (more == 0) break;
    freed += more;
  }
  return freed > 0;
}

size_t Evictor::FreeBatch() {
  if (limbo_.AwaitsGuards()) guards_.Refresh();
  if (const size_t freed = limbo_.Reclaim(); freed > 0) return freed;
  const uint64_t spared = spared_.load(std::memory_order_relaxed);
  Unlinked unlinked = UnlinkBatch(spared, InnerNodes::kStayLonger);
  if (unlinked.empty()) unlinked = UnlinkBatch(spared, InnerNodes::kAsLeaves);
  if (unlinked.empty() && spared != UINT64_MAX) {
    unlinked = UnlinkBatch(UINT64_MAX, InnerNodes::kAsLeaves);
  }
  evictions_.fetch_add(unlinked.frames.size(), std::memory_order_relaxed);
  const uint64_t stamp = limbo_.AddAndClose(std::move(unlinked));
  if (!AwaitGuards(stamp)) return 0;
  return limbo_.Reclaim();
}

Unlinked Evictor::UnlinkBatch(uint64_t spared, InnerNodes inner) {
  Unlinked unlinked;
  for (size_t visits = 2 * frames_.size(); visits > 0; --visits) {
    if (unlinked.frames.size() == batch_) break;
    Frame& frame = frames_[hand_];
    const bool leaf_only = inner == InnerNodes::kStayLonger && !InnerTurn(hand_);
    if (++hand_ == frames_.size()) {
      hand_ = 0;
      ++turn_;
    }
    if (!frame.Is(Frame::kLinked) || frame.birth.load(std::memory_order_relaxed) > spared) continue;
    TryUnlink(frame, leaf_only, &unlinked);
  }
  return unlinked;
}

void Evictor::TryUnlink(Frame& frame, bool leaf_only, Unlinked* unlinked) {
  const PageId id = frame.id();
  PageTable::Shard& shard = table_.ShardOf(id);
  const absl::MutexLock lock(&shard.mutex);
  if (frame.id() != id || !frame.Is(Frame::kLinked)) return;
  if (frame.pins.load(std::memory_order_relaxed) != 0) return;
  // Its mark stays too: what touches it in between counts.
  if (leaf_only && HeaderOf(frames_.BytesOf(frame).data()).level > 0) return;
  if (table_.TakeReferenced(shard, id)) return;
  Unlink(shard, frame, unlinked);
}

bool Evictor::UnlinkUnread(PageId id, Unlinked* unlinked) {
  PageTable::Shard& shard = table_.ShardOf(id);
  const absl::MutexLock lock(&shard.mutex);
  const std::byte* const bytes = table_.Lookup(shard, id);
  if (bytes == nullptr) return false;
  Frame& frame = frames_.FrameOf(bytes);
  if (!frame.Is(Frame::kLinked) || frame.pins.load(std::memory_order_relaxed) != 0) return false;
  if (frame.birth.load(std::memory_order_relaxed) > spared_.load(std::memory_order_relaxed)) {
    return false;
  }
  Unlink(shard, frame, unlinked);
  return true;
}

// A reader inside a guard may still pin it: limbo looks at pins when the guards have left.
void Evictor::Unlink(PageTable::Shard& shard, Frame& frame, Unlinked* unlinked) {
  unlinked->Add(&frame, table_.Unlink(shard, frame.id()));
  frame.Set(0);
}

bool Evictor::AwaitGuards(uint64_t stamp) {
  KEEL_DCHECK(!guards_.ThisThread()->inside());
  for (int tries = 0; tries < kYields + kNaps; ++tries) {
    if (guards_.Passed(stamp)) return true;
    guards_.Refresh();
    if (guards_.Passed(stamp)) return true;
    if (tries < kYields) {
      std::this_thread::yield();
    } else {
      clock_.Sleep(kNap);
    }
  }
  return false;
}

absl::Status Evictor::Exhausted() {
  size_t pinned = 0;
  size_t changed = 0;
  for (size_t i = 0; i < frames_.size(); ++i) {
    if (frames_[i].pins.load(std::memory_order_relaxed) != 0) {
      ++pinned;
    } else if (frames_[i].Has(Frame::kDirty)) {
      ++changed;
    }
  }
  return MakeStatus(
      absl::StatusCode::kResourceExhausted,
      "no page frame is free of %d (memory budget: %d bytes): %d pinned, %d changed and not yet "
      "written; release pinned values and cursors, or raise the budget",
      frames_.size(), frames_.budget_bytes(), pinned, changed);
}

}  // namespace keel::pager
