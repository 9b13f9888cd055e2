// A database whose files are in memory, filled with rows in one bulk load.
//
// Nothing of it runs by itself (Background::kManual): what a benchmark measures is what its own thread does. Those that
// write let background work run now and then, so that its share is measured too, and always the same.

#ifndef KEEL_BENCH_MICRO_MEMORY_DATABASE_H_
#define KEEL_BENCH_MICRO_MEMORY_DATABASE_H_

#include <keel/database.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bench/micro/memory_directory.h"
#include "bench/micro/rows.h"

namespace keel::bench {

// Small segments and checkpoints often: all states of the log are soon seen.
Options MemoryOptions();

class MemoryDatabase {
 public:
  // Rows 0 to `entries` - 1 (bench/micro/rows.h).
  explicit MemoryDatabase(uint64_t entries, size_t value_bytes = kValueBytes,
                          const Options& options = MemoryOptions());

  Database& operator*() { return *database_; }
  Database* operator->() { return database_.get(); }
  uint64_t entries() const { return entries_; }

 private:
  const uint64_t entries_;
  const MemoryDirectory directory_;
  const std::unique_ptr<Database> database_;
};

// One to read from, kept as long as the same is asked for. REQUIRES: nobody writes to it.
MemoryDatabase& DatabaseToRead(uint64_t entries, size_t value_bytes = kValueBytes);

}  // namespace keel::bench

#endif  // KEEL_BENCH_MICRO_MEMORY_DATABASE_H_
