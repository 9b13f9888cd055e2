// Roots of the working state, for lookups that take no latch (engine/unpublished_reads.cc).
//
//   WR1  A root is shown only while commits are unpublished, and only of a keyspace that exists; it is then the working
//        state's at any moment at which no change is under way.
//   WR2  All calls but Look and TakeLooked are made under the latch, so that there is one writer.

#ifndef KEEL_ENGINE_WORKING_ROOTS_H_
#define KEEL_ENGINE_WORKING_ROOTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/sequence.h"
#include "base/types.h"
#include "pager/reference.h"

namespace keel::engine {

class WorkingRoots {
 public:
  struct Seen {
    pager::TreeRoot root;  // without its entries
    Epoch epoch;           // pages born in it may be changed in place
    const Sequence* changes;
    uint64_t count;  // of the changes, when this was seen
  };

  // Nothing: it is not shown, or just being changed. Any thread.
  std::optional<Seen> Look(KeyspaceId keyspace) const;
  // Whether Look has found a root since this was last asked.
  bool TakeLooked() { return looked_.exchange(false, std::memory_order_relaxed); }

  // From now on until Clear; perhaps instead of another one.
  void Show(KeyspaceId keyspace, const pager::TreeRoot& root, Epoch epoch);
  // It may have changed.
  void Note(KeyspaceId keyspace, const pager::TreeRoot& root);
  void Clear();
  bool any() const { return any_; }

 private:
  // As many keyspaces as are usually read at a time.
  static constexpr size_t kPlaces = 16;

  struct alignas(64) Place {
    Sequence changes;
    std::atomic<uint64_t> keyspace{0};  // one more than its id; 0: none is shown
    std::atomic<uint64_t> page{0};
    std::atomic<uint64_t> birth{0};
    std::atomic<uint64_t> level{0};
    std::atomic<uint64_t> epoch{0};

    bool Shows(uint64_t name, const pager::TreeRoot& root) const;
  };

  static uint64_t NameOf(KeyspaceId keyspace) { return uint64_t{keyspace.value} + 1; }
  static void Fill(Place* place, uint64_t name, const pager::TreeRoot& root, Epoch epoch);

  std::array<Place, kPlaces> places_;
  alignas(64) mutable std::atomic<bool> looked_ = false;  // seldom changed, read by every look
  bool any_ = false;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_WORKING_ROOTS_H_
