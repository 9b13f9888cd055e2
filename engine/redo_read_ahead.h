// Reads what redo is about to change, by several threads at once.
//
// Redo repeats operations one by one, and each key that it has not met before costs a read: one after the other they
// take far longer than the device needs for them together. So the keys of the log are looked up in the checkpoint's
// trees, of which only the internal pages are read for it, and the leaves found are read in the order of the file,
// while redo goes on. Those that lie near each other are read with one read, since each costs more than its few bytes.
//
//   A1  It is a guess, and nothing depends on it: what it cannot read, or does not find, redo meets itself.
//   A2  No page of the checkpoint is used again before the open's own checkpoint, so that it may read them all along;
//       it ends before that.

#ifndef KEEL_ENGINE_REDO_READ_AHEAD_H_
#define KEEL_ENGINE_REDO_READ_AHEAD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "engine/storage.h"
#include "engine/version.h"
#include "wal/log_reader.h"

namespace keel::engine {

class RedoReadAhead {
 public:
  explicit RedoReadAhead(pager::PageCache* cache) : pages_(cache), cache_(*cache) {}
  // Ends the threads, and waits for the reads that are under way.
  ~RedoReadAhead();
  RedoReadAhead(const RedoReadAhead&) = delete;
  RedoReadAhead& operator=(const RedoReadAhead&) = delete;

  // Looks the log's keys up in `checkpoint`, and begins to read if there is enough to read, but no more than
  // `leaves_max` leaves. Leaves `log` anywhere.
  void Start(wal::LogReader& log, const TreeState& checkpoint, size_t leaves_max);

 private:
  using Leaves = std::unordered_map<uint64_t, pager::PageWant>;  // by page id

  void Collect(wal::LogReader& log, const TreeState& checkpoint, size_t leaves_max, Leaves* leaves);
  // Makes runs of what was found.
  void Divide();
  void Note(const TreeState& checkpoint, KeyspaceId keyspace, std::string_view key, Leaves* leaves);
  void ReadSome();

  CachePages pages_;
  pager::PageCache& cache_;
  std::vector<pager::PageWant> wants_;                  // in the order of the file
  std::vector<std::span<const pager::PageWant>> runs_;  // of them; each is one read
  size_t run_pages_ = 1;          // from the first leaf of a run to its last, at most
  std::atomic<size_t> next_ = 0;  // of the runs
  std::vector<std::thread> threads_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_REDO_READ_AHEAD_H_
