// Read guards: lookups without pins, locks or shared writes.
//
// A thread inside a guard may follow page ids of the visible version and read frames. Whatever it can have
// seen (a frame, a page id, a version) is used again only after every guard entered before it was unlinked
// has left (R5). Entering costs one store, leaving one store, to a slot that no other thread writes; the
// reclaiming side pays with membarrier(2) where the kernel has it, otherwise entry is sequentially
// consistent. (Epoch-based reclamation, K. Fraser 2004; asymmetric fences as in userspace RCU.)
//
// Nothing blocks inside a guard: no I/O, no lock, no waiting allocation.

#ifndef KEEL_PAGER_GUARD_H_
#define KEEL_PAGER_GUARD_H_

#include <atomic>
#include <cstdint>
#include <memory>

namespace keel::pager {

// One a database. Thread-safe. Slots are per thread and domain, given back at thread exit.
class GuardDomain {
 public:
  struct Slot;

  static std::shared_ptr<GuardDomain> Create();
  ~GuardDomain();

  // The stamp for something that has just been unlinked: it may be used again once Passed(stamp).
  uint64_t Retire();
  // Whether every guard that was entered before the stamp was given has left. Cheap when an earlier
  // Refresh has shown it.
  bool Passed(uint64_t stamp) const;
  // Looks at the slots anew (one membarrier).
  void Refresh();

  // The calling thread's slot; made at its first use.
  Slot* ThisThread();

 private:
  GuardDomain();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Not re-entrant: a thread enters a domain once at a time. Scoped.
class ReadGuard {
 public:
  explicit ReadGuard(GuardDomain& domain);
  ~ReadGuard();
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  GuardDomain::Slot* slot_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_GUARD_H_
