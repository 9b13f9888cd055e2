#include "pager/guard.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "io/process_barrier.h"

namespace keel::pager {
namespace {

constexpr uint64_t kNobody = UINT64_MAX;

uint64_t NextSerial() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

// Held by the domain; threads refer to it weakly.
struct GuardDomain::Slots {
  Slot* Take() {
    const absl::MutexLock lock(&mutex);
    if (!unused.empty()) {
      Slot* const slot = unused.back();
      unused.pop_back();
      return slot;
    }
    Slot& slot = all.emplace_back();
    slot.index = static_cast<uint32_t>(all.size() - 1);
    return &slot;
  }

  void GiveBack(Slot* slot) {
    KEEL_CHECK(!slot->inside());
    const absl::MutexLock lock(&mutex);
    unused.push_back(slot);
  }

  // The oldest stamp that a thread inside entered with, `none` if there is none.
  uint64_t Oldest(uint64_t none) {
    const absl::MutexLock lock(&mutex);
    uint64_t oldest = none;
    for (const Slot& slot : all) {
      const uint64_t entered = slot.entered.load(std::memory_order_seq_cst);
      if (entered != 0) oldest = std::min(oldest, entered);
    }
    return oldest;
  }

  absl::Mutex mutex;
  std::deque<Slot> all ABSL_GUARDED_BY(mutex);
  std::vector<Slot*> unused ABSL_GUARDED_BY(mutex);
};

struct GuardDomain::ThreadSlots {
  struct Entry {
    uint64_t serial;
    Slot* slot;
    std::weak_ptr<Slots> owner;
  };

  ~ThreadSlots() {
    for (const Entry& entry : entries) {
      if (const std::shared_ptr<Slots> owner = entry.owner.lock()) owner->GiveBack(entry.slot);
    }
    cached_ = {0, nullptr};
    gone = true;
  }

  Slot* Find(uint64_t serial) const {
    for (const Entry& entry : entries) {
      if (entry.serial == serial) return entry.slot;
    }
    return nullptr;
  }

  Slot* Make(uint64_t serial, const std::shared_ptr<Slots>& owner) {
    std::erase_if(entries, [](const Entry& entry) { return entry.owner.expired(); });
    entries.push_back(Entry{.serial = serial, .slot = owner->Take(), .owner = owner});
    return entries.back().slot;
  }

  // The thread is ending, and this object's destructor has run.
  static inline constinit thread_local bool gone = false;

  std::vector<Entry> entries;
};

std::shared_ptr<GuardDomain> GuardDomain::Create(GuardBarrier barrier) {
  const bool asymmetric = barrier == GuardBarrier::kAutomatic && io::ProcessBarrierWorks();
  return std::shared_ptr<GuardDomain>(new GuardDomain(NextSerial(), asymmetric));
}

GuardDomain::GuardDomain(uint64_t serial, bool asymmetric)
    : serial_(serial), asymmetric_(asymmetric), slots_(std::make_shared<Slots>()) {}

GuardDomain::~GuardDomain() { KEEL_CHECK(slots_->Oldest(kNobody) == kNobody); }

void GuardDomain::Refresh() {
  const uint64_t now = stamp_.load(std::memory_order_seq_cst);
  if (asymmetric_) io::ProcessBarrier();
  const uint64_t oldest = slots_->Oldest(now);
  uint64_t passed = passed_.load(std::memory_order_relaxed);
  while (passed < oldest &&
         !passed_.compare_exchange_weak(passed, oldest, std::memory_order_acq_rel)) {
  }
}

GuardDomain::Slot* GuardDomain::FindOrMakeSlot() {
  // Code that runs after this thread's slots were given back (destructors of other thread-local
  // objects) gets one that stays with the domain.
  if (ThreadSlots::gone) {
    cached_ = {serial_, slots_->Take()};
    return cached_.slot;
  }
  thread_local ThreadSlots mine;
  Slot* slot = mine.Find(serial_);
  if (slot == nullptr) slot = mine.Make(serial_, slots_);
  cached_ = {serial_, slot};
  return slot;
}

size_t GuardDomain::slot_count() const {
  const absl::MutexLock lock(&slots_->mutex);
  return slots_->all.size();
}

}  // namespace keel::pager
