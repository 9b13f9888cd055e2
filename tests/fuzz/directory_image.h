// A small database that was not closed, changed at some places and sealed again, checksums of checksums included.

#ifndef KEEL_TESTS_FUZZ_DIRECTORY_IMAGE_H_
#define KEEL_TESTS_FUZZ_DIRECTORY_IMAGE_H_

#include <keel/options.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "pager/superblock.h"
#include "tests/fuzz/log_image.h"
#include "tests/fuzz/patch.h"
#include "tests/unit/wal/memory_file_system.h"

namespace keel::fuzz {

inline constexpr std::string_view kDatabaseDirectory = "/db";

// As small as can be; no threads.
Options FuzzOptions(wal::MemoryFileSystem* disk);

// Made by the engine, once: two keyspaces, large values, a checkpoint, and transactions of every kind in the log
// behind it.
class DirectoryImage {
 public:
  // What a patch's `file` means.
  enum File : uint8_t { kTreePages, kCatalogue, kSuperblocks, kMaps, kLog };

  static const DirectoryImage& Get();

  std::unique_ptr<wal::MemoryFileSystem> Patched(const std::vector<Patch>& patches) const;

 private:
  friend class DirectoryPatcher;

  DirectoryImage();
  void FindPages(std::span<const std::byte> data);

  std::unique_ptr<wal::MemoryFileSystem> disk_;
  std::unique_ptr<LogLayout> log_;
  pager::Superblock superblock_;
  std::string catalogue_;
  std::vector<PageId> catalogue_pages_;
  std::vector<PageId> tree_pages_;
  std::vector<PageId> map_pages_;
};

}  // namespace keel::fuzz

#endif  // KEEL_TESTS_FUZZ_DIRECTORY_IMAGE_H_
