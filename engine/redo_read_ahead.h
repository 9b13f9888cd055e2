// Reads what redo is about to change, by several threads at once.
//
// Redo repeats operations one by one, and each key that it has not met before costs a read: one after the other they
// take far longer than the device needs for them together. So the keys of a batch are looked up in the trees that it
// begins on, of which only the internal pages are read for it, and the leaves found are read in the order of the file,
// while redo goes on. Those that lie near each other are read with one read, since each costs more than its few bytes.
// Redo follows them: of each key there is one operation, so that they may be repeated in any order, and in that of the
// file none waits for a leaf that is read last.
//
//   A1  It is a guess, and nothing depends on it: what it cannot read, or does not find, redo meets itself.
//   A2  No page of the version that the batch begins on is used again before the batch has ended, so that it may read
//       them all along; it ends before that.

#ifndef KEEL_ENGINE_REDO_READ_AHEAD_H_
#define KEEL_ENGINE_REDO_READ_AHEAD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "base/types.h"
#include "engine/storage.h"
#include "engine/version.h"
#include "recovery/operations.h"

namespace keel::engine {

class RedoReadAhead {
 public:
  explicit RedoReadAhead(pager::PageCache* cache) : pages_(cache), cache_(*cache) {}
  // Ends the threads, and waits for the reads that are under way.
  ~RedoReadAhead();
  RedoReadAhead(const RedoReadAhead&) = delete;
  RedoReadAhead& operator=(const RedoReadAhead&) = delete;

  using Operations = std::span<const recovery::Operation>;

  // Looks the keys of `operations`, which are sorted by keyspace and key, up in `state`, and begins to read if there is
  // enough to read, but no more than `leaves_max` leaves. All of `operations`, in the order in which they are to be
  // repeated.
  std::vector<Operations> Start(Operations operations, const TreeState& state, size_t leaves_max);

 private:
  struct Leaf {
    pager::PageWant want;
    Operations operations;
  };

  // Notes the leaves below the node that `want` names, which all of `operations` go to.
  void Note(Operations operations, const pager::PageWant& want, size_t leaves_max);
  // Sorts what was found, and makes runs of it.
  void Divide();
  void ReadSome();

  CachePages pages_;
  pager::PageCache& cache_;
  std::vector<Leaf> leaves_;                            // found so far
  std::vector<Operations> others_;                      // that go to none of them
  std::vector<pager::PageWant> wants_;                  // of the leaves, in the order of the file
  std::vector<std::span<const pager::PageWant>> runs_;  // of them; each is one read
  size_t run_pages_ = 1;          // from the first leaf of a run to its last, at most
  std::atomic<size_t> next_ = 0;  // of the runs
  std::vector<std::thread> threads_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_REDO_READ_AHEAD_H_
