// Read guards: lookups without pins, locks or shared writes.
//
//   {
//     ReadGuard guard(domain);
//     const std::byte* page = cache.Find(root);   // good until the guard is left
//   }
//
// A thread inside a guard may follow page ids of the visible version and read frames. Whatever it
// can have seen (a frame, a page id, a version) is used again only after every guard entered before
// it was unlinked has left (R5). Entering costs one store, leaving one store, to a slot that no
// other thread writes; the reclaiming side pays with membarrier(2) where the kernel has it,
// otherwise entry is sequentially consistent. (Epoch-based reclamation, K. Fraser 2004; asymmetric
// fences as in userspace RCU.)
//
// Nothing blocks inside a guard: no I/O, no lock, no waiting allocation.
//
// Why it is right. A slot holds the stamp read at entry, 0 outside. The reclaimer (1) unlinks, (2)
// raises the stamp: Retire, (3) runs a barrier in every thread of the process, (4) reads the slots:
// Refresh. For a reader there are three cases:
//   - it read the raised stamp: acquire and release of the stamp order its lookups after the
//   unlinking;
//   - it read an older stamp, and (4) sees that in its slot: the reclaimer waits for it to leave;
//   - it read an older stamp, and (4) does not see it: its store to the slot was after the barrier
//   (3), so
//     its lookups are too, and find what is unlinked gone. Such a slot may hold an old stamp later;
//     that delays others, never harms.
// Stores to a slot are releases, so that a slot seen free or raised orders the reader's loads
// before the reuse. Without membarrier the entry's exchange, the reclaimer's load of the slot, the
// unlinking and the lookup's load are sequentially consistent, which excludes that both miss each
// other. The thread sanitizer does not know membarrier: there the second way is taken always.

#ifndef KEEL_PAGER_GUARD_H_
#define KEEL_PAGER_GUARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"

namespace keel::pager {

// How a reclaimer makes sure to see guards that have just been entered.
enum class GuardBarrier : uint8_t {
  kAutomatic,   // membarrier(2) where there is one
  kSequential,  // entry is sequentially consistent: about 20 cycles more
};

// One a database. Thread-safe. Slots are per thread and domain, given back at thread exit, and used
// again by later threads. Outlives every guard in it; threads that used it may outlive it.
class GuardDomain {
 public:
  // One thread's mark, on cache lines of its own (128: lines are fetched in pairs).
  struct alignas(128) Slot {
    std::atomic<uint64_t> entered{0};  // the stamp at entry; 0 outside
    uint32_t index = 0;                // among the domain's slots

    // REQUIRES: the slot's own thread.
    bool inside() const { return entered.load(std::memory_order_relaxed) != 0; }
  };

  static std::shared_ptr<GuardDomain> Create(GuardBarrier barrier = GuardBarrier::kAutomatic);
  ~GuardDomain();
  GuardDomain(const GuardDomain&) = delete;
  GuardDomain& operator=(const GuardDomain&) = delete;

  // The stamp for something that has just been unlinked (by a sequentially consistent store): it
  // may be used again once Passed(stamp).
  uint64_t Retire() { return stamp_.fetch_add(1, std::memory_order_seq_cst) + 1; }
  // Whether every guard that was entered before the stamp was given has left. Cheap: tells what the
  // last Refresh has seen.
  bool Passed(uint64_t stamp) const { return passed_.load(std::memory_order_acquire) >= stamp; }
  // Looks at the slots anew (one membarrier).
  void Refresh();

  // The calling thread's slot; made at its first use.
  Slot* ThisThread() {
    const Cached cached = cached_;
    return cached.serial == serial_ ? cached.slot : FindOrMakeSlot();
  }

  // Slots made so far: as many as threads were in use at once.
  size_t slot_count() const;
  bool uses_membarrier() const { return asymmetric_; }

 private:
  friend class ReadGuard;
  struct Slots;        // of a domain
  struct ThreadSlots;  // of a thread: its slots in all domains

  // The domain that the thread used last. Domains are told apart by number, since addresses recur.
  struct Cached {
    uint64_t serial;
    Slot* slot;
  };
  // A fixed offset from the thread pointer, also in a shared library: no call to find it.
  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local Cached cached_{0,
                                                                                         nullptr};

  GuardDomain(uint64_t serial, bool asymmetric);
  Slot* FindOrMakeSlot();

  // Read at every entry; together on one line.
  alignas(128) std::atomic<uint64_t> stamp_{1};
  const uint64_t serial_;  // from 1, never used twice
  const bool asymmetric_;

  alignas(128) std::atomic<uint64_t> passed_{0};
  const std::shared_ptr<Slots> slots_;
};

// Not re-entrant: a thread enters a domain once at a time. Scoped.
class ReadGuard {
 public:
  explicit ReadGuard(GuardDomain& domain) : slot_(domain.ThisThread()) {
    KEEL_DCHECK(!slot_->inside());
    const uint64_t now = domain.stamp_.load(std::memory_order_acquire);
    if (domain.asymmetric_) [[likely]] {
      slot_->entered.store(now, std::memory_order_release);
      // The compiler keeps the order; the processor's is the reclaimer's business.
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      slot_->entered.exchange(now, std::memory_order_seq_cst);
    }
  }
  ~ReadGuard() { slot_->entered.store(0, std::memory_order_release); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  GuardDomain::Slot* const slot_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_GUARD_H_
