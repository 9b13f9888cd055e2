// What an open database stands on: files, space, frames, and the writer's session.

#ifndef KEEL_ENGINE_STORAGE_H_
#define KEEL_ENGINE_STORAGE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "base/types.h"
#include "btree/node_format.h"
#include "io/file_system.h"
#include "pager/guard.h"
#include "pager/page_access.h"
#include "pager/page_cache.h"
#include "pager/space_map.h"
#include "pager/superblock.h"
#include "pager/write_session.h"
#include "wal/log_writer.h"

namespace keel::engine {

// Names within the database directory.
inline constexpr const char* kDataFileName = "data.keel";
inline constexpr const char* kDataFileTemporaryName = "data.keel.new";
inline constexpr const char* kLogDirectoryName = "wal";

// What a reader must understand of a database that this version writes to, beyond the first version of the format.
constexpr uint64_t FeaturesOf(uint32_t page_bytes) {
  return btree::HoldsLongerEntries(page_bytes) ? pager::kFeatureLongerEntries : 0;
}

// Pages for readers outside a guard: the cache, as long as the database is open.
class CachePages final : public pager::PageSource {
 public:
  explicit CachePages(pager::PageCache* cache) : cache_(cache) {}

  uint32_t page_bytes() const override { return cache_->page_bytes(); }
  absl::StatusOr<pager::PageHandle> Pin(const pager::PageWant& want) override {
    return cache_->Pin(want);
  }
  absl::Status ReadRaw(PageId first, std::span<std::byte> buffer) override {
    return cache_->ReadRaw(first, buffer);
  }
  pager::PageCache* cache() override { return cache_; }
  uint64_t RawSeed(PageId id) const override { return cache_->RawSeed(id); }

 private:
  pager::PageCache* cache_;
};

// Members are destroyed in reverse order: what uses a thing stands behind it.
struct Storage {
  std::unique_ptr<io::FileSystem> owned_file_system;
  io::FileSystem* file_system = nullptr;
  std::filesystem::path directory;
  std::unique_ptr<io::File> data_file;
  pager::SuperblockChoice superblock;  // as found at open; the checkpointer has the current one
  int superblock_pair = 0;             // where the chosen one lies
  uint64_t incarnation = 0;            // of this open
  std::shared_ptr<pager::GuardDomain> guards;
  std::unique_ptr<pager::PageCache> cache;
  std::unique_ptr<pager::SpaceMap> space;
  std::unique_ptr<pager::WriteSession> session;
  std::unique_ptr<wal::LogWriter> log;  // none in a read-only open

  std::filesystem::path log_directory() const { return directory / kLogDirectoryName; }
  io::Clock& clock() const { return file_system->clock(); }
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_STORAGE_H_
