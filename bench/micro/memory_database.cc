#include "bench/micro/memory_database.h"

#include <string>

namespace keel::bench {

Options MemoryOptions() {
  Options options;
  options.memory_bytes = uint64_t{512} << 20;
  options.checkpoint_log_bytes = uint64_t{32} << 20;
  options.log_segment_bytes = uint64_t{8} << 20;
  options.background = Background::kManual;
  return options;
}

MemoryDatabase::MemoryDatabase(uint64_t entries, size_t value_bytes, const Options& options)
    : entries_(entries), database_(Must(Database::Open(directory_.path() / "db", options))) {
  BulkLoader loader = Must(database_->NewBulkLoader());
  const std::string value = RowValue(value_bytes);
  for (uint64_t n = 0; n < entries; ++n) Must(loader.Put(RowKey(n), value));
  Must(loader.Commit());
}

MemoryDatabase& DatabaseToRead(uint64_t entries, size_t value_bytes) {
  static std::unique_ptr<MemoryDatabase> database;
  static size_t bytes = 0;
  if (database == nullptr || database->entries() != entries || bytes != value_bytes) {
    database.reset();
    database = std::make_unique<MemoryDatabase>(entries, value_bytes);
    bytes = value_bytes;
  }
  return *database;
}

}  // namespace keel::bench
